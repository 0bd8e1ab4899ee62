"""How many vCPUs an instance type has: by its family and size, without a call to ask for them."""

from __future__ import annotations

import re

# The rule of today's families; those that differ from it follow.
_SIZES = {"nano": 1, "micro": 1, "small": 1, "medium": 1, "large": 2, "xlarge": 4}
_MANY = re.compile(r"(\d{1,3})xlarge")
_TWO = re.compile(r"t(3a?|4g)\.(nano|micro|small|medium)")
_EXCEPTIONS = {
    "t2.medium": 2,
    "c1.medium": 2,
    "c1.xlarge": 8,
    "m1.large": 2,
    "m2.xlarge": 2,
    "m2.2xlarge": 4,
    "m2.4xlarge": 8,
    "c4.8xlarge": 36,
}
_UNKNOWN = 96  # a whole server (`.metal`): too many rather than too few


def vcpus_of(instance_type: str) -> int:
    """Return the vCPUs of a type; one whose size says nothing counts as a whole server."""
    if instance_type in _EXCEPTIONS:
        return _EXCEPTIONS[instance_type]
    if _TWO.fullmatch(instance_type):
        return 2
    size = instance_type.partition(".")[2]
    if many := _MANY.fullmatch(size):
        return 4 * int(many[1])
    return _SIZES.get(size, _UNKNOWN)
