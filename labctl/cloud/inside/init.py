"""The first process of an instance: starts programs, runs services, adopts and ends everything."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from labctl.cloud.inside.guest import Guest
from labctl.cloud.inside.services import Services
from labctl.cloud.inside.spawn import spawn
from labctl.cloud.inside.units import UnitError
from labctl.cloud.processes import descendants, kill_all
from labctl.cloud.wire import Message, Wire

CONTROL = "init.sock"
_SSH_NAMES = ("ssh", "sshd")
_HOST_GONE_GRACE_S = 1.0


class Init:
    """Serves the host on one socket and the instance's own commands on another."""

    def __init__(self, host: Wire, guest: Guest) -> None:
        self._host = host
        self._guest = guest
        self._services = Services(guest)
        self._programs: set[int] = set()
        self._clients: dict[int, Wire] = {}
        self._tickets: dict[int, Callable[[str], None]] = {}
        self._running = True
        self._selector = selectors.DefaultSelector()
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: None)
        self._listener = self._listen()

    def run(self) -> None:
        """Serve until the host says halt or goes away; then nothing of the instance is left."""
        self._selector.register(self._host, selectors.EVENT_READ, self._from_host)
        self._selector.register(self._woken, selectors.EVENT_READ, self._reap)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        while self._running:
            due = self._services.next_due()
            wait_s = None if due is None else max(0.0, due - time.monotonic())
            for key, _ in self._selector.select(wait_s):
                key.data()
            self._services.tick()

    def _listen(self) -> socket.socket:
        # A socket's whole path may have some 100 characters only: bound by its short name.
        folder = self._guest.root / "run"
        os.chdir(folder)
        Path(CONTROL).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(CONTROL)
        listener.listen(64)
        os.chdir("/")
        return listener

    def _from_host(self) -> None:
        received = self._host.receive()
        if received is None:
            self._end(_HOST_GONE_GRACE_S)
            return
        for message, fds in received:
            getattr(self, f"_host_{message['op']}")(message, fds)
            for fd in fds:
                os.close(fd)

    def _host_boot(self, message: Message, fds: list[int]) -> None:
        self._services.start_enabled()
        self._host.send({"id": message["id"]})

    def _host_spawn(self, message: Message, fds: list[int]) -> None:
        try:
            pid = spawn(
                message["argv"],
                environment=message["environment"],
                directory=message["directory"],
                stdio=(fds[0], fds[1], fds[2]),
                terminal=message["terminal"],
            )
        except OSError as error:
            self._host.send({"id": message["id"], "error": str(error)})
            return
        self._programs.add(pid)
        self._host.send({"id": message["id"], "pid": pid})

    def _host_socket(self, message: Message, fds: list[int]) -> None:
        """Hand out a socket: it stays in this instance's network, whoever uses it."""
        try:
            with socket.socket(message["family"]) as fresh:
                self._host.send({"id": message["id"]}, [fresh.fileno()])
        except OSError as error:
            self._host.send({"id": message["id"], "error": str(error)})

    def _host_terminal(self, message: Message, fds: list[int]) -> None:
        """Hand out both ends of a terminal that has its name in this instance."""
        try:
            pair = os.openpty()
        except OSError as error:
            self._host.send({"id": message["id"], "error": str(error)})
            return
        self._host.send({"id": message["id"]}, pair)
        for fd in pair:
            os.close(fd)

    def _host_signal(self, message: Message, fds: list[int]) -> None:
        try:
            os.killpg(message["pid"], message["signal"])
        except (ProcessLookupError, PermissionError):
            return

    def _host_halt(self, message: Message, fds: list[int]) -> None:
        left = self._end(message["grace_s"])
        self._host.send({"id": message["id"], "left": left})

    def _host_answer(self, message: Message, fds: list[int]) -> None:
        self._tickets.pop(message["ticket"])(message["error"])

    def _end(self, grace_s: float) -> list[int]:
        self._running = False
        self._listener.close()
        return kill_all(
            lambda: descendants(os.getpid()), grace_s=grace_s, deadline_s=30, reap=self._collect
        )

    def _reap(self) -> None:
        os.read(self._woken, 4096)
        for pid, status in self._collect():
            if pid in self._programs:
                self._programs.discard(pid)
                self._host.send({"event": "exit", "pid": pid, "status": status})
            else:
                self._services.ended(pid, status if status >= 0 else 128 - status)

    def _collect(self) -> list[tuple[int, int]]:
        ended: list[tuple[int, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            ended.append((pid, os.waitstatus_to_exitcode(status)))

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        # A client that does not read its answer must not hold up the instance.
        client.settimeout(5)
        wire = Wire(client)
        self._clients[wire.fileno()] = wire
        self._selector.register(wire, selectors.EVENT_READ, partial(self._from_client, wire))

    def _from_client(self, wire: Wire) -> None:
        try:
            received = wire.receive()
        except (ValueError, RecursionError):
            received = None
        if received is None:
            self._drop(wire)
            return
        for message, _ in received:
            self._serve(wire, message)

    def _drop(self, wire: Wire) -> None:
        if self._clients.pop(wire.fileno(), None):
            self._selector.unregister(wire)
            wire.close()

    def _reply(self, wire: Wire, answer: Message) -> None:
        if wire.fileno() not in self._clients:
            return
        try:
            wire.send(answer)
        except OSError:
            self._drop(wire)

    def _serve(self, wire: Wire, message: Message) -> None:
        def done(error: str) -> None:
            self._reply(wire, {"error": error} if error else {})

        verb, name = str(message.get("op")), str(message.get("name", ""))
        try:
            if verb == "power" or name in _SSH_NAMES:
                self._ask_host(verb, name, done)
            elif verb in ("start", "stop", "restart"):
                getattr(self._services, verb)(name, done)
            elif verb == "kill":
                done(self._kill(name, message.get("signal")))
            elif verb == "show":
                self._reply(wire, self._shown(name))
            elif verb == "enable":
                self._reply(wire, {"links": self._services.enable(name)})
            elif verb == "disable":
                self._services.disable(name)
                done("")
            else:
                done(f"unknown request {verb!r}")
        except UnitError as error:
            self._reply(wire, {"error": str(error), "missing": "not found" in str(error)})
        except OSError as error:
            done(str(error))

    def _kill(self, name: str, number: object) -> str:
        if not isinstance(number, int) or not 0 < number < signal.NSIG:
            return f"no signal {number!r}"
        self._services.kill(name, number)
        return ""

    def _ask_host(self, verb: str, name: str, done: Callable[[str], None]) -> None:
        if verb not in ("power", "restart"):
            done(f"{verb} of {name} is not possible: it is how this instance is reached")
            return
        ticket = max(self._tickets, default=0) + 1
        self._tickets[ticket] = done
        self._host.send({"event": "ask", "ticket": ticket, "verb": verb, "name": name})

    def _shown(self, name: str) -> Message:
        service = self._services.known(name)
        properties = {
            "Id": f"{name}.service",
            "LoadState": "loaded",
            "ActiveState": service.state,
            "SubState": {"active": "running", "activating": "auto-restart"}.get(
                service.state, "dead" if service.state == "inactive" else service.state
            ),
            "UnitFileState": "enabled" if self._services.enabled(name) else "disabled",
            "MainPID": str(service.pid or 0),
            "NRestarts": str(service.restarts),
            "Result": service.result,
            "ExecMainStatus": str(service.status),
            "InvocationID": service.invocation,
            "FragmentPath": str(self._guest.root / f"etc/systemd/system/{name}.service"),
        }
        log = str(self._services.log_path(service.unit))
        return {"properties": properties, "log": log, "warnings": service.unit.warnings}
