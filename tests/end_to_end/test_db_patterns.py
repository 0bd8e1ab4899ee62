"""The lab db-patterns by the real command: every hop is an agent on a machine of its own."""

from __future__ import annotations

import json
import re
import signal
from threading import Thread
from urllib.request import urlopen

from tests.databases.nodes import needs_mariadb
from tests.end_to_end.conftest import Labctl
from tests.remote.waiting import eventually

KILL = "kill -9 $(cat ~/.labctl/data/mariadb/server.pid)"


@needs_mariadb
def test_the_lab_comes_up_holds_and_outlives_a_replica(labctl: Labctl) -> None:
    ran = labctl("run", "db-patterns", "--set", "films=50", "--set", "queries=60")
    assert "60 done, 0 failed, 0 lost, 0 duplicated" in ran.stdout
    checked = labctl("check", "db-patterns")
    groups_hold = json.loads(labctl("cloud", "status", "--json").stdout)["tier"] == "net"
    counts = {word: checked.stderr.count(f"  {word}  ") for word in ("PASS", "SKIP", "FAIL")}
    expected = {"PASS": 13, "SKIP": 0} if groups_hold else {"PASS": 10, "SKIP": 3}
    assert counts == {**expected, "FAIL": 0}, checked.stderr
    page = json.loads(labctl("env", "db-patterns", "--json").stdout)["LAB_PUBLIC"]
    with urlopen(f"{page}/read") as answer:
        assert b'<form method="post" action="/read">' in answer.read()
    wrote, _ = labctl.json(
        *("db-patterns", "write"),
        "INSERT INTO actor (first_name, last_name) VALUES ('ADA', 'LOVELACE')",
        "UPDATE film SET length = 77 WHERE film_id = 1",
    )
    assert wrote["node"] == "primary"
    read = labctl.json("db-patterns", "read", "SELECT length FROM film WHERE film_id = 1")
    assert read[0]["node"].startswith("replica.")
    _is_measured(labctl)
    labctl("exec", "db-patterns", "replica.0", "--", KILL)
    rows = labctl.json("db-patterns", "read", *["SELECT COUNT(*) FROM film"] * 20)
    assert len([each for each in rows if each.get("status") == 200]) == 20
    _is_hurt_while_asked(labctl)
    eventually(lambda: labctl("check", "db-patterns", ok=False).returncode == 0, "all is well", 90)
    refused = labctl("db-patterns", "read", "SELECT password FROM staff", ok=False)
    assert (refused.returncode, "no table staff" in refused.stdout) == (1, True)
    assert labctl.json("down", "db-patterns", "--yes")[-1]["left"] == []


def _is_measured(labctl: Labctl) -> None:
    """Measure a mode on every way for a moment, each served by who may serve it."""
    told = labctl.json("bench", "db-patterns", "random", "--repeats", "1", "--set", "seconds=0.2s")
    standings = told[-1]["result"]["standings"]
    assert [each["subject"] for each in standings] == ["direct", "proxy", "trusted", "gatekeeper"]
    assert not any(each["errors"] for each in standings)
    served = [each["served"] for each in told[-1]["result"]["figures"]]
    assert {node for each in served for node in each} == {"replica.0", "replica.1"}
    for counts in (counts for each in served for counts in each.values()):
        assert counts["Com_select"] >= 0.9 * counts["answers"] > 0, "as the server counts itself"


def _is_hurt_while_asked(labctl: Labctl) -> None:
    """Stop the primary in a run: its writes fail, reads go on, and both are told."""
    asking = labctl.started("run", "db-patterns", "--set", "queries=100000", "--json")
    assert asking.stdout is not None
    while '"JobFinished"' not in asking.stdout.readline():
        assert asking.poll() is None
    drain = Thread(target=asking.stdout.read)
    drain.start()
    fault = labctl("fault", "stop", "db-patterns", "primary", "--for", "3s")
    asking.send_signal(signal.SIGINT)
    drain.join()
    assert asking.wait(60) == 130
    asking.communicate()
    counts = re.search(r"jobs meanwhile: (\d+) done, (\d+) failed", fault.stdout + fault.stderr)
    assert counts is not None, fault
    assert int(counts[1]) > 0
    assert int(counts[2]) > 0
