"""`labctl serve`, by real HTTP: only the browser that came first with the token is let in."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, CookieJar, WSServerHandshakeError, web

from labctl.errors import LabctlError
from labctl.tui.serve import ScreenServer
from tests.browser import CHROMIUM, Page, open_page
from tests.tui import recorded

DEADLINE_S = 60.0
LABCTL = str(Path(sys.executable).with_name("labctl"))

replayed = """
import sys
from pathlib import Path
from labctl.tui.replay import Player, read_events
from labctl.tui.screens.replay import ReplayApp
file = Path(sys.argv[1])
ReplayApp(file, Player(read_events(file), speed=0)).run()
"""

serving = """
import sys
from labctl.tui.serve import ScreenServer
ScreenServer(sys.argv[1:]).serve_until_stopped(lambda address: print(address, flush=True))
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """What the server starts for each browser: a replay, so that no cloud is needed."""
    file = recorded.write(tmp_path / "events.jsonl", recorded.busy())
    return [sys.executable, "-c", replayed, str(file)]


@pytest.fixture
async def server(command: list[str]) -> AsyncIterator[ScreenServer]:
    served = ScreenServer(command)
    runner = web.AppRunner(await served.make_app(), shutdown_timeout=2)
    await runner.setup()
    await web.SockSite(runner, served.socket).start()
    yield served
    await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[ClientSession]:
    """One client that keeps its cookies, as a browser does."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        yield client


@pytest.fixture
async def stranger() -> AsyncIterator[ClientSession]:
    """Another client."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        yield client


async def status(client: ClientSession, url: str, **headers: str) -> int:
    async with client.get(
        url,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        allow_redirects=False,
    ) as answer:
        return answer.status


async def test_without_the_token_nothing_is_shown(
    server: ScreenServer, stranger: ClientSession
) -> None:
    for path in ("/", "/?token=", "/?token=wrong", "/static/js/textual.js", "/ws", "/nowhere"):
        assert await status(stranger, server.public_url + path) == 403


async def test_the_token_buys_a_cookie_once(
    server: ScreenServer, browser: ClientSession, stranger: ClientSession
) -> None:
    async with browser.get(server.address, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "/"
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert server.gate.token not in cookie
    assert await status(stranger, server.address) == 403
    assert await status(browser, server.public_url + "/") == 200
    assert await status(browser, server.address) == 303
    assert await status(browser, server.public_url + "/static/js/textual.js") == 200


async def test_a_foreign_host_or_origin_is_refused_cookie_or_not(
    server: ScreenServer, browser: ClientSession
) -> None:
    url, port = server.public_url + "/", server.port
    foreign: list[dict[str, str]] = [
        {"Host": f"evil.example:{port}"},
        {"Host": f"localhost:{port}"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": f"https://127.0.0.1:{port}"},
        {"Origin": f"http://127.0.0.1:{port + 1}"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ]
    for headers in foreign:
        assert await status(browser, server.address, **headers) == 403
    assert await status(browser, server.address) == 303  # none of them spent the token
    for headers in foreign:
        assert await status(browser, url, **headers) == 403
    assert await status(browser, url, Origin=server.public_url, Sec_Fetch_Site="same-origin") == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
async def test_a_websocket_from_another_page_is_refused(
    server: ScreenServer, browser: ClientSession, origin: str | None
) -> None:
    assert await status(browser, server.address) == 303
    with pytest.raises(WSServerHandshakeError) as caught:
        await browser.ws_connect(server.public_url + "/ws", origin=origin)
    assert caught.value.status == 403


async def test_a_websocket_without_the_cookie_is_refused(
    server: ScreenServer, stranger: ClientSession
) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await stranger.ws_connect(server.public_url + "/ws", origin=server.public_url)
    assert caught.value.status == 403


async def test_every_answer_forbids_what_the_page_must_not_do(
    server: ScreenServer, browser: ClientSession
) -> None:
    for url in (server.public_url, server.address):
        async with browser.get(url) as answer:
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"


async def test_the_screen_comes_through_the_websocket_and_keys_go_back(
    command: list[str], browser: ClientSession
) -> None:
    # In a process of its own: textual-serve leaves the pipes of its screens to the collector.
    process = subprocess.Popen(
        [sys.executable, "-c", serving, *command], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        await _use_the_screen(browser, address)
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE_S)
        process.stdout.close()


async def _use_the_screen(browser: ClientSession, address: str) -> None:
    url = address.partition("/?")[0]
    assert await status(browser, address) == 303
    async with browser.ws_connect(f"{url}/ws?width=80&height=24", origin=url) as socket:
        await _read_until(socket, "replay ended")
        await socket.send_json(["stdin", "u"])
        await _read_until(socket, "this is a replay")
        await socket.send_json(["stdin", "q"])
        await _read_to_the_end(socket)


async def _read_until(socket: ClientWebSocketResponse, wanted: str) -> None:
    seen = ""
    async with asyncio.timeout(DEADLINE_S):
        while wanted not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen):
            seen += (await socket.receive_bytes()).decode("utf-8", "replace")


async def _read_to_the_end(socket: ClientWebSocketResponse) -> None:
    async with asyncio.timeout(DEADLINE_S):
        async for _ in socket:
            pass


def test_only_this_machine_reaches_the_socket() -> None:
    served = ScreenServer(["true"])
    with served.socket:
        assert served.socket.getsockname()[0] == "127.0.0.1"
        with pytest.raises(LabctlError, match="cannot be used") as caught:
            ScreenServer(["true"], port=served.port)
    assert "--port" in caught.value.hint


# The command


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address that the real command prints."""
    environment = {**os.environ, "LABCTL_STATE": str(tmp_path / "state")}
    process = subprocess.Popen(
        [LABCTL, "serve"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    yield process.stdout.readline().removeprefix("open ").strip()
    process.terminate()
    said = process.stdout.read()
    process.stdout.close()
    assert process.wait(timeout=DEADLINE_S) == 0
    assert "token=" not in said  # it was printed once


def test_a_lab_that_is_none_is_refused_at_once() -> None:
    done = subprocess.run([LABCTL, "serve", "nolab"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "nolab" in done.stderr


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    async with open_page(tmp_path) as found:
        yield found


async def test_a_real_browser_shows_the_screen_and_takes_keys(served: str, page: Page) -> None:
    await page.call("Page.enable")
    await page.call("Page.navigate", url=served)
    await page.until("document.body && document.body.classList.contains('-first-byte')")
    assert "token" not in await page.value("location.href")
    assert await page.value("document.cookie") == ""
    assert await page.value(
        "performance.getEntriesByType('resource').every("
        "each => new URL(each.name).host === location.host"
        " || each.transferSize === 0)"
    )
    await page.value("document.querySelector('.xterm-helper-textarea').focus()")
    await page.call("Input.dispatchKeyEvent", type="keyDown", text="q", key="q", code="KeyQ")
    await page.until("document.body.classList.contains('-closed')")
