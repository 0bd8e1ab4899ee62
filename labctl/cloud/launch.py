"""Starts, finds, stops and resets the embedded cloud of a state folder, safe among several."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labctl.cloud.layout import (
    MARK,
    CloudInfo,
    Layout,
    Reached,
    read_info,
    read_place,
)
from labctl.cloud.leftovers import clear_leftovers
from labctl.cloud.processes import alive, send_signal
from labctl.cloud.programs import command_of
from labctl.errors import TargetError
from labctl.paths import private_folder
from labctl.text import harmless, keep_secret

Progress = Callable[[str], None]

_START_S = 90.0
_STOP_S = 45.0
_FRESH_S = 10.0  # a heartbeat older than this is no sign of life
_REVIVE_S = 5.0  # after a laptop's sleep the daemon needs a moment, too
_OTHERS_S = 120.0
# Before anything is imported: the one forked off is nobody's child, so nobody has to reap it.
_FORK_AWAY = "import os; os.fork() and os._exit(0); os.setsid(); "
_STANDARD_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class CloudStatus:
    """How the embedded cloud fares."""

    info: CloudInfo
    healthy: bool
    uptime_s: float
    instances: tuple[Reached, ...]  # those that can be reached by SSH now


def ensure_started(
    state: Path,
    *,
    port: int | None = None,
    tier: str = "",
    progress: Progress = lambda message: None,
) -> CloudInfo:
    """Return the running cloud of a state folder, started if it is not up.

    A port and a tier ("net", "plain", or "" for the best) are only taken at a start; others than
    the running one's are an error. Raises `TargetError` when the cloud does not start.
    """
    layout = Layout.of(state)
    info = _running(layout)
    if info is None:
        with start_lock(layout, progress):
            info = _running(layout) or _start(layout, port, tier, progress)
    keep_secret(info.secret_key)
    if port is not None and info.endpoint != f"http://127.0.0.1:{port}":
        raise TargetError(
            f"the local cloud runs already, at {info.endpoint}", "stop it first: labctl cloud stop"
        )
    if tier and info.tier != tier:
        raise TargetError(
            f"the local cloud runs already, with the tier '{info.tier}'",
            "stop it first: labctl cloud stop",
        )
    return info


def running(state: Path) -> CloudInfo | None:
    """Return the cloud of a state folder when it is up and well; starts nothing."""
    info = _running(Layout.of(state))
    if info is not None:
        keep_secret(info.secret_key)
    return info


def status(state: Path) -> CloudStatus | None:
    """Return how the cloud of a state folder fares; None when it does not run."""
    layout = Layout.of(state)
    info = read_info(layout) if _daemon(layout) else None
    if info is None:
        return None
    keep_secret(info.secret_key)
    names = sorted(path.stem for path in layout.places.glob("i-*.json"))
    places = (read_place(layout, name) for name in names)
    return CloudStatus(
        info=info,
        healthy=_age_s(layout) < _FRESH_S and _answers(info),
        uptime_s=max(0.0, time.time() - info.started),
        instances=tuple(place for place in places if place is not None),
    )


def stop(state: Path, *, progress: Progress = lambda message: None) -> bool:
    """Stop the cloud: instances and emulator are gone afterwards, what they keep stays.

    Returns whether anything ran. Raises `TargetError` naming what does not end.
    """
    layout = Layout.of(state)
    if not layout.folder.exists():
        return False
    with start_lock(layout, progress):
        return _stop(layout)


def reset(state: Path, *, progress: Progress = lambda message: None) -> None:
    """Stop the cloud and delete everything in it: queues, objects, instances, keys."""
    layout = Layout.of(state)
    if not layout.folder.exists():
        return
    with start_lock(layout, progress):
        _stop(layout)
        _delete(layout.folder)


def _delete(folder: Path) -> None:
    for path, folders, _ in os.walk(folder):
        for name in folders:
            inner = Path(path, name)
            if not inner.is_symlink():
                inner.chmod(0o700)  # a student may have closed a folder to themselves
    shutil.rmtree(folder)


def _running(layout: Layout) -> CloudInfo | None:
    """Return the cloud when it is up and well; waits a little for one that seems to come round."""
    if _daemon(layout) is None:
        return None
    ends = time.monotonic() + _REVIVE_S
    while True:
        info = read_info(layout)
        if info is not None and _age_s(layout) < _FRESH_S and _answers(info):
            return info
        if time.monotonic() > ends or _daemon(layout) is None:
            return None
        time.sleep(0.05)


def _daemon(layout: Layout) -> int | None:
    """Return the process id of the daemon that holds the lock; None when nobody does."""
    try:
        fd = os.open(layout.daemon_lock, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        written = os.read(fd, 32)
        pid = int(written) if written.isdigit() else 0
        # A killed one holds its lock until its last thread is gone.
        return pid if pid == 0 or alive(pid) else None
    finally:
        os.close(fd)
    return None


def _age_s(layout: Layout) -> float:
    try:
        return abs(time.time() - layout.heartbeat.stat().st_mtime)
    except OSError:
        return float("inf")


def _answers(info: CloudInfo) -> bool:
    port = int(info.endpoint.rsplit(":", 1)[1])
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


@contextmanager
def start_lock(layout: Layout, progress: Progress = lambda message: None) -> Iterator[None]:
    """Hold the right to start or stop; freed by the kernel when its holder dies."""
    try:
        private_folder(layout.folder.parent)
        fd = os.open(layout.start_lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise TargetError(
            f"the state folder cannot be used: {error}", "set LABCTL_STATE to a folder of yours"
        ) from error
    ends = time.monotonic() + _OTHERS_S
    waited = False
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    progress("another labctl starts or stops the local cloud: waiting")
                waited = True
            if time.monotonic() > ends:
                raise TargetError(
                    "another labctl has been starting or stopping the local cloud for too long",
                    "end it, then run the command again",
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(fd)


def _start(layout: Layout, port: int | None, tier: str, progress: Progress) -> CloudInfo:
    progress("starting the local cloud")
    if _daemon(layout) is not None:
        progress("the local cloud does not answer: starting it anew")
        _stop(layout)
    layout.make()
    answer = _spawn(layout, port or 0, tier)
    if "error" in answer:
        clear_leftovers(layout)  # it is about to end
        raise TargetError(answer["error"], answer["hint"])
    info = read_info(layout)
    if info is None:
        raise _no_start(layout)
    progress(f"the local cloud is up at {info.endpoint}")
    return info


def _spawn(layout: Layout, port: int, tier: str) -> dict[str, str]:
    """Start a daemon and return what it reports once it is ready or has failed."""
    reader, writer = os.pipe()
    log = os.open(layout.daemon_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.set_inheritable(writer, True)
    environment = {MARK: layout.mark, "LANG": "C.UTF-8", "HOME": str(layout.home)}
    environment["PATH"] = os.environ.get("PATH", _STANDARD_PATH)
    try:
        command = command_of("labctl.cloud.daemon", _FORK_AWAY)
        _detached([*command, str(layout.folder), str(port), tier, str(writer)], environment, log)
        os.close(writer)
        ready, _, _ = select.select([reader], [], [], _START_S)
        said = os.read(reader, 2**16) if ready else b""
    finally:
        os.close(reader)
        os.close(log)
    if not said:
        _stop(layout)
        raise _no_start(layout)
    answer: dict[str, str] = json.loads(said)
    return answer


def _detached(argv: list[str], environment: dict[str, str], log: int) -> None:
    """Run a program that forks itself away at once, with nothing of this process but its log."""
    pid = os.posix_spawn(
        argv[0],
        argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ],
    )
    os.waitpid(pid, 0)


def _no_start(layout: Layout) -> TargetError:
    try:
        lines = layout.daemon_log.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    last = harmless(lines[-1], limit=200) if lines else "it said nothing"
    return TargetError(
        f"the local cloud does not start: {last}", f"read its log: {layout.daemon_log}"
    )


def _stop(layout: Layout) -> bool:
    """Stop daemon and leftovers, by force where they do not end on their own."""
    daemon = _daemon(layout)
    if daemon:
        for number in (signal.SIGTERM, signal.SIGCONT):  # one that was stopped has to go on
            send_signal([daemon], number)
        ends = time.monotonic() + _STOP_S
        while _daemon(layout) is not None and time.monotonic() < ends:
            time.sleep(0.01)
        if _daemon(layout) is not None:
            send_signal([daemon], signal.SIGKILL)
    left = clear_leftovers(layout)
    if left:
        raise TargetError(
            f"processes of the local cloud do not end: {', '.join(map(str, sorted(left)))}",
            "end them, then run the command again",
        )
    for stale in (layout.info, *layout.places.glob("*")):
        stale.unlink(missing_ok=True)
    return daemon is not None
