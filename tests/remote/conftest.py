"""Hands the shared fixtures to the tests of this folder."""

from __future__ import annotations

from tests.remote.fixtures import cloud_of_each, each_server, ministack, moto, road

__all__ = ["cloud_of_each", "each_server", "ministack", "moto", "road"]
