"""Writes what a new machine reads on its first boot: its host key, and when it must end."""

from __future__ import annotations

import string
import textwrap

from labctl.paths import shipped
from labctl.transport.deadlines import deadline_script
from labctl.transport.host_keys import KeyPair


def user_data(host_key: KeyPair, *, ends_at: float | None) -> str:
    """Return a cloud-config with a pinned host key, and a timer for the end of the machine.

    `ends_at` is in unix seconds: then an instance shuts itself down, also when labctl and its
    credentials are long gone. Anyone who may read the instance's attributes can read the text.
    """
    template = shipped("templates", "user-data.yaml").read_text(encoding="utf-8")
    return string.Template(template).substitute(
        private_key=textwrap.indent(host_key.private.strip(), "    "),
        public_key=host_key.public,
        deadline="" if ends_at is None else _runcmd(deadline_script(ends_at)),
    )


def _runcmd(text: str) -> str:
    return f"runcmd:\n  - - bash\n    - -c\n    - |\n{textwrap.indent(text, ' ' * 6)}"
