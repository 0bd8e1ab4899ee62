"""Runs the gatekeeper: `python -m gatekeeper`, configured by its environment."""

from __future__ import annotations

import os
import sys

from gatekeeper.service import Gatekeeper, Settings
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
        lambda: Gatekeeper(settings).application(), address=settings.address, port=settings.port
    )


sys.exit(main())
