"""Machine samples on the real local cloud: what runs, what it says, and what is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.engine.bus import Sink
from labctl.engine.choices import Choices
from labctl.session import Session
from labctl.tui.panels.machines import MachinesPanel
from labctl.tui.watch import Watch
from tests.cloud.running import wait_for
from tests.tui.panel_host import LABS, SMALL, PanelApp, lab_named, until


def facade(*, cancelled: threading.Event | None = None, sinks: Sequence[Sink] = ()) -> Session:
    path = str(LABS / "numbers" / "lab.yaml")
    return Session(path, Choices(), cancelled=cancelled, sinks=sinks)


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """The numbers lab on a cloud of its own."""
    monkeypatch.setenv("LABCTL_STATE", str(tmp_path))
    session = facade()
    try:
        session.up()
        yield session
    finally:
        session.close()
        launch.stop(tmp_path)


async def test_the_screen_shows_how_the_machines_do(up: Session) -> None:
    (sample,) = up.machine_samples()
    assert (sample.machine, sample.why, dict(sample.services)) == (
        "worker.0",
        "",
        {"numbers": "active"},
    )
    assert sample.pids[0] > 0
    assert sample.memory_bytes > 2**20
    assert 0 < sample.cpu_s < 60
    assert any("ready" in line for line in sample.log)
    assert "MachineSampled" not in up.folder.events_file.read_text()

    running, watch = PanelApp(MachinesPanel(), lab_named("numbers")), Watch(facade)
    watch.start()
    async with running.run_test(size=SMALL) as pilot:

        def is_shown() -> bool:
            for at, event in watch.take():
                running.tell(event, at=at)
            return all(text in running.seen() for text in ("worker.0", "ready", "MiB", " %"))

        await until(pilot, is_shown, deadline_s=60)
    watch.stop()
    assert watch.trouble == ""


def test_a_machine_that_is_gone_is_told_as_such(up: Session) -> None:
    (sample,) = up.machine_samples()
    up.target.client("ec2").terminate_instances(InstanceIds=[sample.id])
    (gone,) = wait_for(lambda: [each for each in up.machine_samples() if each.why] or None)
    assert (gone.machine, gone.id) == ("worker.0", sample.id)
