"""What is made once for all instances: by shipped code, and anew when what it needs changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from labctl.cloud.layout import Layout
from labctl.cloud.prepared import SEEN_AS, Preparation, prepare
from labctl.engine.programs import shipped_program
from labctl.errors import TargetError
from tests.cloud.running import Cloud

MAKES = """
import os, sys
from pathlib import Path
if sys.argv[1] == "badly":
    sys.exit("it is too late for that")
folder = Path(os.environ["LABCTL_CACHE"])
with (folder / "made").open("a") as made:
    made.write(sys.argv[1] + chr(10))
(folder / "seen").write_text(" ".join(os.environ))
"""


@pytest.fixture
def wanted(tmp_path: Path) -> Preparation:
    program, need = tmp_path / "remote/probe", tmp_path / "server"
    program.mkdir(parents=True)
    (program / "prepare.py").write_text(MAKES)
    (program / "__init__.py").touch()
    need.write_text("1.0")
    return Preparation(program, digest="a" * 64, arguments=("one",), needs=(str(need),))


def made(folder: Path) -> str:
    return (folder / "made").read_text()


def test_it_is_made_once_and_anew_when_what_it_needs_changes(
    wanted: Preparation, tmp_path: Path
) -> None:
    layout = Layout.of(tmp_path)
    told: list[str] = []
    for _ in range(2):
        folder = prepare(layout, wanted, told.append)
    assert (made(folder), told) == ("one\n", ["prepares once for all machines: one"])
    Path(wanted.needs[0]).write_text("1.0.1")
    assert made(prepare(layout, wanted, told.append)) == "one\none\n"
    prepare(layout, dataclasses.replace(wanted, arguments=("two",)), told.append)
    assert made(folder) == "one\none\ntwo\n"

    newer = prepare(layout, dataclasses.replace(wanted, digest="b" * 64), told.append)
    assert made(newer) == "one\n"
    assert not folder.exists(), "what other code made is nobody's any more"


def test_who_makes_it_is_given_no_keys(
    wanted: Preparation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-canary")
    folder = prepare(Layout.of(tmp_path), wanted, lambda text: None)
    assert not any(name.startswith("AWS") for name in (folder / "seen").read_text().split())


def test_a_failure_is_told_and_tried_again(wanted: Preparation, tmp_path: Path) -> None:
    badly = dataclasses.replace(wanted, arguments=("badly",))
    for _ in range(2):
        with pytest.raises(TargetError, match="too late") as caught:
            prepare(Layout.of(tmp_path), badly, lambda text: None)
        assert caught.value.hint


def test_a_labs_own_program_is_not_run_on_this_machine(tmp_path: Path) -> None:
    assert shipped_program(tmp_path, "mariadb_node") is not None
    own = tmp_path / "remote/mariadb_node"
    own.mkdir(parents=True)
    (own / "__main__.py").touch()
    assert shipped_program(tmp_path, "mariadb_node") is None


def test_instances_can_read_it_and_no_more(net_cloud: Cloud, wanted: Preparation) -> None:
    folder = prepare(net_cloud.layout, wanted, lambda text: None)
    (number,) = net_cloud.launch()
    net_cloud.place(number)
    seen = SEEN_AS / folder.name
    assert net_cloud.out(number, f"cp -a {seen} ~/mine; cat ~/mine/made") == "one"
    for try_it in (f"echo x >> {seen}/made", f"rm {seen}/made", f"touch {SEEN_AS}/x"):
        assert net_cloud.ssh(number, try_it).returncode != 0
    assert net_cloud.ssh(number, f"mv {seen} {SEEN_AS}/other").returncode != 0
    assert made(folder) == "one\n"
    assert list(net_cloud.layout.prepared.iterdir()) == [folder]
    net_cloud.client("ec2").terminate_instances(InstanceIds=[number])
