"""The sessions this machine knows: one folder each, with its record, journal, keys and results."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from labctl.errors import UsageError
from labctl.paths import private_folder, write_private

# With the target of the session after an @; it becomes a folder and stands in tables.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")
_ID_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that a reader mistakes for another


def new_session_id() -> str:
    """Return a random session id of 8 characters, fit for names of resources."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(8))


@dataclass(frozen=True)
class SessionRecord:
    """What must be known to find a session's lab, target and resources again."""

    name: str
    id: str
    lab: str
    lab_file: str
    target: str  # local, aws or an endpoint's URL
    region: str
    profile: str
    account: str
    owner: str
    settings: Mapping[str, str]  # values given by --set
    plain_names: bool
    created_at: float  # unix seconds
    expires_at: float  # unix seconds: the end of its time to live


@dataclass(frozen=True)
class SessionFolder:
    """Where a session's files lie; the folder is 0700 and every file in it 0600."""

    path: Path

    @property
    def record_file(self) -> Path:
        return self.path / "session.json"

    @property
    def journal_file(self) -> Path:
        return self.path / "ledger.jsonl"

    @property
    def faults_file(self) -> Path:
        return self.path / "faults.jsonl"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def results_file(self) -> Path:
        return self.path / "results.sqlite3"

    @property
    def keys(self) -> Path:
        return private_folder(self.path / "keys")

    @property
    def secrets(self) -> Path:
        """The lab's secrets, one file each; there once the first was made."""
        return self.path / "secrets"

    def read(self) -> SessionRecord | None:
        """Return the record, or None when there is none that can be read."""
        try:
            return SessionRecord(**json.loads(self.record_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, record: SessionRecord) -> None:
        """Write the record, whole or not at all, synced to disk."""
        private_folder(self.path)
        write_private(self.record_file, json.dumps(asdict(record), indent=1) + "\n")

    def remove_resources(self) -> None:
        """Forget keys, secrets, journal and record after a proved teardown; the rest stays."""
        for file in (self.record_file, self.journal_file, self.faults_file):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.path / "keys", ignore_errors=True)
        shutil.rmtree(self.secrets, ignore_errors=True)


def session_folder(state: Path, name: str) -> SessionFolder:
    """Return the folder of a session by its name; it is there once a command has its lock."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name for a session", "use letters, digits and dashes")
    return SessionFolder(state / "sessions" / name)


def known_sessions(state: Path) -> list[SessionRecord]:
    """Return every session that has a record, by name."""
    folders = sorted((state / "sessions").glob("*/session.json"))
    records = [SessionFolder(file.parent).read() for file in folders]
    return [record for record in records if record is not None]
