"""Killed before and after every call of `up` and `down`: nothing is lost, nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

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
        yield cloud.endpoint, cloud.access_key, cloud.secret_key
        stop(state)


def points(
    command: crash.Command, part: int, moments: Sequence[crash.Moment] = ("before", "after")
) -> list[tuple[int, crash.Moment]]:
    """Return a part's share of all calls of a command, which is run once to count them."""
    calls = crash.count_calls(command)
    assert calls > 5
    everyone = [(call, moment) for call in range(1, calls + 1) for moment in moments]
    return everyone[part::PARTS]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_in_up_then_down_leaves_nothing(endpoint: tuple[str, str, str], part: int) -> None:
    deaths = 0
    everyone = points("up", part)
    assert crash.run("down") == 0
    for call, moment in everyone:
        died = crash.run("up", die_at=call, moment=moment)
        assert died in (-signal.SIGKILL, 0)  # parallel calls: a run may make one call fewer
        deaths += died != 0
        assert crash.run("down") == 0, f"down after a kill {moment} call {call}"
        assert everything(*endpoint) == [], f"left by a kill {moment} call {call} of up"
    assert deaths > 5


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_in_down_then_down_leaves_nothing(endpoint: tuple[str, str, str], part: int) -> None:
    assert crash.run("up") == 0
    deaths = 0
    for call, moment in points("down", part):
        assert crash.run("up") == 0
        deaths += crash.run("down", die_at=call, moment=moment) == -signal.SIGKILL
        assert crash.run("down") == 0, f"down after a kill {moment} call {call}"
        assert everything(*endpoint) == [], f"left by a kill {moment} call {call} of down"
    assert deaths > 3


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_in_up_then_up_makes_no_duplicates(
    endpoint: tuple[str, str, str], part: int
) -> None:
    assert crash.run("up") == 0
    whole = kinds_of(everything(*endpoint))
    assert crash.run("down") == 0
    # A kill after one call is a kill before the next: one moment is enough here.
    for call, moment in points("up", part, moments=["after"]):
        assert crash.run("down") == 0
        crash.run("up", die_at=call, moment=moment)
        assert crash.run("up") == 0, f"up after a kill {moment} call {call}"
        assert kinds_of(everything(*endpoint)) == whole, f"after a kill {moment} call {call}"
    assert crash.run("down") == 0


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
