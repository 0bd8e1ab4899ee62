"""Runs the trusted host: `python -m trusted_host`, configured by its environment."""

from __future__ import annotations

import sys

from http_runtime.serving import run_service
from trusted_host.service import Settings, TrustedHost

sys.exit(run_service(Settings.from_environment, lambda wanted: TrustedHost(wanted).application()))
