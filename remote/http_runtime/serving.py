"""Serves an application at one address until SIGTERM, and says when it is ready."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from aiohttp import web

from http_runtime.log_lines import say
from http_runtime.settings import SettingsError

_FINISH_S = 3.0  # how long requests may go on after SIGTERM


class Place(Protocol):
    """Settings that say, among other things, where to listen."""

    @property
    def address(self) -> str: ...

    @property
    def port(self) -> int: ...


Settings = TypeVar("Settings", bound=Place)


def run_service(
    read: Callable[[Mapping[str, str]], Settings], make: Callable[[Settings], web.Application]
) -> int:
    """Serve as the environment says until SIGTERM or SIGINT, and return the exit status.

    `read` and `make` may raise `SettingsError`.
    """
    try:
        settings = read(os.environ)
        asyncio.run(_serve(lambda: make(settings), settings.address, settings.port))
    except SettingsError as error:
        say("failed", error=str(error))
        return 2
    except OSError as error:
        say("failed", error=f"cannot listen: {error.strerror}")
        return 1
    return 0


async def _serve(make: Callable[[], web.Application], address: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(make(), access_log=None, shutdown_timeout=_FINISH_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port, backlog=512).start()
        say("ready", address=address, port=port)
        await stop.wait()
    finally:
        await runner.cleanup()
    say("stopped")
