"""The process that one picture at a time is worked in: `python -m images_worker.studio`.

A decoder that crashes, hangs or eats memory takes this process with it and no more. Each line of
its input asks for one picture, in JSON; each line of its output answers. It ends with its input,
and in the middle of a picture too when the worker dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import select
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from images_worker import decoding, encoding
from images_worker.operations import BRIGHTNESS_ONLY, DECODED_AT_LEAST, MOVES_ONLY, OPERATIONS
from images_worker.refusals import Refused

SOURCE, TARGET = "in", "out"
# Measured: of 25 million pixels with transparency, noise written as WEBP takes 1,115 MiB; all
# other formats take less than 500.
_ADDRESS_SPACE_BYTES = 1200 * 2**20
_BLOATED_BYTES = 128 * 2**20
_RESULT_BYTES = 160 * 2**20
_MEMORY = "the picture needs more memory than one picture may take"


def develop(folder: Path, operation: str, format_: str) -> None:
    """Do an operation to the file `in` of a folder and write the file `out`.

    Raises `Refused` when it cannot be done.
    """
    with warnings.catch_warnings(), (folder / SOURCE).open("rb") as source:
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = decoding.read_picture(
            source,
            at_least=DECODED_AT_LEAST.get(operation),
            gray=operation in BRIGHTNESS_ONLY,
        )
        palette = image.mode in ("P", "PA")
        if operation not in MOVES_ONLY or not encoding.takes_as_it_is(image, format_):
            image = decoding.plain(image)
            if not encoding.holds_transparency(format_):
                image = decoding.on_white(image)
        image = OPERATIONS[operation](image)
        encoding.write_picture(image, folder / TARGET, format_, palette=palette)


def main(lifeline: int) -> None:
    """Answer requests until the input ends, or until the pipe `lifeline` does."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints must not pass for an answer
    _limit_harm()
    _end_with(lifeline)
    _say(answers, {"ready": True})
    for line in sys.stdin.buffer:
        answer = _answer(json.loads(line))
        if answer.get("spent") or _resident_bytes() > _BLOATED_BYTES:
            # What is left of memory is in pieces; the worker opens another studio.
            _say(answers, {**answer, "spent": True})
            return
        _say(answers, answer)


def _answer(request: dict[str, str]) -> dict[str, Any]:
    try:
        develop(Path(request["folder"]), request["operation"], request["format"])
    except Refused as refusal:
        return {"refused": str(refusal)}
    except MemoryError:
        return {"refused": _MEMORY, "spent": True}
    return {}


def _say(answers: Any, answer: dict[str, Any]) -> None:  # noqa: ANN401 - a text file
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _limit_harm() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_RESULT_BYTES, _RESULT_BYTES))
    # Signals to the whole group are for the worker, which ends this process in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A machine that runs out of memory should end this process and not the worker.
    badness = Path("/proc/self/oom_score_adj")
    if badness.exists():
        badness.write_text("1000")


def _end_with(lifeline: int) -> None:
    """Let the end of a pipe raise SIGIO, which ends this process in the midst of a decoder too.

    Nothing is ever written to that pipe, for a write raises it as well.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    ended = select.poll()
    ended.register(lifeline, 0)
    if ended.poll(0):  # before it could raise anything
        sys.exit()


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main(int(sys.argv[1]))
