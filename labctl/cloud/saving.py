"""Saves the emulator's state soon after it changed, without making requests wait.

The emulator itself saves on a graceful end only: a kill would lose everything since its start.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import time
from pathlib import Path
from typing import Any, NoReturn

from labctl.cloud.guard import App, Receive, Scope, Send
from labctl.paths import write_private

_QUIET_METHODS = ("GET", "HEAD", "OPTIONS")
# Receiving only hides messages for a while: after a crash they are simply delivered again.
_READS = "Describe|Get|List|Head|BatchGet|Query|Scan|Lookup|Search|Filter|ReceiveMessage"
_READ_TARGET = re.compile(rf"(?:[^.]*\.)*(?:{_READS})")
_READ_ACTION = re.compile(rf"(?:^|&)Action=(?:{_READS})".encode())
_SHORTEST_S = 0.5
_LONGEST_SAVE_S = 60.0
_log = logging.getLogger("labctl.saving")


class Saver:
    """Knows whether anything changed, and saves in a forked copy of the process."""

    def __init__(self, app_module: Any, persistence: Any, folder: Path) -> None:  # noqa: ANN401 - the emulator ships no types
        self._app = app_module
        self._persistence = persistence
        self._folder = folder
        self._changes = 0
        self._saved = 0

    def changed(self) -> None:
        """Note that something may have changed."""
        self._changes += 1

    def watching(self, app: App) -> App:
        """Return the app, noting every request that is not plainly a read."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] in _QUIET_METHODS:
                await app(scope, receive, send)
                return
            headers = dict(scope["headers"])
            target = headers.get(b"x-amz-target", b"").decode("latin-1")
            reads = bool(target and _READ_TARGET.match(target))
            form = b"x-www-form-urlencoded" in headers.get(b"content-type", b"")

            async def look() -> Any:  # noqa: ANN401 - an ASGI message
                nonlocal reads, form
                message = await receive()
                if form and message.get("body"):
                    reads, form = bool(_READ_ACTION.search(message["body"])), False
                return message

            await app(scope, look, send)
            if not reads:
                self.changed()

        return serve

    async def keep_saving(self) -> None:
        """Save whenever something changed, for ever; a save never follows the last at once."""
        pause_s = _SHORTEST_S
        while True:
            await asyncio.sleep(pause_s)
            if self._changes == self._saved:
                continue
            began = time.monotonic()
            await self._save_aside()
            # A big state costs the machine more: save it less often.
            pause_s = max(_SHORTEST_S, 4 * (time.monotonic() - began))

    async def _save_aside(self) -> None:
        changes = self._changes
        pid = os.fork()
        if pid == 0:
            self._save_and_exit()
        ends = time.monotonic() + _LONGEST_SAVE_S
        while True:
            await asyncio.sleep(0.02)
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() > ends:
                os.kill(pid, signal.SIGKILL)
        if status == 0:
            self._saved = changes
        else:
            _log.error("saving the state failed (status %d)", status)

    def _save_and_exit(self) -> NoReturn:
        status = 1
        try:
            # Connections that the server closes meanwhile must not stay open through this copy.
            os.closerange(3, 2**16)
            signal.alarm(int(_LONGEST_SAVE_S))
            self.save()
            status = 0
        finally:
            os._exit(status)

    def save(self) -> None:
        """Save every service's state that differs from what is on disk, here and now."""
        for name, state_of in self._app._build_persistence_save_dict().items():
            state = state_of()
            if state is None:
                continue  # a service that failed to load: what was saved before stays
            content = json.dumps(
                {
                    "__ministack_format__": self._persistence._state_format_version(name),
                    "payload": state,
                },
                default=self._persistence._json_default,
            ).encode()
            path = self._folder / f"{name}.json"
            if not path.exists() or path.read_bytes() != content:
                write_private(path, content)
