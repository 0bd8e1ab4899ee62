"""What holds for every test: property tests are not timed, for machines are shared and noisy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", parent=settings(), deadline=None)
settings.load_profile("untimed")
