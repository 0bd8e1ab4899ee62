"""Runs the trusted host: `python -m trusted_host`, configured by its environment."""

from __future__ import annotations

import os
import sys

from http_runtime.log_lines import say
from http_runtime.serving import run_service
from http_runtime.settings import SettingsError
from trusted_host.service import Settings, TrustedHost


def main() -> int:
    """Serve until SIGTERM and return the exit status."""
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        say("failed", error=str(error))
        return 2
    return run_service(
        lambda: TrustedHost(settings).application(), address=settings.address, port=settings.port
    )


sys.exit(main())
