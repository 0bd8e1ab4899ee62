"""Real database servers by the real command: every topology comes up, survives kills, and goes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.databases.nodes import needs_mariadb
from tests.end_to_end.audit import everything
from tests.end_to_end.conftest import Labctl
from tests.remote.waiting import eventually

SMALL = [
    word
    for setting in ("standalone=1", "primary=1", "replicas=1", "cluster=3", "clients=1", "films=60")
    for word in ("--set", setting)
]
QUICK = ("rows=500", "seconds=1s", "warm_up=0s")
KILL = "kill -9 $(cat ~/.labctl/data/mariadb/server.pid)"
LACKS = """\
apiVersion: labctl/v1
name: lacks
title: Needs what no machine has
resources: {box: {kind: ec2.instance}}
agents: {a: {on: box, program: needy}}
"""


@needs_mariadb
def test_every_topology_comes_up_survives_kills_and_goes(labctl: Labctl) -> None:
    done = labctl.json("up", "db-scaling", "--yes", *SMALL)[-1]
    assert done["ok"], done
    assert _checks(labctl) == {True}
    _are_measured(labctl)
    env = labctl.exports("db-scaling")
    secrets = {path.name: path.read_text() for path in labctl.state.glob("sessions/*/secrets/*")}
    assert set(secrets) == {"reader", "writer", "monitor", "replication", "bench"}
    _are_nowhere_else(labctl, secrets)

    for machine in ("replica.0", "primary.0", "cluster.1"):
        before = _pid(labctl, machine)
        labctl("exec", "db-scaling", machine, "--", KILL)
        eventually(lambda: _pid(labctl, machine) not in ("", before), f"{machine} is back", 60)  # noqa: B023 - used at once
    assert _checks(labctl) == {True}
    assert not labctl.json("up", "db-scaling", "--yes")[-1]["changed"], "nothing was to be mended"

    proof = labctl.json("down", "db-scaling", "--yes")[-1]
    assert (proof["ok"], proof["left"]) == (True, [])
    assert not list(labctl.state.glob("sessions/*/secrets"))
    keys = env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    assert everything(env["AWS_ENDPOINT_URL"], *keys) == []
    assert _servers(labctl.state) == []


def _checks(labctl: Labctl) -> set[bool]:
    lines = labctl.json("check", "db-scaling", ok=False)
    return {each["event"] == "CheckPassed" for each in lines if each["event"].startswith("Check")}


def _are_measured(labctl: Labctl) -> None:
    """Measure every topology for a moment: each round is held to its label by the counters."""
    quick = [word for each in QUICK for word in ("--set", each)]
    told = labctl.json("bench", "db-scaling", "read-write", "--repeats", "1", *quick)
    standings = told[-1]["result"]["standings"]
    names = ["standalone", "replicated", "one-writer", "all-writers"]
    assert [each["subject"] for each in standings] == names
    assert all(each["median_per_s"] > 0 for each in standings)
    assert standings[1]["verdict"].startswith("too few rounds to tell")


def _pid(labctl: Labctl, machine: str) -> str:
    answers = "cat ~/.labctl/data/mariadb/server.pid 2>/dev/null"
    said = labctl("exec", "db-scaling", machine, "--json", "--", answers, ok=False).stdout
    (line,) = said.splitlines()
    return str(json.loads(line)["stdout"]).strip()


def _are_nowhere_else(labctl: Labctl, secrets: dict[str, str]) -> None:
    """Fail when a secret is in a file that may be shown, or in what a process was started with."""
    session = next(labctl.state.glob("sessions/*"))
    shown = [path.read_text(errors="replace") for path in session.glob("*.json*")]
    shown += [path.read_text() for path in labctl.state.glob("cloud/instances/*/etc/**/*.service")]
    shown += [path.read_text() for path in labctl.state.glob("cloud/instances/*/var/log/**/*.log")]
    servers = _servers(labctl.state)
    assert len(servers) >= 6
    for pid in servers:
        for name in ("cmdline", "environ"):
            shown.append(Path(f"/proc/{pid}/{name}").read_text(errors="replace"))
    assert len(shown) > 10
    assert not [name for name, value in secrets.items() if any(value in text for text in shown)]


def _servers(state: Path) -> list[int]:
    """Return the processes of database servers that belong to a state folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            # An instance with a root of its own sees its disk there, and shows whose that is.
            mounts = (process / "mountinfo").read_bytes()
        except OSError:  # it ended while we looked
            continue
        if b"mariadbd" in command.split(b"\0")[0] and str(state).encode() in command + mounts:
            found.append(int(process.name))
    return found


def test_what_this_machine_lacks_is_told_before_anything_is_made(labctl: Labctl) -> None:
    program = labctl.folder / "remote/needy"
    program.mkdir(parents=True)
    (program / "__main__.py").write_text("")
    (program / "packages.txt").write_text("labctl-nowhere labctl-no-such-program\n")
    (labctl.folder / "lab.yaml").write_text(LACKS)
    refused = labctl("up", "./lab.yaml", "--yes", ok=False)
    assert refused.returncode == 3
    assert "labctl-no-such-program" in refused.stderr
    assert "sudo apt-get install labctl-nowhere" in refused.stderr
    assert "--fetch" in refused.stderr
    assert not list(labctl.state.glob("cloud/instances/*"))
    assert not list(labctl.state.glob("sessions/*/session.json"))
