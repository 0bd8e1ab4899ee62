"""The emulator's way to answer an EC2 call, with types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Action = Callable[[Params], Answer]


def shown(ec2: Any, root: str, inner: str) -> Answer:  # noqa: ANN401 - the emulator ships no types
    """Return a good answer: an XML document."""
    answer: Answer = ec2._xml(200, root, inner)
    return answer


def refused(ec2: Any, code: str, message: str, status: int = 400) -> Answer:  # noqa: ANN401 - as above
    """Return an error as EC2 puts it; the message must be fit for XML."""
    answer: Answer = ec2._error(code, message, status)
    return answer
