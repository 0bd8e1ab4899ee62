"""What happened, as facts in the past tense: the one language of the core and its faces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened; the sink that records it adds the time."""

    known: ClassVar[dict[str, type[Event]]] = {}

    def __init_subclass__(cls) -> None:
        Event.known[cls.__name__] = cls


@dataclass(frozen=True, kw_only=True)
class TargetReady(Event):
    """The target answered, and the credentials are good."""

    target: str
    account: str
    region: str
    endpoint: str | None


@dataclass(frozen=True, kw_only=True)
class PhaseStarted(Event):
    """A phase of a command began: target, plan, provision, machines, agents, jobs, checks."""

    phase: str


@dataclass(frozen=True, kw_only=True)
class PhaseEnded(Event):
    """A phase ended, after `seconds`."""

    phase: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class PlanMade(Event):
    """The plan stands; one mapping a step: action, resource, kind, name, reason.

    `expected_s` is a guess from what was measured before; None where nothing is known.
    """

    steps: tuple[Mapping[str, Any], ...]
    price_per_hour_usd: float
    expected_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    """A step of the plan began."""

    step: str
    action: str
    resource: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class StepProgressed(Event):
    """A step that takes its time said how far it is."""

    step: str
    message: str


@dataclass(frozen=True, kw_only=True)
class StepRetried(Event):
    """A step met a passing refusal and waits `delay_s` before its next attempt."""

    step: str
    attempt: int
    delay_s: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class StepFinished(Event):
    """A step of the plan was done, after `seconds`."""

    step: str
    action: str
    resource: str
    kind: str
    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StepFailed(Event):
    """A step of the plan failed for good."""

    step: str
    action: str
    resource: str
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class ResourceReady(Event):
    """A resource stands and can be used."""

    resource: str
    kind: str
    name: str
    id: str
    members: int = 0


@dataclass(frozen=True, kw_only=True)
class ResourceDeleted(Event):
    """A resource is gone from the target."""

    resource: str
    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class MachineReady(Event):
    """A machine runs commands over SSH."""

    machine: str
    id: str
    address: str
    port: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class AgentReady(Event):
    """An agent runs on a machine; `changed` when it was pushed or restarted for that."""

    agent: str
    machine: str
    changed: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class MachineDrained(Event):
    """A machine that leaves its role has finished or returned the jobs that it held."""

    machine: str
    id: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class JobsSent(Event):
    """`count` of `total` jobs have been sent so far."""

    count: int
    total: int


@dataclass(frozen=True, kw_only=True)
class JobFinished(Event):
    """A job's one result was recorded; body and answer are not yet harmless.

    `body` is what was sent, at most the first thousand characters; times are unix seconds.
    """

    job_id: str
    body: str
    sent_at: float
    state: str
    worker: str
    attempt: int
    latency_ms: float
    answer: str


@dataclass(frozen=True, kw_only=True)
class QueueSampled(Event):
    """A queue's depth was read."""

    queue: str
    visible: int
    in_flight: int
    delayed: int


@dataclass(frozen=True, kw_only=True)
class MachineSampled(Event):
    """A machine was looked at; it is told to whoever looks, and kept in no file.

    `services` are the states by agent; `cpu_s` the seconds of processor time that its agents,
    with the process ids `pids`, have used; `log` the ends of their logs, not yet harmless. `why`
    says why it could not be reached, and then nothing else is known.
    """

    machine: str
    id: str
    address: str
    port: int
    services: Mapping[str, str] = field(default_factory=dict)
    pids: tuple[int, ...] = ()
    cpu_s: float = 0.0
    memory_bytes: int = 0
    log: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckPassed(Event):
    """A check of the lab holds."""

    check: str
    say: str


@dataclass(frozen=True, kw_only=True)
class CheckFailed(Event):
    """A check of the lab did not hold by its deadline."""

    check: str
    say: str
    why: str


@dataclass(frozen=True, kw_only=True)
class CheckSkipped(Event):
    """A check of the lab means nothing on this target, and was not made."""

    check: str
    say: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """Something the user should know that does not stop the command."""

    message: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class CredentialsExpiring(Event):
    """The keys of `source` end in `left_s` seconds; `about` when that is an estimate."""

    source: str
    left_s: float
    about: bool


@dataclass(frozen=True, kw_only=True)
class CredentialsExpired(Event):
    """Calls wait for new keys, for `waits_s` seconds at most; `remedy` says where to put them."""

    source: str
    why: str
    remedy: str
    waits_s: float


@dataclass(frozen=True, kw_only=True)
class CredentialsRenewed(Event):
    """New keys were proved and taken; what waited `waited_s` seconds for them goes on.

    `ends_at` is when they end, in unix seconds, 0 where that is not known; `about` when it is
    estimated.
    """

    source: str
    waited_s: float
    ends_at: float
    about: bool


@dataclass(frozen=True, kw_only=True)
class KeysPushed(Event):
    """Machines got the present keys, in a file that only they can read."""

    machines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FaultBegan(Event):
    """A harm was done on purpose to a machine; `what` is the fault in words.

    `until` is when who did it undoes it, in unix seconds, 0 where it stays until it is cleared;
    one that is done `once` is over already.
    """

    fault: str
    what: str
    machine: str
    id: str
    until: float
    once: bool = False


@dataclass(frozen=True, kw_only=True)
class FaultEnded(Event):
    """A fault was undone, after `seconds`; `gone` when its machine is no more.

    `jobs` counts those that a run had meanwhile, by what became of them; empty where none ran.
    """

    fault: str
    what: str
    machine: str
    id: str
    seconds: float
    gone: bool = False
    jobs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SweepMade(Event):
    """Every kind was asked for what bears the session's tags; `found` names what was there."""

    sweep: int
    found: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TeardownProved(Event):
    """What a teardown deleted, the kinds it looked for afterwards, and what is left."""

    lab: str
    session: str
    ok: bool
    deleted: tuple[str, ...]
    looked_for: tuple[str, ...]
    left: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class UpFinished(Event):
    """The lab stands; `changed` counts the steps that changed something."""

    lab: str
    session: str
    ok: bool
    changed: int
    phases_s: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class EndMoved(Event):
    """A session ends at another time: record, tags and machines say so; unix seconds.

    `left_s` is how long it lives from now; `was_over` tells that its time had run out.
    """

    lab: str
    session: str
    before: float
    after: float
    left_s: float
    was_over: bool


@dataclass(frozen=True, kw_only=True)
class ScaleFinished(Event):
    """A role has another number of machines, all of them ready."""

    lab: str
    session: str
    role: str
    before: int
    machines: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """A run ended: its jobs, their rate and latency, and the seconds of each phase."""

    lab: str
    session: str
    ok: bool
    jobs: Mapping[str, int]
    jobs_per_s: float
    latency_ms: Mapping[str, float]
    phases_s: Mapping[str, float] = field(default_factory=dict)


def as_record(event: Event) -> dict[str, Any]:
    """Return an event as plain data that JSON can hold, its name under `event`."""
    return {"event": type(event).__name__, **dataclasses.asdict(event)}


def from_record(record: Mapping[str, Any]) -> Event | None:
    """Return the event that `as_record` wrote; None when this version does not know it."""
    kind = Event.known.get(str(record.get("event")))
    if kind is None:
        return None
    names = {known.name for known in dataclasses.fields(kind)}
    values = {name: _frozen(value) for name, value in record.items() if name in names}
    try:
        return kind(**values)
    except TypeError:  # an event of another version, with other fields
        return None


def _frozen(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return tuple(value) if isinstance(value, list) else value
