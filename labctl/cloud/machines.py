"""Machines as the host holds them: each is an init, forked from the tier's one zygote."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from labctl.cloud.asyncwire import AsyncWire
from labctl.cloud.inside.guest import Guest
from labctl.cloud.processes import kill_orphans, send_signal
from labctl.cloud.programs import start_of
from labctl.cloud.tier import Ask
from labctl.cloud.wire import Message

_HALT_S = 35.0
_log = logging.getLogger("labctl.machines")


class InitProgram:
    """A program that an init started."""

    def __init__(self, wire: AsyncWire, pid: int, exited: asyncio.Future[int]) -> None:
        self._wire = wire
        self.pid = pid
        self.exited = exited

    def send_signal(self, number: int) -> None:
        """Signal the program's process group."""
        self._wire.send({"op": "signal", "pid": self.pid, "signal": number})


class InitMachine:
    """One instance's init, as the host holds it."""

    def __init__(
        self, sock: socket.socket, guest: Guest, ask: Ask, *, owner: int | None = None
    ) -> None:
        self._guest = guest
        self._owner = owner  # of its programs, where that is another user than this one
        self._ask = ask
        self.pid = 0  # the init's, once it is forked
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self.died = asyncio.Event()
        self._wire = AsyncWire(sock, on_message=self._from_init, on_close=self._gone)

    async def start_program(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        stdio: Sequence[int],
        terminal: bool = False,
    ) -> InitProgram:
        """Start a program in the home folder."""
        if self._owner is not None:
            _give(stdio, self._owner)
        answer = await self._asked(
            "spawn",
            fds=stdio,
            argv=list(argv),
            environment={**self._guest.environment, **environment},
            directory=self._guest.home,
            terminal=terminal,
        )
        pid = answer["pid"]
        exited = self._exit_of(pid)
        exited.add_done_callback(lambda _: self._exits.pop(pid, None))
        return InitProgram(self._wire, pid, exited)

    async def new_socket(self, family: int = socket.AF_INET) -> socket.socket:
        """Return a TCP socket in the instance's network, not blocking."""
        answer = await self._asked("socket", family=family)
        fresh = socket.socket(fileno=answer["fds"][0])
        fresh.setblocking(False)
        return fresh

    async def open_terminal(self) -> tuple[int, int]:
        """Return both ends of a new terminal; they are the caller's."""
        ours, theirs = (await self._asked("terminal"))["fds"]
        return ours, theirs

    async def _asked(self, op: str, **details: Any) -> Message:  # noqa: ANN401 - a message's values are any JSON
        answer = await self._wire.call(op, **details)
        if "error" in answer:
            raise OSError(answer["error"])
        return answer

    async def start_services(self) -> None:
        """Start what is enabled."""
        await self._wire.call("boot")

    async def halt(self, *, grace_s: float) -> None:
        """End everything; a machine that is gone already is fine."""
        send_signal([self.pid], signal.SIGCONT)  # somebody inside may have stopped it
        try:
            async with asyncio.timeout(grace_s + _HALT_S):
                await self._wire.call("halt", grace_s=grace_s)
        except TimeoutError:
            _log.error("%s does not halt: its init is killed", self._guest.instance)
            send_signal([self.pid], signal.SIGKILL)
        except ConnectionError:
            pass
        await self.died.wait()

    def abandon(self) -> None:
        """Let go of a machine whose zygote is gone; its init ends when it sees that."""
        self._wire.close()
        self.died.set()

    def _exit_of(self, pid: int) -> asyncio.Future[int]:
        if pid not in self._exits:
            self._exits[pid] = asyncio.get_running_loop().create_future()
        return self._exits[pid]

    def _from_init(self, message: Message) -> None:
        if message["event"] == "exit":
            # It may come before the answer that told the process id was looked at.
            self._exit_of(message["pid"]).set_result(message["status"])
        elif message["event"] == "ask":
            task = asyncio.create_task(self._answer(message))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, message: Message) -> None:
        error = await self._ask(message["verb"], message["name"])
        self._wire.send({"op": "answer", "ticket": message["ticket"], "error": error})

    def _gone(self) -> None:
        for exited in self._exits.values():
            if not exited.done():
                exited.set_result(-9)


def _give(files: Sequence[int], owner: int) -> None:
    """Let pipes belong to who uses them: else no program could open /dev/stderr by its name."""
    for fd in files:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.fchown(fd, owner, owner)


class Zygotes:
    """Makes machines by forking inits from one process of a program; anew when it is lost."""

    def __init__(
        self,
        program: str,
        environment: Mapping[str, str],
        own_children: Callable[[], set[int]],
        *,
        owner: int | None = None,
    ) -> None:
        self._program = program
        self._owner = owner
        self._environment = dict(environment)
        self._own_children = own_children  # those of this process that are no machine's
        self._machines: dict[str, InitMachine] = {}  # by instance
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: AsyncWire | None = None

    @property
    def pid(self) -> int | None:
        """The zygote's process id."""
        return self._process.pid if self._process else None

    async def boot(self, guest: Guest, ask: Ask, **details: Any) -> InitMachine:  # noqa: ANN401 - a message's values are any JSON
        """Fork an init for the guest; `details` are for the program. Raises `OSError`."""
        wire = self._zygote()
        ours, theirs = socket.socketpair()
        with theirs:
            machine = InitMachine(ours, guest, ask, owner=self._owner)
            self._machines[guest.instance] = machine
            answer = await wire.call(
                "boot",
                fds=[theirs.fileno()],
                instance=guest.instance,
                guest={**asdict(guest), "root": str(guest.root)},
                **details,
            )
        if "error" in answer:
            del self._machines[guest.instance]
            machine.abandon()
            raise OSError(answer["error"])
        machine.pid = answer["pid"]
        return machine

    async def tell(self, op: str, **details: Any) -> Message:  # noqa: ANN401 - a message's values are any JSON
        """Have the program do something and return its answer; raises `OSError`."""
        answer = await self._zygote().call(op, **details)
        if "error" in answer:
            raise OSError(answer["error"])
        return answer

    def _zygote(self) -> AsyncWire:
        if self._wire is not None and not self._wire.closed:
            return self._wire
        ours, theirs = socket.socketpair()
        with theirs:
            call = f"main({theirs.fileno()})"
            self._process = subprocess.Popen(
                start_of(self._program, call),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd="/",
                start_new_session=True,
            )
        self._wire = AsyncWire(ours, on_message=self._from_zygote, on_close=self._lost)
        return self._wire

    def _from_zygote(self, message: Message) -> None:
        machine = self._machines.pop(message["instance"], None)
        if machine is not None:
            machine.died.set()

    def _lost(self) -> None:
        """The connection is closed, from either end: end the zygote and all that it ran."""
        if self._process is not None:
            # The socket closes a moment before the orphans are handed over: wait for the end.
            self._process.kill()
            self._process.wait()
        left = kill_orphans(self._own_children() | ({self.pid} if self.pid else set()))
        if left:
            _log.error("processes left: %s", left)
        machines, self._machines = self._machines, {}
        for machine in machines.values():
            machine.abandon()

    async def close(self) -> None:
        """End the zygote and every machine."""
        if self._wire is not None:
            self._wire.close()
        self._process = None
