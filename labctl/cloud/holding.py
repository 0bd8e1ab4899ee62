"""How the instance host is told to hold back an instance's traffic: by tags of the instance."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping

CUT_OFF = "labctl:cut-off"
DELAY = "labctl:delay"
_A_TAG = 16  # addresses, of 15 characters at most: a tag's value has 256
_DELAY = re.compile(r"(\d{1,5}) (\d{1,5})")


def tags_of_cut(addresses: Collection[str]) -> dict[str, str]:
    """Return the tags that say from which addresses an instance is cut off."""
    listed = sorted(addresses)
    pages = [listed[at : at + _A_TAG] for at in range(0, len(listed), _A_TAG)]
    return {f"{CUT_OFF}-{number}": " ".join(page) for number, page in enumerate(pages)}


def tags_of_delay(delay_ms: int, jitter_ms: int) -> dict[str, str]:
    """Return the tag that says how long an instance's traffic waits."""
    return {DELAY: f"{delay_ms} {jitter_ms}"}


def is_of_cut(key: str) -> bool:
    """Tell whether a tag's key is one of a cut."""
    return key.startswith(f"{CUT_OFF}-")


def cut_in(tags: Mapping[str, str]) -> list[str]:
    """Return the addresses that an instance is cut off from; what is none is passed over."""
    words = [word for key, value in tags.items() if is_of_cut(key) for word in value.split()]
    return sorted({word for word in words if _is_address(word)})


def _is_address(word: str) -> bool:
    try:
        ipaddress.IPv4Address(word)
    except ValueError:
        return False
    return True


def delay_in(tags: Mapping[str, str]) -> tuple[int, int]:
    """Return delay and jitter of an instance's traffic in milliseconds; 0 for none."""
    found = _DELAY.fullmatch(tags.get(DELAY, ""))
    return (int(found[1]), int(found[2])) if found else (0, 0)
