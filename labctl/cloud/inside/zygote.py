"""The small process from which every instance's init is forked, in milliseconds."""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from labctl.cloud.inside.guest import Guest
from labctl.cloud.inside.init import Init
from labctl.cloud.inside.memory import limit_memory
from labctl.cloud.processes import (
    become_subreaper,
    descendants,
    kill_all,
    parents,
)
from labctl.cloud.wire import Message, Wire


class Zygote:
    """Forks inits on request, reaps them, and ends what they may leave behind."""

    def __init__(self, host: Wire) -> None:
        self.host = host
        self._inits: dict[int, str] = {}  # process id -> instance id
        self._died: list[int] = []
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake)

    def run(self) -> None:
        """Serve until the host closes the connection, then end every instance."""
        selector = selectors.DefaultSelector()
        selector.register(self.host, selectors.EVENT_READ)
        selector.register(self._woken, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self.host in ready:
                received = self.host.receive()
                if received is None:
                    break
                for message, fds in received:
                    self.serve(message, fds)
        # The inits end their own trees meanwhile: they lost the host at the same moment.
        kill_all(self._strays, grace_s=5, deadline_s=30, reap=self._collect)

    def serve(self, message: Message, fds: list[int]) -> None:
        """Do what the host asks for: boot an instance, whose control socket comes along."""
        self._boot(message, fds[0])

    def _boot(self, message: Message, control: int) -> None:
        try:
            pid = self.fork_init(message, lambda: self._run_init(message, control))
        except OSError as error:
            self.host.send({"id": message["id"], "error": str(error)})
            return
        finally:
            os.close(control)
        self._inits[pid] = message["instance"]
        self.host.send({"id": message["id"], "pid": pid})

    def fork_init(self, message: Message, run: Callable[[], NoReturn]) -> int:
        """Return the id of a new process in which `run` is called; raises `OSError`."""
        pid = os.fork()
        if pid == 0:
            run()
        return pid

    def helpers(self) -> set[int]:
        """Return this process's own children that are no inits."""
        return set()

    def _run_init(self, message: Message, control: int) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            become_subreaper()
            self.host.close()
            guest = Guest(**{**message["guest"], "root": Path(message["guest"]["root"])})
            os.environ.clear()
            os.environ.update(guest.environment)
            Init(Wire(socket.socket(fileno=control)), guest).run()
            status = 0
        except Exception:
            traceback.print_exc()  # goes to the daemon's log
        finally:
            os._exit(status)  # never back into the zygote's loop

    def _reap(self) -> None:
        self._collect()
        if self._died:
            # What outlived its init was handed to this process: it has no other children.
            kill_all(self._orphans, grace_s=0, deadline_s=10, reap=self._collect)
        while self._died:
            pid = self._died.pop()
            self.host.send({"event": "died", "instance": self._inits.pop(pid), "pid": pid})

    def _collect(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._inits:
                self._died.append(pid)

    def _orphans(self) -> list[int]:
        known = parents()
        ours = self._inits.keys() | self.helpers()
        direct = [pid for pid, parent in known.items() if parent == os.getpid() and pid not in ours]
        return direct + [below for pid in direct for below in descendants(pid, known)]

    def _strays(self) -> list[int]:
        return descendants(os.getpid())


def main(descriptor: int) -> None:
    """Run the zygote on an inherited socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    become_subreaper()
    limit_memory()
    gc.freeze()  # collecting would touch, and so copy, every page the inits share
    Zygote(Wire(socket.socket(fileno=descriptor))).run()
