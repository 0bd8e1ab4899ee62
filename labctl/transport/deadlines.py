"""When a machine must end by itself: the script that sees to it, and moving it over SSH."""

from __future__ import annotations

import datetime
import math

from labctl.transport.base import Machine, Transport
from labctl.transport.scripts import output_of, script, script_text


def deadline_script(ends_at: float) -> str:
    """Return the script that sets a machine's deadline; systemd reads the date in UTC.

    `ends_at` is in unix seconds; the machine never ends before it.
    """
    seconds = math.ceil(ends_at)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    settings = f"ends_at_s={seconds}\nends_at='{moment:%Y-%m-%d %H:%M:%S} UTC'\n"
    return settings + script_text("deadline.sh")


def move_deadline(transport: Transport, machine: Machine, *, ends_at: float) -> None:
    """Make a machine end itself at another time, in unix seconds, sooner or later than before."""
    moving = script("move-deadline.sh", deadline=deadline_script(ends_at))
    done = transport.run(machine, moving, timeout_s=60)
    output_of(machine, done, doing="moving its deadline")
