"""The embedded cloud's daemon: one per state folder, outliving the command that started it.

Holds the emulator's socket, keeps the emulator alive, hosts the instances. Started by
`launch.py`; reports success or failure to it through a pipe.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from labctl.cloud.choosing import TierRefused, wanted_tier
from labctl.cloud.deadlines import keep_deadlines
from labctl.cloud.host import Host
from labctl.cloud.layout import (
    REGION,
    CloudInfo,
    Layout,
    Settings,
    publish_info,
    remembered_settings,
    save_settings,
)
from labctl.cloud.leftovers import clear_leftovers
from labctl.cloud.probes import has_loopback_aliases
from labctl.cloud.processes import become_subreaper
from labctl.cloud.supervisor import EmulatorFailed, Supervisor, emulator_environment
from labctl.cloud.tier import Tier
from labctl.cloud.tiers import PRIVATE_NETWORK, Children, make_tier
from labctl.key_places import learn_clouds_keys
from labctl.output import mask_output

_PORTS = range(24566, 24966)  # below those that systems give out on their own
_HEARTBEAT_S = 1.0
_TEND_LOGS_S = 30.0
_FREED_S = 5.0  # a killed predecessor keeps lock and port until its last thread is gone
MOST_LOG_BYTES = 2 * 2**20
_KEPT_LOG_BYTES = 2**19
_log = logging.getLogger("labctl.daemon")


class CannotStart(Exception):
    """The cloud cannot start; message and hint are for the user."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class Daemon:
    """The running cloud."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        listener: socket.socket,
        *,
        tier: Tier,
        children: Children,
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._network = settings.network if has_loopback_aliases() else "127.0.0.1"
        self._tier = tier
        self._host = Host(layout, self._tier, report=self._machine_is, power=self._machine_asks)
        self._supervisor = Supervisor(
            layout,
            listener,
            emulator_environment(
                layout,
                settings,
                self._network,
                private_network=PRIVATE_NETWORK if tier.own_network else "",
            ),
            on_instances=self._host.follow,
            on_restart=self._publish,
            own_children=children,
        )
        children.sources.append(lambda: self._supervisor.pid)
        self._started = time.time()

    def _machine_is(self, number: str, state: str, boots: int) -> None:
        self._supervisor.send({"op": "observed", "id": number, "state": state, "boots": boots})

    async def _machine_asks(self, number: str, action: str) -> str:
        sent = self._supervisor.send({"op": "power", "id": number, "action": action})
        return "" if sent else "the local cloud is starting: try again"

    def _publish(self) -> None:
        info = CloudInfo(
            endpoint=f"http://127.0.0.1:{self._settings.port}",
            access_key="",
            secret_key="",
            region=REGION,
            daemon_pid=os.getpid(),
            emulator_pid=self._supervisor.pid or 0,
            tier=self._tier.name,
            tier_reason=self._tier.reason,
            cannot=dict(self._tier.cannot),
            network="127.0.0.1/32" if self._network == "127.0.0.1" else f"{self._network}/20",
            started=self._started,
            daemon_log=self._layout.daemon_log,
            emulator_log=self._layout.emulator_log,
        )
        publish_info(self._layout, info)
        self._layout.heartbeat.touch()

    async def run(self, report: int) -> None:
        """Start, report, and serve until told to stop."""
        stopped = asyncio.Event()
        home = _identity(self._layout.folder)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        try:
            await self._supervisor.start()
        except EmulatorFailed:
            raise CannotStart(
                "the local cloud's emulator does not start",
                f"read its log: {self._layout.emulator_log}",
            ) from None
        self._publish()
        _tell(report, {"ready": True})
        keepers = [
            asyncio.create_task(self._supervisor.keep_running()),
            asyncio.create_task(self._beat()),
            asyncio.create_task(self._tend_logs()),
            asyncio.create_task(self._leave_without_home(home, stopped)),
            asyncio.create_task(
                keep_deadlines(self._host.running, lambda number: self._machine_asks(number, "off"))
            ),
        ]
        await stopped.wait()
        for keeper in keepers:
            keeper.cancel()
        if _identity(self._layout.folder) == home:  # not another cloud's by now
            self._layout.info.unlink(missing_ok=True)
        await self._host.close()
        await self._supervisor.stop()

    async def _beat(self) -> None:
        while True:
            if self._supervisor.well:
                with suppress(FileNotFoundError):  # with its folder the cloud ends
                    self._layout.heartbeat.touch()
            await asyncio.sleep(_HEARTBEAT_S)

    async def _leave_without_home(self, home: object, stopped: asyncio.Event) -> None:
        """Stop once the folder is deleted: nobody could reach this cloud any more, or stop it."""
        while _identity(self._layout.folder) == home:
            await asyncio.sleep(_HEARTBEAT_S)
        _log.warning("the cloud's folder was deleted: it ends")
        stopped.set()

    async def _tend_logs(self) -> None:
        while True:
            for log in (self._layout.daemon_log, self._layout.emulator_log):
                shorten(log)
            await asyncio.sleep(_TEND_LOGS_S)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from one that took its place; None when there is none."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def shorten(log: Path) -> None:
    """Keep the end of a log that grew too long; its writers append and do not notice."""
    if not log.exists() or log.stat().st_size <= MOST_LOG_BYTES:
        return
    with log.open("r+b") as file:
        file.seek(-_KEPT_LOG_BYTES, os.SEEK_END)
        kept = file.read()
        file.seek(0)
        file.truncate()
        file.write(kept)


def _tell(report: int, message: dict[str, object]) -> None:
    try:
        os.write(report, json.dumps(message).encode())
    except BrokenPipeError:
        return  # who started us did not wait
    finally:
        os.close(report)


def _listener(layout: Layout, port: int) -> tuple[socket.socket, int]:
    """Return the emulator's socket: on the port asked for or remembered, else on a free one."""
    ends = time.monotonic() + (_FREED_S if port else 0)
    while True:
        try:
            return _bound(layout, port)
        except CannotStart:
            if time.monotonic() >= ends:
                raise
        time.sleep(0.05)


def _bound(layout: Layout, port: int) -> tuple[socket.socket, int]:
    offset = sum(str(layout.folder).encode()) % len(_PORTS)
    candidates = [port] if port else [*_PORTS[offset:], *_PORTS[:offset]]
    for candidate in candidates:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", candidate))
            sock.listen(1024)
        except OSError:
            sock.close()
        else:
            return sock, candidate
    if not port:
        raise CannotStart("every port from 24566 to 24965 is taken", "name one: --port N")
    raise CannotStart(
        f"port {port} of the local cloud is taken by another program",
        f"stop that program, or take another port: labctl cloud start --port {port + 1}",
    )


def _lock(layout: Layout) -> int:
    fd = os.open(layout.daemon_lock, os.O_RDWR | os.O_CREAT, 0o600)
    ends = time.monotonic() + _FREED_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if time.monotonic() > ends:
                raise CannotStart("the local cloud runs already", "labctl cloud status") from error
        time.sleep(0.02)
    os.truncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd


def _serve(layout: Layout, port: int, asked_tier: str, report: int) -> None:
    _lock(layout)
    left = clear_leftovers(layout)
    if left:
        raise CannotStart(
            "processes of an earlier local cloud do not end", f"end them: {sorted(left)}"
        )
    for stale in (*layout.places.iterdir(), layout.info):
        stale.unlink(missing_ok=True)
    settings = remembered_settings(layout)
    in_use = any(layout.instances.iterdir())
    wanted = wanted_tier(asked_tier, remembered=settings.tier, in_use=in_use)
    listener, taken = _listener(layout, port or settings.port)
    settings = replace(settings, port=taken)
    save_settings(layout, settings)
    asyncio.run(_live(layout, settings, listener, wanted, report))


async def _live(
    layout: Layout, settings: Settings, listener: socket.socket, wanted: str, report: int
) -> None:
    children = Children()
    tier = await make_tier(layout, settings, wanted=wanted, children=children)
    settings = replace(settings, tier=tier.name)
    save_settings(layout, settings)
    await Daemon(layout, settings, listener, tier=tier, children=children).run(report)


def main() -> None:
    """Become a daemon for a state's cloud folder: `FOLDER PORT TIER REPORT-DESCRIPTOR`."""
    folder, port, tier, descriptor = sys.argv[1:]
    layout, report = Layout(Path(folder)), int(descriptor)
    os.set_inheritable(report, False)
    for first, last in ((3, report), (report + 1, 2**16)):
        os.closerange(first, last)  # whatever our starter had open must not stay open with us
    os.chdir("/")
    os.umask(0o077)
    mask_output()
    learn_clouds_keys(layout.folder.parent)
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    become_subreaper()
    try:
        _serve(layout, int(port), tier, report)
    except (CannotStart, TierRefused) as error:
        _tell(report, {"error": error.message, "hint": error.hint})
        raise SystemExit(1) from None
