"""Asks the gatekeeper of a lab on its own machine, and makes sense of what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from labctl.errors import LabctlError
from labctl.spec.fields import ResourceName
from labctl.text import one_line
from labctl.transport.parallel import OnRole
from labctl.transport.scripts import script

Gatekeeper = Annotated[
    str,
    ResourceName(("ec2.instance",)),
    Field(description="The role whose machine runs the gatekeeper."),
]
Port = Annotated[int, Field(ge=1, le=65535, description="Where the gatekeeper listens.")]


def ask_gatekeeper(
    on_role: OnRole,
    *,
    role: str,
    place: str,
    requests: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return the gatekeeper's answers, each with its `status` (0: none) and `ms`.

    `place` is its address and port, which its own machine reaches.
    Raises `LabctlError` when its machine cannot be asked.
    """
    lines = "".join(
        json.dumps({"url": f"http://{place}", **request}) + "\n" for request in requests
    )
    for machine, end in on_role(f"{role}.0", script("ask-gatekeeper.sh"), lines.encode()).items():
        if isinstance(end, LabctlError):
            raise end
        if end.status != 0:
            said = end.stderr.decode(errors="replace").strip().splitlines()[-2:]
            raise LabctlError(f"{machine}: {one_line(' '.join(said))}", "see `labctl logs`")
        return [json.loads(line) for line in end.stdout.splitlines()]
    raise LabctlError(f"{role} has no machine", "labctl up brings the lab up")
