"""What is kept of a crash: where it happened, never what was in the variables."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from labctl.paths import private_folder, state_folder, write_private
from labctl.text import masked


def write_crash(error: BaseException) -> Path | None:
    """Write a traceback without locals, secrets masked, for its owner only; None: it could not."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        file = private_folder(state_folder() / "crashes") / f"screen-{stamp}.txt"
        write_private(file, masked("".join(lines)))
    except OSError:
        return None
    return file


def crash_line(error: BaseException, file: Path | None) -> str:
    """Return the one line that a user sees of a crash."""
    where = f"; what happened is in {file}" if file else ""
    return f"labctl: the screen broke ({type(error).__name__}); labs that are up stay up{where}"
