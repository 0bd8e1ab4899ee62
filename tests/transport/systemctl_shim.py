"""A systemctl for tests: starts and stops what units below $LABCTL_ROOT say, and keeps a diary.

It knows a service as `active`, `failed` (ended with another status than 0) or `inactive`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(os.environ["LABCTL_ROOT"])
_WATCHER = """
import os, subprocess, sys
from pathlib import Path
state, *command = sys.argv[1:]
status = subprocess.run(command).returncode
Path(state).write_text("inactive" if status == 0 else "failed")
"""


def main(verb: str, words: list[str]) -> int:
    with (ROOT / "run" / "diary").open("a") as diary:
        diary.write(" ".join([verb, *words]) + "\n")
    if verb == "daemon-reload" or (verb == "restart" and words[0] in ("ssh", "sshd")):
        return int((ROOT / "run" / "ssh-is-broken").exists())
    name = words[0].removesuffix(".service")
    unit = ROOT / "etc/systemd/system" / f"{name}.service"
    if verb == "show":
        known = {"ActiveState": _state(name), "NRestarts": "0", "MainPID": str(_pid(name) or 0)}
        asked = [word for before, word in zip(words, words[1:], strict=False) if before == "-p"]
        for key in asked:
            sys.stdout.write(("" if "--value" in words else f"{key}=") + known[key] + "\n")
        return 0
    if verb == "kill":
        number = signal.Signals[f"SIG{words[0].removeprefix('--signal=')}"]
        if pid := _pid(words[1].removesuffix(".service")):
            os.killpg(pid, number)
        return 0 if pid else 1
    if verb == "is-active":
        sys.stdout.write(_state(name) + "\n")
        return 0 if _state(name) == "active" else 3
    if not unit.exists():
        return 5
    if verb in ("stop", "disable"):
        _stop(name)
    elif verb == "start":
        _start(name, unit.read_text())
    return 0


def _pid(name: str) -> int | None:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pid = int((ROOT / "run" / f"{name}.pid").read_text())
        os.kill(pid, 0)
        return pid
    return None


def _state(name: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        return (ROOT / "run" / f"{name}.state").read_text()
    return "active" if _pid(name) else "inactive"


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def _stop(name: str) -> None:
    if pid := _pid(name):
        os.killpg(pid, signal.SIGKILL)
        ends = time.monotonic() + 10
        pause = threading.Event()
        while _lives(pid) and time.monotonic() < ends:
            pause.wait(0.01)
    (ROOT / "run" / f"{name}.pid").unlink(missing_ok=True)
    (ROOT / "run" / f"{name}.state").unlink(missing_ok=True)


def _start(name: str, unit: str) -> None:
    pairs = [line.split("=", 1) for line in unit.splitlines() if "=" in line]
    one = {key: value.replace("%%", "%") for key, value in pairs}
    command = [word.replace("$$", "$") for word in shlex.split(one["ExecStart"])]
    given = [shlex.split(v.replace("%%", "%"))[0] for key, v in pairs if key == "Environment"]
    state = ROOT / "run" / f"{name}.state"
    with Path(one["StandardOutput"].removeprefix("append:")).open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-c", _WATCHER, str(state), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=one["WorkingDirectory"],
            env={**os.environ, **dict(entry.split("=", 1) for entry in given)},
            start_new_session=True,
        )
    (ROOT / "run" / f"{name}.pid").write_text(str(started.pid))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
