"""The image aliases of lab files: where each is published, and as whom one logs in."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """One published machine image, by its public SSM parameter or its publisher and name."""

    parameter: str
    owner: str  # account id of the publisher
    name_pattern: str
    user: str

    def fits(self, name: str) -> bool:
        """Return whether an image of this name is one of these."""
        return fnmatch.fnmatchcase(name, self.name_pattern)


_CANONICAL, _AMAZON = "099720109477", "137112412989"

ALIASES = {
    "ubuntu-24.04": Image(
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        _CANONICAL,
        "ubuntu/images/*24.04-amd64-server*",
        "ubuntu",
    ),
    "ubuntu-22.04": Image(
        # Canonical publishes this release on gp2 only.
        "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
        _CANONICAL,
        "ubuntu/images/*22.04-amd64-server*",
        "ubuntu",
    ),
    "al2023": Image(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        _AMAZON,
        "al2023-ami-2023*-x86_64",
        "ec2-user",
    ),
}


def user_of_image(name: str) -> str:
    """Return the login user of an image by its published name; Amazon's own is the default."""
    if "ubuntu" in name:
        return "ubuntu"
    return "admin" if name.startswith("debian") else "ec2-user"
