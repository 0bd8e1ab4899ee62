"""Session mode: the embedded cloud gives out keys that expire, as an AWS Academy lab does."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.cloud.launch import start_lock
from labctl.cloud.layout import (
    Layout,
    Settings,
    read_json,
    remembered_settings,
    save_settings,
)
from labctl.cloud.session_keys import Keyring, SessionKeys, begin_era, read_era
from labctl.errors import TargetError
from labctl.paths import write_private

LONGEST_TTL_S = 12 * 3600.0


@dataclass(frozen=True)
class SessionMode:
    """How session mode stands; times are unix seconds."""

    ttl_s: float
    expires_at: float  # of the keys that were issued last
    ended: bool  # somebody ended them before their time


def set_session_ttl(state: Path, ttl_s: float | None) -> None:
    """Begin session mode, with first keys in the cloud's session file; None ends it.

    Takes effect at once, also on a running cloud. Keys issued before live on until their time:
    who uses them is not cut off by the end of the mode.
    """
    layout = Layout.of(state)
    with start_lock(layout):
        layout.make()  # the mode may be chosen before the first start
        save_settings(layout, replace(remembered_settings(layout), session_ttl_s=ttl_s))
    if ttl_s is None:
        layout.session_file.unlink(missing_ok=True)
    else:
        write_private(layout.session_file, issue_session(state).block())


def issue_session(state: Path) -> SessionKeys:
    """Return fresh keys of this cloud, saved nowhere; `TargetError` outside session mode."""
    layout = Layout.of(state)
    settings, ttl_s = _in_session_mode(layout)
    era = read_era(layout.session_era)
    keys = Keyring(settings.secret_key).issue(expires_at=time.time() + ttl_s, era=era)
    issued = {"era": era.hex(), "expires_at": keys.expires_at}
    write_private(layout.last_session, json.dumps(issued))
    return keys


def end_sessions(state: Path) -> None:
    """End every session that this cloud has issued; `TargetError` outside session mode."""
    layout = Layout.of(state)
    _in_session_mode(layout)
    begin_era(layout.session_era)


def session_mode(state: Path) -> SessionMode | None:
    """Return how session mode stands; None when it is off."""
    layout = Layout.of(state)
    settings = _settings(layout)
    issued = read_json(layout.last_session)
    if settings is None or settings.session_ttl_s is None or issued is None:
        return None
    ended = issued["era"] != read_era(layout.session_era).hex()
    return SessionMode(settings.session_ttl_s, issued["expires_at"], ended)


def _in_session_mode(layout: Layout) -> tuple[Settings, float]:
    settings = _settings(layout)
    if settings is None or settings.session_ttl_s is None:
        raise TargetError(
            "the local cloud is not in session mode: its keys do not expire",
            "labctl cloud start --session-ttl 3h begins it",
        )
    return settings, settings.session_ttl_s


def _settings(layout: Layout) -> Settings | None:
    return remembered_settings(layout) if layout.settings.exists() else None
