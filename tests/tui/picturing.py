"""Pictures of the screen, as text for comparison and as SVG for the README.

    LABCTL_UPDATE_SNAPSHOTS=1 .venv/bin/pytest -n0 tests/tui/test_snapshots.py

writes them anew; look at what changed before committing it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from labctl.tui.replay import AT_ONCE, Player, read_events
from labctl.tui.screens.replay import ReplayApp
from tests.tui import recorded

UPDATE = os.environ.get("LABCTL_UPDATE_SNAPSHOTS", "") not in ("", "0")
_DEADLINE_S = 30.0
_EQUAL = 4  # times that it looks the same, over more than two drawings: then it is settled
_FOREIGN_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)  # no picture asks another server


@contextmanager
def fixed_zone() -> Iterator[None]:
    """Let clocks read as in Greenwich."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


@asynccontextmanager
async def played(
    folder: Path,
    history: recorded.History,
    *,
    size: tuple[int, int],
    panels: Sequence[str] = (),
) -> AsyncIterator[Pilot[str]]:
    """Show a history to its end, through the file and the replay."""
    file = recorded.write(folder / "numbers.jsonl", history)
    events = read_events(file) if history else iter(())
    app = ReplayApp(file, Player(events, speed=AT_ONCE), panels=panels)
    with fixed_zone():
        async with app.run_test(size=size) as pilot:
            await settled(pilot, "replay ended")
            yield pilot


async def settled(pilot: Pilot[str], wanted: str) -> str:
    """Return the screen's text once it holds what is wanted and changes no more."""
    deadline = time.monotonic() + _DEADLINE_S
    seen = [text_of(pilot)]
    while wanted not in seen[-1] or len(seen) < _EQUAL or len(set(seen[-_EQUAL:])) > 1:
        assert time.monotonic() < deadline, seen[-1]
        await pilot.pause(0.1)
        seen.append(text_of(pilot))
    return seen[-1]


def text_of(pilot: Pilot[Any]) -> str:
    """Return the rows of the screen but the last, which has the keys, without trailing blanks."""
    # Textual has no public way to the text of a screen; its version is locked.
    strips = pilot.app.screen._compositor.render_strips()
    return "".join(f"{strip.text.rstrip()}\n" for strip in strips[:-1])


def svg_of(pilot: Pilot[str]) -> str:
    """Return a picture that loads nothing from anywhere."""
    return _FOREIGN_FONTS.sub("", pilot.app.export_screenshot(title="labctl", simplify=True))


def compare(found: str, snapshot: Path) -> None:
    """Hold a text against the committed one, or write it."""
    if UPDATE:
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(found, encoding="utf-8")
    assert snapshot.exists(), f"{snapshot.name} is missing; LABCTL_UPDATE_SNAPSHOTS=1 writes it"
    committed = snapshot.read_text(encoding="utf-8")
    changes = unified_diff(committed.splitlines(), found.splitlines(), "committed", "now")
    assert found == committed, "\n".join(changes)
