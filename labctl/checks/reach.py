"""Check `reach`: whether machines of one role can connect to a port of another."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from labctl.checks.asking import Role
from labctl.checks.base import Check, CheckContext, Verdict
from labctl.errors import LabctlError
from labctl.spec.fields import Line, StrictModel
from labctl.transport.scripts import script


class ReachModel(StrictModel):
    """From where, to where, and whether it must be possible."""

    source: Annotated[Role, Field(alias="from", description="The role that tries.")]
    address: Annotated[Line, Field(description="Whom it tries: ${proxy.address}.")]
    port: Annotated[int, Field(ge=1, le=65535, description="The port that it tries.")]
    open: Annotated[bool, Field(description="Whether it must be able to connect.")]


class ReachCheck(Check[ReachModel]):
    """Connects from each machine of a role, by hand as it were; several addresses are all tried."""

    name = "reach"
    model = ReachModel

    def holds(self, context: CheckContext, want: ReachModel) -> Verdict:
        """Try once from every machine."""
        wrong, said = [], []
        for address in want.address.split(","):
            text = script("try-port.sh", host=address, port=str(want.port))
            for machine, end in context.on_role(want.source, text, b"").items():
                if isinstance(end, LabctlError):
                    return Verdict(False, end.message)
                found = end.stdout.decode(errors="replace").strip() or "nothing"
                said.append(f"{machine} to {address}:{want.port}: {found}")
                if (found == "open") != want.open:
                    wrong.append(said[-1])
        return Verdict(bool(said) and not wrong, "; ".join(wrong or said) or "nobody tried")
