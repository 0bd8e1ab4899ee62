"""A job of the images lab on the real local cloud: its picture before and after, in half blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.engine.choices import Choices
from labctl.session import Session
from labctl.tui.panels.jobs import JobsPanel
from tests.tui.panel_host import LABS, SMALL, PanelApp, lab_named, until_seen


@pytest.fixture
def processed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """The images lab after one job."""
    monkeypatch.setenv("LABCTL_STATE", str(tmp_path))
    session = Session(str(LABS / "images" / "lab.yaml"), Choices(settings={"jobs": "1"}))
    try:
        assert session.run().jobs["done"] == 1
        yield session
    finally:
        session.close()
        launch.stop(tmp_path)


async def test_a_picture_is_shown_before_and_after(processed: Session) -> None:
    running = PanelApp(JobsPanel(), lab_named("images"))
    async with running.run_test(size=SMALL) as pilot:
        await until_seen(pilot, "1 sent, 1 done")
        await pilot.press("enter")
        await until_seen(pilot, "before and after", deadline_s=60)
        await pilot.press("end")
        await until_seen(pilot, "\u2580" * 20)
