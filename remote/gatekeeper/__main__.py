"""Runs the gatekeeper: `python -m gatekeeper`, configured by its environment."""

from __future__ import annotations

import sys

from gatekeeper.service import Gatekeeper, Settings
from http_runtime.serving import run_service

sys.exit(run_service(Settings.from_environment, lambda wanted: Gatekeeper(wanted).application()))
