"""The real command, in a folder and a state folder of its own, with a cloud of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_S = 180


@dataclass(frozen=True)
class Labctl:
    """Runs `labctl` as a student does; `state` holds all that it keeps."""

    state: Path
    folder: Path
    python: Path = Path(sys.executable)

    @property
    def environment(self) -> dict[str, str]:
        """What the command sees: nothing of the person who runs the tests but PATH and HOME."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LABCTL_STATE": str(self.state),
            "LANG": "C.UTF-8",
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(self.python.with_name("labctl")), *arguments]

    def __call__(
        self, *arguments: str, stdin: str = "", ok: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=TIMEOUT_S,
        )
        if ok:
            assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command and return it while it runs, its output on a pipe."""
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment,
        )

    def json(self, *arguments: str, ok: bool = True) -> list[dict[str, Any]]:
        """Run with --json and return what was printed, every line of it."""
        done = self(*arguments, "--json", ok=ok)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def exports(self, lab: str) -> dict[str, str]:
        """Return what `labctl env` gives to a student's program."""
        found: dict[str, str] = json.loads(self("env", lab, "--json").stdout)
        return found


@pytest.fixture
def labctl(tmp_path: Path) -> Iterator[Labctl]:
    """The command with an empty state; its cloud is stopped at the end."""
    folder = tmp_path / "home"
    folder.mkdir()
    runner = Labctl(state=tmp_path / "state", folder=folder)
    yield runner
    runner("cloud", "stop", ok=False)
