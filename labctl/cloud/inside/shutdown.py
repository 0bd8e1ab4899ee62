"""`shutdown` and its kin on a local instance: they end this instance, never the real machine."""

from __future__ import annotations

import os
import sys
import time

from labctl.cloud.inside.control import ask, fail, warn

_NOT_SUPPORTED = 78


def main() -> None:
    """Run the command line of `shutdown`, `poweroff`, `halt` or `reboot`."""
    called = os.path.basename(sys.argv[0])  # noqa: PTH119 - pathlib would double the start-up time
    action = "reboot" if called == "reboot" else "off"
    when = "now" if called != "shutdown" else "+1"
    for argument in sys.argv[1:]:
        if argument in ("-r", "--reboot"):
            action = "reboot"
        elif argument in ("-h", "-P", "-H", "--poweroff", "--halt", "-f", "--force"):
            continue
        elif argument == "now" or argument.lstrip("+").isdigit():
            when = argument
        else:
            fail(f"{argument} is not supported on a local instance", _NOT_SUPPORTED)
    if when == "now":
        _end(action)
        return
    minutes = int(when.lstrip("+"))
    warn(f"shutdown in {minutes} min (this instance only)")
    if os.fork() == 0:
        os.setsid()
        time.sleep(minutes * 60)
        _end(action)


def _end(action: str) -> None:
    answer = ask({"op": "power", "name": action})
    if answer.get("error"):
        fail(answer["error"])
