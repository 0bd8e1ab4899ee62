"""Where the embedded cloud of one state folder keeps its files, and what it remembers."""

from __future__ import annotations

import json
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labctl.paths import private_folder, write_private

REGION = "us-east-1"
# Every process of the cloud carries it, so that what a crash left behind is found again.
MARK = "LABCTL_CLOUD"
_KEY_LETTERS = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class Layout:
    """The files of the embedded cloud under one state folder."""

    folder: Path

    @classmethod
    def of(cls, state: Path) -> Layout:
        """Return the layout under a state folder."""
        return cls(state.resolve() / "cloud")

    @property
    def settings(self) -> Path:
        """Port, keys and addresses; kept from start to start (0600)."""
        return self.folder / "settings.json"

    @property
    def info(self) -> Path:
        """What runs now; gone after a stop."""
        return self.folder / "running.json"

    @property
    def heartbeat(self) -> Path:
        """Touched every second while daemon and emulator are well."""
        return self.folder / "heartbeat"

    @property
    def daemon_lock(self) -> Path:
        """Held by the daemon for its whole life; contains its process id."""
        return self.folder / "daemon.lock"

    @property
    def start_lock(self) -> Path:
        """Held while somebody starts, stops or resets the cloud."""
        return self.folder.parent / "cloud.lock"

    @property
    def daemon_log(self) -> Path:
        """What the daemon and the instance host report."""
        return self.folder / "daemon.log"

    @property
    def emulator_log(self) -> Path:
        """What the emulator prints."""
        return self.folder / "emulator.log"

    @property
    def saved(self) -> Path:
        """The emulator's saved state."""
        return self.folder / "saved"

    @property
    def objects(self) -> Path:
        """The emulator's S3 objects."""
        return self.folder / "objects"

    @property
    def home(self) -> Path:
        """The emulator's home folder."""
        return self.folder / "home"

    @property
    def instances(self) -> Path:
        """One folder per instance: its disk."""
        return self.folder / "instances"

    @property
    def programs(self) -> Path:
        """The commands that instances with a root of their own find first."""
        return self.folder / "programs"

    @property
    def trial(self) -> Path:
        """The disk of the instance by which it is tried what this system lets us do."""
        return self.folder / "trial"

    @property
    def fetched(self) -> Path:
        """Packages of the system that labctl unpacked for its instances."""
        return self.folder.parent / "programs"

    @property
    def prepared(self) -> Path:
        """What is prepared once for all instances of this cloud, which copy it."""
        return self.folder / "prepared"

    @property
    def places(self) -> Path:
        """One file per instance that can be reached by SSH now."""
        return self.folder / "places"

    @property
    def session_file(self) -> Path:
        """In session mode the keys that labctl itself uses: an AWS credentials file (0600)."""
        return self.folder / "session-credentials"

    @property
    def session_era(self) -> Path:
        """Names the present era of session keys; a new name ends all earlier keys."""
        return self.folder / "session-era"

    @property
    def last_session(self) -> Path:
        """Era and end of the session keys that were issued last."""
        return self.folder / "last-session.json"

    def make(self) -> None:
        """Make the folders, all private."""
        for folder in (self.folder, self.saved, self.objects, self.home):
            private_folder(folder)
        for folder in (self.instances, self.places):
            private_folder(folder)

    @property
    def mark(self) -> str:
        """The value of `MARK` in this cloud's processes; the slash keeps like names apart."""
        return f"{self.folder}/"

    def marks(self) -> list[str]:
        """Return what the environment of the cloud's own processes starts with."""
        return [f"{MARK}={self.mark}", f"LABCTL_ROOT={self.instances}/"]


@dataclass(frozen=True)
class Settings:
    """What stays the same from one start of the cloud to the next."""

    access_key: str
    secret_key: str
    network: str  # the first 20 bits are this cloud's loopback addresses: "127.88.16.0"
    port: int  # 0 until the first start found one
    session_ttl_s: float | None = None  # session mode: how long issued keys live
    tier: str = ""  # of its instances, as it was started last


@dataclass(frozen=True)
class CloudInfo:
    """A running embedded cloud."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str
    daemon_pid: int
    emulator_pid: int
    tier: str  # how instances are separated: "net" or "plain"
    tier_reason: str
    network: str  # where the instances' addresses lie: "127.88.16.0/20", or "127.0.0.1/32"
    started: float  # unix seconds
    daemon_log: Path
    emulator_log: Path
    session_ttl_s: float | None = None  # in session mode: how long issued keys live
    cannot: Mapping[str, str] = field(default_factory=dict)  # as `Tier.cannot`

    def __repr__(self) -> str:
        return f"CloudInfo(endpoint={self.endpoint!r}, daemon_pid={self.daemon_pid})"


@dataclass(frozen=True)
class Reached:
    """Where an instance's SSH server listens, as the instance host published it."""

    instance: str
    address: str
    port: int
    user: str
    host_keys: tuple[str, ...]


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file; None when there is no (readable) one."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def remembered_settings(layout: Layout) -> Settings:
    """Return the settings of this cloud, made up at random the first time."""
    content = read_json(layout.settings)
    if content is not None:
        return Settings(**content)
    block = zlib.crc32(str(layout.folder).encode())
    return Settings(
        access_key="AKIA" + "".join(secrets.choice(_KEY_LETTERS) for _ in range(16)),
        secret_key=secrets.token_urlsafe(30),
        # Spread by folder, so that clouds side by side rarely meet; never 127.0.x.x.
        network=f"127.{16 + block % 224}.{(block >> 8) % 16 * 16}.0",
        port=0,
    )


def save_settings(layout: Layout, settings: Settings) -> None:
    """Keep the settings for the next start."""
    write_private(layout.settings, json.dumps(asdict(settings), indent=1))


def publish_info(layout: Layout, info: CloudInfo) -> None:
    """Tell every labctl what runs; the keys stay in the settings file."""
    content = asdict(info) | {"daemon_log": None, "emulator_log": None}
    content |= {"access_key": None, "secret_key": None}
    write_private(layout.info, json.dumps(content))


def read_info(layout: Layout) -> CloudInfo | None:
    """Return what was published last; None when nothing is."""
    content = read_json(layout.info)
    settings = read_json(layout.settings)
    if content is None or settings is None:
        return None
    content |= {"access_key": settings["access_key"], "secret_key": settings["secret_key"]}
    # Not what was published at the start: session mode comes and goes while the cloud runs.
    content |= {"session_ttl_s": settings.get("session_ttl_s")}
    content |= {"daemon_log": layout.daemon_log, "emulator_log": layout.emulator_log}
    return CloudInfo(**content)


def publish_place(layout: Layout, place: Reached) -> None:
    """Tell every labctl where an instance is reached."""
    path = layout.places / f"{place.instance}.json"
    scratch = path.with_suffix(".new")  # one writer, and a crash makes it all anew: no fsync
    scratch.write_text(json.dumps(asdict(place)))
    scratch.replace(path)


def read_place(layout: Layout, instance: str) -> Reached | None:
    """Return where an instance is reached; None while it is not."""
    content = read_json(layout.places / f"{instance}.json")
    if content is None:
        return None
    return Reached(**(content | {"host_keys": tuple(content["host_keys"])}))
