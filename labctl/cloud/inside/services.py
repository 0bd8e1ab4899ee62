"""Runs an instance's services as systemd would: start, stop, restart on a crash, burst limit."""

from __future__ import annotations

import os
import re
import signal
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from labctl.cloud.inside.guest import Guest
from labctl.cloud.inside.ordering import starting_order
from labctl.cloud.inside.spawn import spawn
from labctl.cloud.inside.units import (
    Unit,
    UnitError,
    environment_file,
    expanded_command,
    read_unit,
)
from labctl.cloud.processes import descendants, environment_of, parents, send_signal

Done = Callable[[str], None]  # called with an error, or with "" when it went well
_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.@-]{1,200}")
_CLEAN_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
_QUICK_S = 10.0  # a run shorter than this makes the next pause longer
_LONGEST_PAUSE_S = 30.0
_POLL_S = 0.02  # how often a stopping service's processes are looked for


@dataclass
class Service:
    """One service and how it fares; times are monotonic seconds."""

    unit: Unit
    state: str = "inactive"  # activating, active, deactivating, inactive, failed
    result: str = "success"
    pid: int | None = None
    status: int = 0  # of the last main process: exit code, or 128 + signal
    restarts: int = 0
    wanted: bool = False
    started: float = 0.0
    quick_ends: int = 0
    starts: deque[float] = field(default_factory=deque)
    invocation: str = ""
    due: float | None = None  # when to restart, or to kill what does not stop
    stopping: bool = False
    waiters: list[Done] = field(default_factory=list)


class Services:
    """The services of one instance."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._units = guest.root / "etc/systemd/system"
        self._all: dict[str, Service] = {}

    def start_enabled(self) -> None:
        """Start what is enabled, as at boot."""
        links = sorted(self._units.glob("*.wants/*.service"))
        names = [link.name.removesuffix(".service") for link in links]
        with suppress(UnitError):  # one that cannot be started must not keep the others down
            names = starting_order(names, self.unit)
        for name in names:
            with suppress(UnitError):
                self.start(name, lambda error: None)

    def unit(self, name: str) -> Unit:
        """Return the unit as its file says now; raises `UnitError`."""
        if not _UNIT_NAME.fullmatch(name):
            raise UnitError(f"{name!r} is no unit name")
        path = self._units / f"{name}.service"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise UnitError(f"Unit {name}.service not found.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UnitError(f"{name}.service cannot be read: {error}") from error
        guest = self._guest
        specifiers = {"n": f"{name}.service", "N": name, "p": name, "u": guest.user}
        specifiers |= {"h": guest.home, "H": guest.instance, "i": "", "t": str(guest.root / "run")}
        return read_unit(name, text, root=guest.root, specifiers=specifiers)

    def known(self, name: str) -> Service:
        """Return a service, read afresh unless it runs; raises `UnitError`."""
        service = self._all.get(name)
        if service is None:
            service = self._all[name] = Service(self.unit(name))
        elif service.state in ("inactive", "failed"):
            service.unit = self.unit(name)
        return service

    def log_path(self, unit: Unit) -> Path:
        """Return the file that the service's standard output is appended to."""
        return Path(unit.stdout or self._guest.root / f"var/log/journal/{unit.name}.log")

    def start(self, name: str, done: Done) -> None:
        """Start a service and what it pulls in.

        `done` is told once the program runs, or why it does not. Raises `UnitError`.
        """
        for each in starting_order([name], self.unit):
            self._start_one(each, done if each == name else lambda error: None)

    def _start_one(self, name: str, done: Done) -> None:
        service = self.known(name)
        if service.state == "active":
            done("")
            return
        service.wanted, service.restarts, service.quick_ends = True, 0, 0
        if service.state == "deactivating":
            service.stopping = False
            service.waiters.append(done)
            return
        done(self._run(service))

    def stop(self, name: str, done: Done) -> None:
        """Stop a service and all its processes; `done` is told when the last is gone."""
        service = self.known(name)
        service.wanted = False
        if service.state in ("inactive", "failed"):
            service.state = "inactive"
            done("")
        elif service.pid is None and service.state == "activating":
            service.state, service.due = "inactive", None
            done("")
        else:
            service.waiters.append(done)
            self._begin_stop(service)

    def restart(self, name: str, done: Done) -> None:
        """Stop a service if it runs, then start it."""

        def stopped(error: str) -> None:
            try:
                self.start(name, done)
            except UnitError as failure:
                done(str(failure))

        self.unit(name)  # a broken file is refused before the running service is touched
        self.stop(name, stopped)

    def kill(self, name: str, number: int) -> None:
        """Send a signal to every process of a service; one that does not run has none."""
        service = self.known(name)
        reached: set[int] = set()
        while fresh := set(self._processes(service)) - reached:  # one may have forked meanwhile
            send_signal(fresh, number)
            reached |= fresh

    def ended(self, pid: int, status: int) -> bool:
        """Note that a process ended (exit code, or 128 + signal); False when it is no service."""
        for service in self._all.values():
            if service.pid == pid:
                self._main_ended(service, status)
                return True
        return False

    def next_due(self) -> float | None:
        """Return the monotonic time of the next thing to do."""
        times = [service.due for service in self._all.values() if service.due is not None]
        if any(service.state == "deactivating" for service in self._all.values()):
            times.append(time.monotonic() + _POLL_S)
        return min(times, default=None)

    def tick(self) -> None:
        """Do what is due: restarts, kills of what did not stop, ends of stops."""
        now = time.monotonic()
        for service in self._all.values():
            due = service.due is not None and service.due <= now
            if service.state == "activating" and due:
                service.restarts += 1
                self._run(service)
            elif service.state == "deactivating":
                if due:
                    service.due, service.result = None, "timeout"
                    send_signal(self._group(service), signal.SIGKILL)
                if service.pid is None and not self._group(service):
                    self._settle(service)

    def _run(self, service: Service) -> str:
        now = time.monotonic()
        unit = service.unit
        while service.starts and now - service.starts[0] > unit.start_limit_interval_s:
            service.starts.popleft()
        if unit.start_limit_burst and len(service.starts) >= unit.start_limit_burst:
            service.state, service.result, service.due = "failed", "start-limit-hit", None
            service.wanted = False
            self._note(service, "Start request repeated too quickly.")
            return f"{unit.name}.service: start request repeated too quickly"
        service.starts.append(now)
        service.started, service.due, service.stopping = now, None, False
        service.invocation = uuid.uuid4().hex
        self._note(service, f"Starting {unit.name}.service.")
        try:
            service.pid = self._spawn(service)
        except OSError as error:
            service.status, service.result = 203, "exit-code"
            self._note(service, f"Failed to execute: {error}")
            self._settle(service)
            return f"{unit.name}.service: failed to execute: {error}"
        service.state, service.result = "active", "success"
        return ""

    def _spawn(self, service: Service) -> int:
        unit = service.unit
        environment = {**self._guest.environment, "INVOCATION_ID": service.invocation}
        environment |= unit.environment
        for path in unit.environment_files:
            try:
                text = Path(path.removeprefix("-")).read_text(encoding="utf-8")
            except FileNotFoundError:
                if not path.startswith("-"):
                    raise
            else:
                environment |= environment_file(text)
        out = _open_log(self.log_path(unit))
        err = _open_log(Path(unit.stderr)) if unit.stderr else out
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            return spawn(
                expanded_command(unit.command, environment),
                environment=environment,
                directory=unit.working_directory.removeprefix("-") or "/",
                stdio=(nothing, out, err),
            )
        finally:
            for fd in {nothing, out, err}:
                os.close(fd)

    def _begin_stop(self, service: Service) -> None:
        if service.stopping:
            return
        service.state, service.stopping = "deactivating", True
        service.due = time.monotonic() + service.unit.stop_timeout_s
        main = [service.pid] if service.pid else []
        group = self._group(service) if service.unit.kill_mode == "control-group" else main
        send_signal(group, service.unit.kill_signal)
        send_signal(group, signal.SIGCONT)

    def _main_ended(self, service: Service, status: int) -> None:
        service.pid, service.status = None, status
        if service.result == "success" and not _clean(status):
            service.result = "signal" if status > 128 else "exit-code"
        self._note(service, f"Main process exited, status={status}.")
        left = self._group(service)
        if not left:
            self._settle(service)
            return
        number = signal.SIGKILL if service.unit.kill_mode == "mixed" else service.unit.kill_signal
        send_signal(left, number)
        if service.state != "deactivating":
            service.state = "deactivating"
            service.due = time.monotonic() + service.unit.stop_timeout_s

    def _settle(self, service: Service) -> None:
        ran_s = time.monotonic() - service.started
        service.quick_ends = service.quick_ends + 1 if ran_s < _QUICK_S else 0
        service.pid, service.due = None, None
        waiters, service.waiters = service.waiters, []
        if service.wanted and waiters:  # a start was asked for while it stopped
            error = self._run(service)
        else:
            error = ""
            self._rest_or_restart(service)
        service.stopping = False
        for done in waiters:
            done(error)

    def _rest_or_restart(self, service: Service) -> None:
        clean = service.result == "success"
        policy = service.unit.restart
        if service.wanted and (policy == "always" or (policy == "on-failure" and not clean)):
            pause = service.unit.restart_s * 2 ** min(max(service.quick_ends - 1, 0), 10)
            longest = max(_LONGEST_PAUSE_S, service.unit.restart_s)
            service.state, service.due = "activating", time.monotonic() + min(pause, longest)
        else:
            service.wanted = False
            service.state = "inactive" if clean else "failed"

    def _group(self, service: Service) -> list[int]:
        """Return the living processes that a stop ends."""
        if service.unit.kill_mode in ("process", "none"):
            return [service.pid] if service.pid else []
        return self._processes(service)

    def _processes(self, service: Service) -> list[int]:
        """Return the living processes of a service: its tree, and what left the tree but kept
        the mark in its environment."""
        known = parents()
        found = {service.pid, *descendants(service.pid, known)} if service.pid else set()
        mark = f"INVOCATION_ID={service.invocation}".encode()
        for pid in descendants(os.getpid(), known):
            if pid not in found and mark in environment_of(pid).split(b"\0"):
                found |= {pid, *descendants(pid, known)}
        return [pid for pid in found if pid in known]

    def _note(self, service: Service, text: str) -> None:
        path = self._guest.root / "var/log/journal" / f"{service.unit.name}.log"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
        with suppress(OSError):  # a full disk must not end the instance
            fd = _open_log(path)
            os.write(fd, f"{stamp} init: {text}\n".encode())
            os.close(fd)

    def enable(self, name: str) -> list[str]:
        """Have a service started at boot; returns the links made."""
        targets = self.unit(name).wanted_by or []
        links = [self._units / f"{target}.wants" / f"{name}.service" for target in targets]
        for link in links:
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(f"../{name}.service")
        return [str(link) for link in links]

    def disable(self, name: str) -> None:
        """Have a service not started at boot any more."""
        for link in self._units.glob(f"*.wants/{name}.service"):
            link.unlink()

    def enabled(self, name: str) -> bool:
        """Tell whether a service is started at boot."""
        return any(self._units.glob(f"*.wants/{name}.service"))


def _clean(status: int) -> bool:
    return status == 0 or status - 128 in _CLEAN_SIGNALS


def _open_log(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
