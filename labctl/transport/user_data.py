"""Writes what a new machine reads on its first boot: its host key, and when it must end."""

from __future__ import annotations

import datetime
import math
import string
import textwrap

from labctl.paths import shipped
from labctl.transport.host_keys import KeyPair
from labctl.transport.scripts import script_text


def user_data(host_key: KeyPair, *, ends_at: float | None) -> str:
    """Return a cloud-config with a pinned host key, and a timer for the end of the machine.

    `ends_at` is in unix seconds: then an EC2 instance shuts itself down, also when labctl and its
    credentials are long gone. Anyone who may read the instance's attributes can read the text.
    """
    template = shipped("templates", "user-data.yaml").read_text(encoding="utf-8")
    return string.Template(template).substitute(
        private_key=textwrap.indent(host_key.private.strip(), "    "),
        public_key=host_key.public,
        deadline="" if ends_at is None else _deadline(ends_at),
    )


def _deadline(ends_at: float) -> str:
    """Return the cloud-config's `runcmd` that sets the timer; systemd reads the date in UTC."""
    seconds = math.ceil(ends_at)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    settings = f"ends_at_s={seconds}\nends_at='{moment:%Y-%m-%d %H:%M:%S} UTC'\n"
    body = textwrap.indent(settings + script_text("deadline.sh"), " " * 6)
    return f"runcmd:\n  - - bash\n    - -c\n    - |\n{body}"
