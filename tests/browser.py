"""A real browser for tests: a page of a headless Chromium, over its debugging protocol."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DEADLINE_S = 60.0
LOOK_AGAIN_S = 0.02  # without a pause the looking takes the core that the browser needs


class CallFailed(Exception):
    """The browser answered a call with an error."""


class Page:
    """A page, asked by DevTools calls."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Return the result of one call."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") != self._number:
                continue
            if "error" in answer:
                raise CallFailed(f"{method}: {answer['error']}")
            result: dict[str, Any] = answer["result"]
            return result

    async def value(self, expression: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return what an expression is worth on the page."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true on the page, or on the page that takes its place."""
        async with asyncio.timeout(DEADLINE_S):
            while not await self._holds(expression):
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _holds(self, expression: str) -> bool:
        try:
            return bool(await self.value(expression))
        except CallFailed:  # asked while the page was leaving: there is no context to ask
            return False


@asynccontextmanager
async def open_page(folder: Path) -> AsyncIterator[Page]:
    """Start a browser with its profile in a folder, and give its page."""
    assert CHROMIUM is not None, "the test is skipped without a browser"
    profile = folder / "profile"
    process = subprocess.Popen(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",  # as root, in a container, on a page of our own
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    try:
        port = _debugging_port(profile / "DevToolsActivePort")
        async with ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [each for each in json.loads(await answer.text()) if each["type"] == "page"]
            async with client.ws_connect(
                pages[0]["webSocketDebuggerUrl"], max_msg_size=0
            ) as socket:
                yield Page(socket)
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE_S)


def _debugging_port(file: Path) -> int:
    deadline = time.monotonic() + DEADLINE_S
    while not (file.exists() and file.read_text().count("\n")):
        assert time.monotonic() < deadline, "Chromium did not start"
    return int(file.read_text().splitlines()[0])
