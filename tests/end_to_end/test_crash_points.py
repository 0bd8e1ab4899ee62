"""Killed before and after every call of `up` and `down`: nothing is lost, nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from labctl.targets.local import LocalTarget
from tests.end_to_end import crash
from tests.end_to_end.audit import everything

PARTS = 4  # the points are shared out, so that several processes can take them


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """A local cloud of this test process's own; the state folder is set for its children."""
    from labctl.cloud.launch import ensure_started, stop

    state = tmp_path_factory.mktemp("crash") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABCTL_STATE", str(state))
        cloud = ensure_started(state)
        target = LocalTarget(state)
        for service in ("sqs", "s3", "dynamodb", "ec2", "iam", "sts"):
            target.client(service)  # its description is read here, not in every child
        yield cloud.endpoint, cloud.access_key, cloud.secret_key
        stop(state)


@pytest.fixture(scope="module")
def calls(endpoint: tuple[str, str, str]) -> dict[crash.Command, list[str]]:
    """The calls that `up` and then `down` make; nothing stands afterwards."""
    found: dict[crash.Command, list[str]] = {"up": crash.calls_of("up")}
    found["down"] = crash.calls_of("down")
    assert all(len(operations) > 20 for operations in found.values())
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_in_up_then_down_leaves_nothing(
    endpoint: tuple[str, str, str], calls: dict[crash.Command, list[str]], part: int
) -> None:
    for point in share(crash.points(calls["up"]), part):
        die("up", point)
        assert crash.run("down") == 0, f"down after a death in up, {point}"
        assert everything(*endpoint) == [], f"left by a death in up, {point}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_in_down_then_down_leaves_nothing(
    endpoint: tuple[str, str, str], calls: dict[crash.Command, list[str]], part: int
) -> None:
    for point in share(crash.points(calls["down"]), part):
        assert crash.run("up") == 0
        die("down", point)
        assert crash.run("down") == 0, f"down after a death in down, {point}"
        assert everything(*endpoint) == [], f"left by a death in down, {point}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_in_up_then_up_makes_no_duplicates(
    endpoint: tuple[str, str, str], calls: dict[crash.Command, list[str]], part: int
) -> None:
    assert crash.run("up") == 0
    whole = kinds_of(everything(*endpoint))
    # A kill after one call is a kill before the next: one moment is enough here.
    everyone = [point for point in crash.points(calls["up"]) if point.moment == "after"]
    for point in share(everyone, part):
        assert crash.run("down") == 0
        die("up", point)
        assert crash.run("up") == 0, f"up after a death in up, {point}"
        assert kinds_of(everything(*endpoint)) == whole, f"after a death in up, {point}"
    assert crash.run("down") == 0


def share(points: Sequence[crash.Point], part: int) -> list[crash.Point]:
    """Return a part's points: each has its part, whatever else another process saw called."""
    return [point for point in points if zlib.crc32(repr(point).encode()) % PARTS == part]


def die(command: crash.Command, point: crash.Point) -> None:
    """Run a command that is killed on its way; a run may look once less often, and then ends."""
    died = crash.run(command, die_at=point)
    assert died == -signal.SIGKILL or (died == 0 and not point.changes), (died, point)


def kinds_of(names: list[str]) -> Counter[str]:
    """Count things by kind: their ids differ from one `up` to the next."""
    return Counter(name.split()[0] for name in names)


def test_down_without_its_ledger_leaves_nothing(
    endpoint: tuple[str, str, str],
) -> None:
    assert crash.run("up") == 0
    sessions = Path(os.environ["LABCTL_STATE"]) / "sessions"
    record = json.loads((sessions / "every-kind" / "session.json").read_text())
    assert record["lab"] == "every-kind"
    shutil.rmtree(sessions)
    assert crash.run("down") == 0
    assert everything(*endpoint) == []
