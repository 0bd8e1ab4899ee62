"""Keeps the emulator running on one socket, and carries messages between it and the host."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

from labctl.cloud.asyncwire import AsyncWire
from labctl.cloud.layout import MARK, REGION, Layout, Settings
from labctl.cloud.processes import kill_orphans
from labctl.cloud.programs import command_of
from labctl.cloud.wire import Message

_START_S = 60.0
_PING_S = 2.0
_SILENT_S = 20.0  # without an answer for so long it is stuck
_SAVE_S = 15.0
_LONGEST_PAUSE_S = 10.0
_log = logging.getLogger("labctl.supervisor")


class EmulatorFailed(Exception):
    """The emulator did not come up; its log says why."""


def emulator_environment(
    layout: Layout, settings: Settings, network: str, *, private_network: str
) -> dict[str, str]:
    """Return all that the emulator, and the functions it runs, may see.

    `private_network` is "" where instances have no network of their own.
    """
    endpoint = f"http://127.0.0.1:{settings.port}"
    return {
        MARK: layout.mark,
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(layout.home),
        "LABCTL_NETWORK": network,
        "LABCTL_PRIVATE_NETWORK": private_network,
        "LOG_LEVEL": "WARNING",
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": "127.0.0.1",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(layout.saved),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(layout.objects),
        "AWS_ACCESS_KEY_ID": settings.access_key,
        "AWS_SECRET_ACCESS_KEY": settings.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        # It would clear away what it takes for its own containers, and listen on every address.
        "DOCKER_HOST": f"unix://{layout.folder}/no-docker",
        "SFTP_ENABLED": "0",
        "SFTP_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
    }


class Supervisor:
    """Runs the emulator; restarts it on the same socket when it dies or hangs."""

    def __init__(
        self,
        layout: Layout,
        listener: socket.socket,
        environment: dict[str, str],
        *,
        on_instances: Callable[[list[dict[str, Any]]], None],
        on_restart: Callable[[], None],
        own_children: Callable[[], set[int]],
    ) -> None:
        self._layout = layout
        self._listener = listener
        self._environment = environment
        self._on_instances = on_instances
        self._on_restart = on_restart
        self._own_children = own_children
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: AsyncWire | None = None
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._heard = 0.0

    @property
    def pid(self) -> int | None:
        """The emulator's process id."""
        return self._process.pid if self._process else None

    @property
    def well(self) -> bool:
        """Whether the emulator is up and answered lately."""
        return self._ready.is_set() and time.monotonic() - self._heard < 3 * _PING_S

    async def start(self) -> None:
        """Start the emulator and wait until it serves; raises `EmulatorFailed`."""
        self._ready.clear()
        self._lost.clear()
        ours, theirs = socket.socketpair()
        with theirs, self._layout.emulator_log.open("ab") as log:
            fds = [self._listener.fileno(), theirs.fileno()]
            self._process = subprocess.Popen(
                [*command_of("labctl.cloud.emulator"), *map(str, fds)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=fds,
                cwd=self._layout.home,
                start_new_session=True,
            )
        self._wire = AsyncWire(ours, on_message=self._from_emulator, on_close=self._lost.set)
        waits = [asyncio.create_task(event.wait()) for event in (self._ready, self._lost)]
        await asyncio.wait(waits, timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self._ready.is_set() or self._lost.is_set():
            await self._end(signal.SIGKILL, wait_s=5)
            raise EmulatorFailed

    async def keep_running(self) -> None:
        """Restart the emulator whenever it is lost, for ever."""
        pause_s = 0.0
        while True:
            began = time.monotonic()
            await self._watch()
            _log.warning("the emulator is lost (process %s): restarting it", self.pid)
            await self._end(signal.SIGKILL, wait_s=5)
            pause_s = 0.0 if time.monotonic() - began > 10 else min(pause_s + 1, _LONGEST_PAUSE_S)
            while True:
                await asyncio.sleep(pause_s)
                try:
                    await self.start()
                    break
                except EmulatorFailed:
                    pause_s = min(pause_s + 1, _LONGEST_PAUSE_S)
                    _log.error("the emulator does not start; next attempt in %s s", pause_s)
            self._on_restart()

    async def _watch(self) -> None:
        """Return when the emulator is gone, or silent for too long."""
        self._heard = time.monotonic()
        while not self._lost.is_set():
            self.send({"op": "ping"})
            try:
                async with asyncio.timeout(_PING_S):
                    await self._lost.wait()
            except TimeoutError:
                if time.monotonic() - self._heard > _SILENT_S:
                    return

    def send(self, message: Message) -> bool:
        """Send to the emulator; False when it is not there now."""
        if self._wire is None or self._wire.closed:
            return False
        self._wire.send(message)
        return True

    def _from_emulator(self, message: Message) -> None:
        self._heard = time.monotonic()
        if message["event"] == "ready":
            self._ready.set()
        elif message["event"] == "instances":
            self._on_instances(message["instances"])

    async def stop(self) -> None:
        """Have the emulator save and end."""
        await self._end(signal.SIGTERM, wait_s=_SAVE_S)

    async def _end(self, number: int, *, wait_s: float) -> None:
        """End the emulator and every function it still runs."""
        process = self._process
        if process is None:
            return
        process.send_signal(number)
        try:
            await asyncio.to_thread(process.wait, wait_s)
        except subprocess.TimeoutExpired:
            _log.error("the emulator does not end: it is killed")
            process.kill()
            await asyncio.to_thread(process.wait)
        if self._wire is not None:
            self._wire.close()
        self._process = None
        kill_orphans(self._own_children())
