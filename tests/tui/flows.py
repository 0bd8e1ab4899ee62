"""A screen in the hands of a test: its own state, labs that need no target, and waiting."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList
from textual.pilot import Pilot

from labctl.engine.choices import Choices
from labctl.events import Event, as_record
from labctl.ledger.sessions import SessionRecord, session_folder
from labctl.tui.app import LabctlApp
from labctl.tui.screens.lab import LabScreen

NOWHERE = "http://127.0.0.1:9"  # nobody listens on the discard port

LAB = """\
apiVersion: labctl/v1
name: {name}
title: {title}
course: {course}
limits: {{ttl: 1h, budget_usd: 2.50}}
params:
  workers: {{type: integer, default: 2, min: 1, max: 4}}
resources:
  inbox: {{kind: sqs.queue, dead_letter: {{to: dead, after: 3}}}}
  dead: {{kind: sqs.queue}}
  store: {{kind: s3.bucket}}
  worker:
    kind: ec2.instance
    count: "${{params.workers}}"
    type: t3.micro
    image: ubuntu-24.04
    ingress: [{{port: 22, from: me}}]
actions:
  upload: {{kind: objects.upload, say: Put files into the bucket., bucket: store}}
"""


class Screen:
    """What a test does to an app: press, wait, read."""

    def __init__(self, pilot: Pilot[str]) -> None:
        self.pilot = pilot
        assert isinstance(pilot.app, LabctlApp)
        self.app: LabctlApp = pilot.app

    @property
    def lab(self) -> LabScreen:
        screen = next(each for each in self.app.screen_stack if isinstance(each, LabScreen))
        assert isinstance(screen, LabScreen)
        return screen

    @property
    def shown(self) -> str:
        """The text of what is on the screen."""
        return "\n".join(
            "".join(segment.text for segment in strip)
            for strip in self.app.screen._compositor.render_strips()
        )

    @property
    def told(self) -> list[str]:
        """What the notifications say."""
        return [note.message for note in self.app._notifications]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, holds: Callable[[], object], within_s: float = 30.0) -> None:
        """Wait for something, with a deadline."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, f"not in time; on the screen:\n{self.shown}"
            await self.pilot.pause(0.02)

    async def until_shown(self, text: str) -> None:
        await self.until(lambda: text in self.shown)

    async def until_told(self, text: str) -> None:
        await self.until(lambda: any(text in note for note in self.told))

    async def until_screen(self, name: str) -> None:
        await self.until(lambda: type(self.app.screen).__name__ == name)

    async def until_one_command(self) -> None:
        """Wait until the palette lists one command: at first it lists what fits nothing typed."""
        found = self.app.screen.query_one(CommandList)
        await self.until(lambda: found.option_count == 1 and found.highlighted == 0)


async def begun(pilot: Pilot[str]) -> Screen:
    """Return the screen once it shows more than the first frame."""
    screen = Screen(pilot)
    await screen.until(lambda: len(screen.app.screen_stack) > 1 and screen.app.screen.is_mounted)
    await pilot.pause()
    return screen


class House:
    """A folder with labs and a state of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self._entries: list[dict[str, str]] = []

    def add_lab(
        self, name: str, *, title: str = "A lab", course: str = "course", readme: str = ""
    ) -> Path:
        home = self.folder / name
        home.mkdir(parents=True)
        file = home / "lab.yaml"
        file.write_text(LAB.format(name=name, title=title, course=course))
        if readme:
            (home / "README.md").write_text(readme)
        self._entries.append({"path": name, "title": title, "course": course})
        labs = {"apiVersion": "labctl/v1", "labs": self._entries}
        self.catalogue.write_text(json.dumps(labs))
        return file

    @property
    def catalogue(self) -> Path:
        return self.folder / "labs.yaml"

    @property
    def choices(self) -> Choices:
        return Choices(catalogue_file=self.catalogue)

    def add_session(self, name: str, file: Path, *events: Event, **other: Any) -> SessionRecord:  # noqa: ANN401 - fields
        """Leave behind what another labctl would: a record and an events file."""
        now = time.time()
        record = SessionRecord(
            **{
                "name": name,
                "id": "abcdefgh",
                "lab": file.parent.name,
                "lab_file": str(file.resolve()),
                "target": NOWHERE,
                "region": "us-east-1",
                "profile": "",
                "account": "",
                "owner": "me",
                "settings": {},
                "plain_names": False,
                "created_at": now - 3600,
                "expires_at": now + 1800,
                **other,
            }
        )
        folder = session_folder(self.state, name)
        folder.write(record)
        lines = [json.dumps({"at": now, **as_record(event)}, default=str) for event in events]
        folder.events_file.write_text("".join(f"{line}\n" for line in lines))
        assert json.loads(json.dumps(asdict(record))), "a record is plain data"
        return record


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Labs and a state of a test's own; it works in that folder."""
    monkeypatch.setenv("LABCTL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.chdir(tmp_path)
    return House(tmp_path)
