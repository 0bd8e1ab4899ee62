"""Runs the proxy: `python -m db_proxy`, configured by its environment."""

from __future__ import annotations

import os
import sys

from db_proxy.service import Proxy
from db_proxy.settings import Settings
from http_runtime.log_lines import say
from http_runtime.serving import run_service
from http_runtime.settings import SettingsError


def main() -> int:
    """Serve until SIGTERM and return the exit status."""
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        say("failed", error=str(error))
        return 2
    return run_service(
        lambda: Proxy(settings).application(), address=settings.address, port=settings.port
    )


sys.exit(main())
