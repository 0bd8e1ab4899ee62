"""How long a worker leaves a busy service alone: longer each time, and never for long."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ClientError

from job_runtime.cloud import Cloud, Stopping


class Pauses(threading.Event):
    """An event that notes how long it is waited for, and is set after so many waits."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.noted: list[float] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        self.noted.append(timeout or 0.0)
        return len(self.noted) >= self._most


def test_a_throttled_call_is_repeated_after_growing_jittered_pauses() -> None:
    pauses = Pauses(10)

    def throttled() -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "ReceiveMessage")

    with pytest.raises(Stopping):
        Cloud().patiently(throttled, until=pauses)
    longest = [min(0.1 * 2**number, 5.0) for number in range(10)]
    for pause, most in zip(pauses.noted, longest, strict=True):
        assert most / 2 <= pause <= most
