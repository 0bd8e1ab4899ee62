"""Gives every contender the same endpoint: labctl's own local cloud, or moto as it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.cloud import launch
from tests.remote.aws import Server, running

LOCAL, MOTO = "local cloud", "stock moto"


@contextmanager
def served(flavour: str, folder: Path) -> Iterator[Server]:
    """Start an endpoint, guard and all, and stop it at the end."""
    if flavour != LOCAL:
        with running(flavour, folder) as server:
            yield server
        return
    info = launch.ensure_started(folder)
    try:
        yield Server(info.endpoint, flavour, info.access_key, info.secret_key, info.emulator_pid)
    finally:
        launch.stop(folder)
