"""Keeps a leak inside an instance from taking the real machine's memory."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

_LEAST_BYTES = 2**30
_SHARE = 4  # of the real machine's memory, one part
_FIRST_TO_GO = 500  # of 1000: before the user's own programs, should memory end


def limit_memory() -> None:
    """Bound what each process may take, from here on and below.

    Where memory ends all the same, for many processes together may take more than there is,
    the kernel ends these first.
    """
    real = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    most = max(_LEAST_BYTES, real // _SHARE)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with suppress(OSError):  # there is none outside Linux
        Path("/proc/self/oom_score_adj").write_text(str(_FIRST_TO_GO))
