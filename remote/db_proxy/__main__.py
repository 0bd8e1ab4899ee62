"""Runs the proxy: `python -m db_proxy`, configured by its environment."""

from __future__ import annotations

import sys

from db_proxy.service import Proxy
from db_proxy.settings import Settings
from http_runtime.serving import run_service

sys.exit(run_service(Settings.from_environment, lambda wanted: Proxy(wanted).application()))
