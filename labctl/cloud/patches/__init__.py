"""Mends what the emulator only pretends to do, so that a lab meets what it would meet on AWS.

Each file says what it mends and why. Releases of the emulator come often: anything but the
tested one is refused, so that nobody runs half-mended.
"""

from __future__ import annotations

from importlib.metadata import version

from labctl.cloud.patches.fleet import Fleet

_TESTED = "1.5.33"

__all__ = ["Fleet", "apply"]


def apply() -> Fleet:
    """Mend the emulator in this process and return its instances."""
    found = version("ministack")
    if found != _TESTED:
        raise RuntimeError(f"ministack is {found}: its mends are made for {_TESTED}")
    from ministack.services import dynamodb, ec2, ssm

    from labctl.cloud.patches import (
        describing,
        dry_run,
        expressions,
        groups,
        holding,
        images,
        key_pairs,
        launching,
        lifecycle,
        modifying,
    )

    fleet = Fleet(ec2)
    # The last one wraps what the others put in.
    parts = (
        images,
        key_pairs,
        launching,
        lifecycle,
        modifying,
        groups,
        holding,
        describing,
        dry_run,
    )
    for part in parts:
        part.mend(ec2, ssm, fleet)
    expressions.mend(dynamodb)
    return fleet
