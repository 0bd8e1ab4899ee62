"""What the screen says of keys: the state, the head, the box; never the keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl import events as e
from labctl.targets.base import KeysReport
from labctl.tui.key_words import left_words, paste_words
from labctl.tui.screens.lab_head import trouble_line
from labctl.tui.view import SessionView

ENDED = e.CredentialsExpired(source="a file", why="they have expired", remedy="save", waits_s=60.0)
RENEWED = e.CredentialsRenewed(source="a file", waited_s=3.0, ends_at=0.0, about=False)
PUSHED = e.KeysPushed(machines=("worker.0",))
REPORT = KeysReport(
    source="a file",
    key="ASIA...ABCD",
    account="1",
    identity="me",
    ends_at=2520.0,
    about=True,
    temporary=True,
    traps=(),
)
BLOCK = (
    "[default]\naws_access_key_id=ASIAABCDEFGHIJKLMNOP\n"
    "aws_secret_access_key=wJalrXUtnFEMIK7MDENG\naws_session_token=IQoJb3JpZ2luX2VjEMr\n"
)


def test_a_session_is_paused_from_the_end_of_its_keys_until_there_are_others() -> None:
    view = SessionView()
    view.fold(1.0, ENDED)
    assert (view.shown, view.state) == ("paused", "not started")
    assert "paused: they have expired: save" in trouble_line("", view)
    view.fold(2.0, RENEWED)
    assert view.shown == "not started"


def test_what_several_threads_tell_stands_in_the_log_once() -> None:
    view = SessionView()
    for event in (ENDED, RENEWED, PUSHED):
        for here in (False, True, True):
            view.fold(1.0, event, here=here)
    assert [line.source for line in view.log] == [
        "CredentialsExpired",
        "CredentialsRenewed",
        "KeysPushed",
    ]
    view.fold(100.0, PUSHED)
    assert len(view.log) == 4


def test_who_was_killed_waits_no_more_but_this_screen_does() -> None:
    view = SessionView()
    view.fold(1.0, ENDED)
    assert view.leave()
    after_leaving = view.shown
    view.fold(2.0, ENDED, here=True)
    assert not view.leave()
    assert (after_leaving, view.shown) == ("not started", "paused")


def test_the_end_of_a_run_ends_its_waiting() -> None:
    view = SessionView()
    view.fold(1.0, ENDED)
    done = e.RunFinished(
        lab="a", session="a", ok=False, jobs={}, jobs_per_s=0.0, latency_ms={}, phases_s={}
    )
    view.fold(2.0, done)
    assert view.shown != "paused"


@pytest.mark.parametrize(
    ("report", "long", "short"),
    [
        (None, "", ""),
        (replace(REPORT, temporary=False, ends_at=None), "", ""),
        (REPORT, "keys: about 42 min", "keys: ~42 min"),
        (replace(REPORT, about=False, ends_at=30.0), "keys: 30 s", "keys: 30 s"),
        (replace(REPORT, ends_at=-1.0), "keys: end soon", "keys: end soon"),
        (replace(REPORT, ends_at=None), "keys: end not known", ""),
        (replace(REPORT, why="expired"), "keys: ended", "keys: ended"),
        (replace(REPORT, why="no net", unasked=True), "keys: about 42 min", "keys: ~42 min"),
    ],
)
def test_the_head_tells_how_long_they_last(
    report: KeysReport | None, long: str, short: str
) -> None:
    assert left_words(report, 0.0) == long
    assert left_words(report, 0.0, short=True) == short


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("", "paste the block here; it is not shown"),
        (" \n\n", "paste the block here; it is not shown"),
        (BLOCK, "4 lines, complete"),
        (BLOCK[: BLOCK.index("aws_session")], "3 lines; what was pasted lacks aws_session_token"),
        ("x", "1 line; what was pasted lacks aws_access_key_id, aws_secret_access_key"),
        ("x" * 100_000, "100,000 characters: that is no block of credentials"),
    ],
)
def test_of_a_paste_only_its_size_is_told_and_what_is_missing(held: str, said: str) -> None:
    assert paste_words(held) == (said, said.endswith("complete"))
