"""Hands the shared fixtures to the tests of this folder."""

from __future__ import annotations

from tests.remote.fixtures import aws_environment, ministack, road

__all__ = ["aws_environment", "ministack", "road"]
