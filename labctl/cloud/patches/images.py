"""Images: the public parameters of the images that labs name, and an Ubuntu 24.04 to go with them.

The emulator knows the parameter of Amazon Linux only, and no current Ubuntu.
"""

from __future__ import annotations

from typing import Any

from labctl.cloud.images import IMAGES
from labctl.cloud.patches.fleet import Fleet


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Add the parameters and the missing images."""
    known = {stub[0] for stub in ec2._STUB_AMIS}
    for image in IMAGES:
        ssm._PUBLIC_AMI_PARAMETERS[image.parameter] = image.id
        if image.id not in known:
            ec2._STUB_AMIS.append(
                (image.id, image.name, image.alias, "", "/dev/sda1", image.owner, None)
            )
