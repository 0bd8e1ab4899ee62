"""The emulator's process: ministack behind the guard, on a socket that the daemon opened.

Started by the daemon with a scrubbed environment; ends, saved, when the daemon goes away.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labctl.cloud.asyncwire import AsyncWire
from labctl.cloud.guard import App, Receive, Scope, Send, guarded
from labctl.cloud.keys import Keys
from labctl.cloud.layout import MARK, Layout
from labctl.cloud.patches import Fleet, apply
from labctl.cloud.processes import become_subreaper
from labctl.cloud.saving import Saver
from labctl.cloud.wire import Message
from labctl.output import mask_output

if TYPE_CHECKING:
    from hypercorn.config import Config

_FALLBACK_S = 5.0


class Emulator:
    """Serves the API, tells the daemon about instances and learns from it how they fare."""

    def __init__(self, fleet: Fleet, saver: Saver, channel: socket.socket) -> None:
        self._fleet = fleet
        self._saver = saver
        self._loop = asyncio.get_running_loop()
        self._wire = AsyncWire(channel, on_message=self._from_daemon, on_close=self.end)
        self._described: set[str] = set()
        self._due = False
        fleet.on_change = self.fleet_changed

    def fleet_changed(self) -> None:
        """Tell the daemon soon; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._plan_report)

    def _plan_report(self) -> None:
        self._saver.changed()
        if not self._due:
            self._due = True
            self._loop.call_soon(self._report)

    def _report(self) -> None:
        self._due = False
        machines = self._fleet.snapshot(self._described)
        self._described = {machine["id"] for machine in machines}
        self._wire.send({"event": "instances", "instances": machines})

    async def keep_reporting(self) -> None:
        """Report now and then unasked, should anything have changed the fleet unseen."""
        while True:
            self._report()
            await asyncio.sleep(_FALLBACK_S)

    def ready(self) -> None:
        """Tell the daemon that requests are served."""
        self._wire.send({"event": "ready"})

    def _from_daemon(self, message: Message) -> None:
        if message["op"] == "ping":
            self._wire.send({"event": "pong"})
        elif message["op"] == "observed":
            self._fleet.observed(message["id"], message["state"], message["boots"])
        elif message["op"] == "power":
            self._fleet.powered(message["id"], message["action"])

    def end(self) -> None:
        """Save and leave at once: long polls are cut, what they waited for is saved."""
        status = 1
        try:
            self._saver.save()
            status = 0
        finally:
            logging.shutdown()
            os._exit(status)


def _told_when_started(app: App, ready: Callable[[], None]) -> App:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def look(message: object) -> None:
            await send(message)  # type: ignore[arg-type]  # passed on as it came
            if isinstance(message, dict) and message["type"] == "lifespan.startup.complete":
                ready()

        await app(scope, receive, look if scope["type"] == "lifespan" else send)

    return serve


def _server_settings(listener: int) -> Config:
    from hypercorn.config import Config

    settings = Config()
    settings.bind = [f"fd://{listener}"]
    settings.backlog = 1024
    settings.keep_alive_timeout = 75
    settings.loglevel = "WARNING"
    return settings


async def _serve(listener: int, channel: socket.socket) -> None:
    from hypercorn.asyncio import serve
    from ministack import app as ministack_app
    from ministack.core import persistence

    fleet = apply()
    saver = Saver(ministack_app, persistence, Path(os.environ["STATE_DIR"]))
    emulator = Emulator(fleet, saver, channel)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, emulator.end)
    tasks: list[asyncio.Task[None]] = []

    def started() -> None:
        tasks.append(asyncio.create_task(saver.keep_saving()))
        tasks.append(asyncio.create_task(emulator.keep_reporting()))
        emulator.ready()

    app = _told_when_started(saver.watching(ministack_app.app), started)
    keys = Keys(
        root_key=os.environ["AWS_ACCESS_KEY_ID"],
        root_secret=os.environ["AWS_SECRET_ACCESS_KEY"],
        era_file=Layout(Path(os.environ[MARK])).session_era,
    )
    guarded_app = guarded(app, keys)
    settings = _server_settings(listener)
    # The server spells the same protocol with its own types.
    await serve(cast("Any", guarded_app), settings, shutdown_trigger=asyncio.Event().wait)


def main() -> None:
    """Run on the two descriptors named on the command line: the listener and the channel."""
    os.umask(0o077)
    mask_output()
    become_subreaper()
    listener, channel = map(int, sys.argv[1:3])
    asyncio.run(_serve(listener, socket.socket(fileno=channel)))


if __name__ == "__main__":
    main()
