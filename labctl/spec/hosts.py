"""One existing machine, reached by SSH, as a lab file or the catalogue gives it to a role."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from labctl.spec.fields import StrictModel

# Addresses and users reach command lines (ssh-config, ssh): neither may begin with a dash.
_Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\[:][A-Za-z0-9.:_%\[\]-]{0,252}$")]
_User = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9._-]{0,63}$")]
_PublicKey = Annotated[
    str, StringConstraints(pattern=r"^(ssh-|ecdsa-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\r\n]*)?$")
]


class HostModel(StrictModel):
    """One machine that exists already, as a lab file or the catalogue names it."""

    address: Annotated[_Address, Field(description="Host name or IP address.")]
    port: Annotated[int, Field(ge=1, le=65535, description="The SSH server's port.")] = 22
    user: Annotated[_User, Field(description="The user to log in as.")]
    key: Annotated[
        str | None, Field(description="Private key file; without it, your SSH agent and keys.")
    ] = None
    host_key: Annotated[
        _PublicKey | None, Field(description="The machine's public host key: ssh-ed25519 AAAA...")
    ] = None
    trust_first_use: Annotated[
        bool, Field(description="Accept the host key that the machine shows the first time.")
    ] = False

    @model_validator(mode="after")
    def _host_key_is_known(self) -> HostModel:
        if self.host_key is None and not self.trust_first_use:
            raise ValueError(
                "give the machine's host_key (ssh-keyscan shows it), or trust_first_use: true"
            )
        return self
