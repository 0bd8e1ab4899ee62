"""`journalctl` on a local instance: the log of one service, its end or as it grows."""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path

from labctl.cloud.inside.control import ask, fail

_NOT_SUPPORTED = 78


def main() -> None:
    """Run the command line."""
    unit, count, follow = _parsed(sys.argv[1:])
    answer = ask({"op": "show", "name": unit.removesuffix(".service")})
    if "log" not in answer:
        fail(answer.get("error", "no such unit"))
    _print(Path(answer["log"]), count=count, follow=follow)


def _parsed(arguments: list[str]) -> tuple[str, int | None, bool]:
    unit, count, follow = "", None, False
    rest = iter(arguments)
    for argument in rest:
        name, _, attached = argument.partition("=")
        if name in ("-u", "--unit"):
            unit = attached or next(rest, "")
        elif name in ("-n", "--lines"):
            count = _number(attached or next(rest, ""))
        elif argument.startswith("-n"):
            count = _number(argument[2:])
        elif argument in ("-f", "--follow"):
            follow = True
        elif argument not in ("--no-pager", "-q", "--quiet"):
            fail(f"the option {argument} is not supported on a local instance", _NOT_SUPPORTED)
    if not unit:
        fail("name a unit with -u: a local instance has no other journal", _NOT_SUPPORTED)
    return unit, 10 if follow and count is None else count, follow


def _number(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit():
        fail(f"{text!r} is no number of lines")
    return int(text)


def _print(log: Path, *, count: int | None, follow: bool) -> None:
    while follow and not log.exists():
        time.sleep(0.2)
    if not log.exists():
        sys.stdout.write("-- No entries --\n")
        return
    with log.open("rb") as lines:
        sys.stdout.buffer.writelines(deque(lines, count))
        while follow:
            sys.stdout.buffer.flush()
            fresh = lines.read()
            if fresh:
                sys.stdout.buffer.write(fresh)
            else:
                time.sleep(0.2)
