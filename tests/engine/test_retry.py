"""What passes is tried again with growing pauses; what does not pass is told at once."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ClientError

from labctl.engine.retry import FIRST_DELAY_S, LONGEST_DELAY_S, with_retries
from labctl.errors import Interrupted, TargetError


class Clock(threading.Event):
    """A cancel event that nobody waits for: it keeps the pauses, and is set after some."""

    def __init__(self, *, cancel_after: int = 1000) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._cancel_after = cancel_after

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        return len(self.pauses) >= self._cancel_after


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "CreateQueue")


class Service:
    """Refuses with these codes in turn, then answers."""

    def __init__(self, *codes: str) -> None:
        self.codes = list(codes)
        self.attempts: list[int] = []

    def __call__(self, attempt: int) -> str:
        self.attempts.append(attempt)
        if self.codes:
            raise refused(self.codes.pop(0))
        return "made"


def call(service: Service, clock: Clock) -> tuple[str, list[tuple[int, float, str]]]:
    told: list[tuple[int, float, str]] = []
    made = with_retries(
        service,
        cancelled=clock,
        on_retry=lambda attempt, delay_s, reason: told.append((attempt, delay_s, reason)),
    )
    return made, told


@pytest.mark.parametrize("code", ["Throttling", "RequestLimitExceeded", "SlowDown"])
def test_throttling_is_waited_out_and_told(code: str) -> None:
    service, clock = Service(code, code), Clock()
    made, told = call(service, clock)
    assert made == "made"
    assert service.attempts == [1, 2, 3]
    assert [attempt for attempt, _, _ in told] == [1, 2]
    assert [delay_s for _, delay_s, _ in told] == clock.pauses
    assert "CreateQueue" in told[0][2]


def test_the_pauses_grow_to_a_bound_and_are_never_alike() -> None:
    clock = Clock()
    call(Service(*["Throttling"] * 12), clock)
    bounds = [min(FIRST_DELAY_S * 2**index, LONGEST_DELAY_S) for index in range(12)]
    pairs = list(zip(clock.pauses, bounds, strict=True))
    assert all(bound / 2 <= pause <= bound for pause, bound in pairs)
    assert len(set(clock.pauses)) == 12  # many labctls that were throttled together spread out


@pytest.mark.parametrize("code", ["DependencyViolation", "InternalError", "DeleteConflict"])
def test_what_is_in_the_way_for_a_while_is_waited_out(code: str) -> None:
    assert call(Service(code), Clock())[0] == "made"


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "InvalidParameterValue"])
def test_what_does_not_pass_is_told_at_once(code: str) -> None:
    service, clock = Service(code), Clock()
    with pytest.raises(TargetError):
        call(service, clock)
    assert (service.attempts, clock.pauses) == ([1], [])


def test_it_gives_up_with_the_last_refusal() -> None:
    service = Service("Throttling", "Throttling")
    with pytest.raises(TargetError, match="CreateQueue"):
        with_retries(
            service,
            cancelled=Clock(),
            on_retry=lambda attempt, delay_s, reason: None,
            give_up_after_s=0.0,
        )
    assert service.attempts == [1]


def test_a_cancel_ends_the_pause() -> None:
    service = Service(*["Throttling"] * 9)
    with pytest.raises(Interrupted):
        call(service, Clock(cancel_after=2))
    assert service.attempts == [1, 2]
