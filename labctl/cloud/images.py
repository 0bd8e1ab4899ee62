"""The machine images that local instances can be started from, by alias."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """One image: its id here, the login user, and the public parameter that names it on AWS."""

    alias: str
    id: str
    user: str
    name: str
    owner: str
    parameter: str


IMAGES = (
    Image(
        alias="ubuntu-24.04",
        id="ami-0a2404ab2404ab240",
        user="ubuntu",
        name="ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server",
        owner="099720109477",
        parameter="/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
    ),
    Image(
        alias="ubuntu-22.04",
        id="ami-0123456789abcdef0",  # the id that the emulator itself gives this image
        user="ubuntu",
        name="ubuntu/images/hvm-ssd/ubuntu-22.04-amd64-server",
        owner="099720109477",
        parameter="/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
    ),
    Image(
        alias="al2023",
        id="ami-0c2023a1b2c3d4e5f",  # likewise
        user="ec2-user",
        name="al2023-ami-2023.6.20241010.0-kernel-6.1-x86_64",
        owner="137112412989",
        parameter="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    ),
)
_ANY_IMAGE_USERS = ("ubuntu", "ec2-user", "admin")


def image_by_alias(alias: str) -> Image | None:
    """Return the image of an alias such as `ubuntu-24.04`."""
    return next((image for image in IMAGES if image.alias == alias), None)


def login_users(image_id: str) -> tuple[str, ...]:
    """Return the names that may log in; the first one owns the home folder.

    An id that is none of ours may be any distribution's: its usual names are all accepted.
    """
    for image in IMAGES:
        if image.id == image_id:
            return (image.user,)
    return _ANY_IMAGE_USERS
