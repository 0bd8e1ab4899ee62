"""labctl as a `credential_process`: a student's own programs get keys anew while they run."""

from __future__ import annotations

import datetime
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from labctl.ledger.sessions import SessionRecord
from labctl.paths import state_folder, write_private
from labctl.targets.base import Target

# A program asks for keys again when they end, and these minutes after it got some: new ones that
# came early, or an end that nobody knew, must not surprise it. (boto3 asks 15 minutes before.)
_ASKED_AGAIN_S = 16 * 60.0
_PROFILE, _FILE = "labctl", "labctl-aws-config"
_REPLACED = ("AWS_CONFIG_FILE", "AWS_PROFILE")


def process_answer(target: Target) -> dict[str, Any]:
    """Return the present keys in the form that an AWS SDK expects of a `credential_process`.

    Waits for others when they are over, as long as the target's calls do.
    """
    keys = target.keys_now()
    answer: dict[str, Any] = {
        "Version": 1,
        "AccessKeyId": keys.access_key,
        "SecretAccessKey": keys.secret_key,
    }
    if keys.token:
        ends_at = time.time() + _ASKED_AGAIN_S
        ends_at = min(ends_at, keys.ends_at) if keys.ends_at is not None else ends_at
        moment = datetime.datetime.fromtimestamp(ends_at, datetime.UTC)
        answer |= {"SessionToken": keys.token, "Expiration": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    return answer


def process_config(record: SessionRecord, folder: Path) -> dict[str, str]:
    """Write an AWS configuration that asks labctl for keys; return the variables that use it."""
    command = shlex.join(
        [
            *("env", f"LABCTL_STATE={state_folder()}"),
            *(sys.executable, "-m", "labctl", "creds", "process", "--target", record.target),
            *(("--profile", record.profile) if record.profile else ()),
        ]
    )
    file = folder / _FILE
    text = f"[profile {_PROFILE}]\nregion = {record.region}\ncredential_process = {command}\n"
    write_private(file, text)
    kept = {
        f"LABCTL_{name}": os.environ[name] for name in _REPLACED if os.environ.get(name, "") != ""
    }
    return {"AWS_CONFIG_FILE": str(file), "AWS_PROFILE": _PROFILE, **kept}


def leave_own_process() -> None:
    """Undo, for labctl itself, what `process_config` set: it would ask itself for keys."""
    if Path(os.environ.get("AWS_CONFIG_FILE", "")).name != _FILE:
        return
    for name in _REPLACED:
        os.environ.pop(name, None)
        if f"LABCTL_{name}" in os.environ:
            os.environ[name] = os.environ[f"LABCTL_{name}"]
