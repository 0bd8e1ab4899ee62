"""What a session's events add up to: the one model that every panel draws; pure, no terminal.

Whatever the events and their order, folding them neither fails nor grows without bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from labctl import events as e
from labctl.telling import VERBS, line_of
from labctl.tui.bench_view import BenchesView, BenchEvent
from labctl.tui.faults_view import FaultsView
from labctl.tui.keys_view import KeysEvent, KeysView
from labctl.tui.machine_view import MachineView

LabState = Literal["not started", "starting", "up", "paused", "failed", "ending", "stopped"]
GOING_ON = ("starting", "ending")
Level = Literal["info", "warning", "error"]

_SAMPLES_KEPT = 600
_LOG_KEPT = 5000
_LOG_LINE = 1000  # characters
_RECENT_KEPT = 20
_NAMED_KEPT = 2000  # resources, machines, queues or checks: a foreign file must not fill memory
_WARNINGS = (
    e.Warned,
    e.StepRetried,
    e.CredentialsExpiring,
    e.CredentialsExpired,
    e.FaultBegan,
)
_BRINGING_UP = ("provision", "machines", "agents")


@dataclass
class ResourceView:
    """A resource as the events tell of it; `recent` are its latest lines with their times."""

    name: str
    kind: str = ""
    physical_name: str = ""
    id: str = ""
    state: str = "planned"
    members: int = 0
    since: float = 0.0
    recent: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=_RECENT_KEPT))


@dataclass(frozen=True)
class Sample:
    """A queue's depth at a unix time."""

    at: float
    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


@dataclass
class QueueView:
    """A queue's samples, the latest last."""

    name: str
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))

    @property
    def last(self) -> Sample | None:
        return self.samples[-1] if self.samples else None

    def net_per_s(self, over_s: float = 10.0) -> float:
        """Return by how many messages a second it has grown lately; negative when it empties."""
        if len(self.samples) < 2:
            return 0.0
        last = self.samples[-1]
        first = next(
            (sample for sample in self.samples if last.at - sample.at <= over_s), self.samples[0]
        )
        took = last.at - first.at
        return (last.total - first.total) / took if took > 0 else 0.0

    def flow_per_s(self, over_s: float = 10.0) -> tuple[float, float]:
        """Return how many messages a second have come and gone lately, at least.

        What came and went between two samples is seen by no one.
        """
        recent = [each for each in self.samples if self.samples[-1].at - each.at <= over_s]
        changes = [after.total - before.total for before, after in pairwise(recent)]
        took = recent[-1].at - recent[0].at if recent else 0.0
        if took <= 0:
            return 0.0, 0.0
        came = sum(change for change in changes if change > 0)
        return came / took, (came - sum(changes)) / took

    def empty_in_s(self) -> float | None:
        """Return about when it will be empty, as it goes now; None when it does not get emptier."""
        net, last = self.net_per_s(), self.last
        return last.total / -net if last and net < 0 else None


@dataclass(frozen=True)
class CheckView:
    """A check's latest verdict (None: it was skipped); `why` it does not hold, or was."""

    id: str
    say: str
    ok: bool | None
    why: str
    at: float


@dataclass(frozen=True)
class LogLine:
    """One line of the event stream."""

    at: float
    level: Level
    source: str  # the event's name
    text: str


@dataclass
class JobsView:
    """How a run's jobs stand, as far as events tell: the store knows each of them."""

    sent: int = 0
    total: int = 0
    done: int = 0
    failed: int = 0
    finished: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=5000))
    changes: int = 0  # grows with each job: a panel knows by it that the store has news

    def per_s(self, now: float, over_s: float = 10.0) -> float:
        """Return how many jobs a second were finished in the last seconds."""
        recent = sum(1 for at, _ in self.finished if 0 <= now - at <= over_s)
        return recent / over_s


@dataclass
class SessionView:
    """Everything that the panels show of one session."""

    state: LabState = "not started"
    phase: str = ""
    target: str = ""
    account: str = ""
    region: str = ""
    price_per_hour_usd: float = 0.0
    plan: tuple[Mapping[str, Any], ...] = ()
    resources: dict[str, ResourceView] = field(default_factory=dict)
    queues: dict[str, QueueView] = field(default_factory=dict)
    machines: dict[str, MachineView] = field(default_factory=dict)
    checks: dict[str, CheckView] = field(default_factory=dict)
    jobs: JobsView = field(default_factory=JobsView)
    benchmarks: BenchesView = field(default_factory=BenchesView)
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=_LOG_KEPT))
    logged: int = 0  # lines ever logged: the number of the latest
    proof: e.TeardownProved | None = None
    result: e.RunFinished | None = None
    problem: str = ""  # the latest thing that went wrong, until something succeeds
    version: int = 0  # grows with every event
    left_in: str = ""  # the phase in which whoever worked on it was stopped
    keys: KeysView = field(default_factory=KeysView)
    faults: FaultsView = field(default_factory=FaultsView)

    @property
    def shown(self) -> LabState:
        """The state, `paused` while calls wait for new keys, whatever they do."""
        return "paused" if self.keys.waits else self.state

    def leave(self) -> bool:
        """Take into account that nobody works on it now; return whether that changes anything."""
        waited = self.keys.leave() | self.benchmarks.leave()
        self.phase = "" if self.phase == "bench" else self.phase  # the lab stands as it did
        # Checks may be run without a lock, by any screen.
        if self.state not in GOING_ON and self.phase in ("", "target", "checks"):
            self.version += waited
            return waited
        self.left_in, self.phase = self.phase or self.state, ""
        self.state = "stopped" if self.state in GOING_ON else self.state
        self.version += 1
        return True

    def fold(self, at: float, event: e.Event, *, here: bool = False) -> None:
        """Take one more event into account; `here` when only this screen was told."""
        self.version += 1
        if not isinstance(event, KeysEvent) or self.keys.take(at, event, here=here):
            self._log(at, event)
        match event:
            case e.TargetReady():
                self.target, self.account, self.region = event.target, event.account, event.region
            case e.PhaseStarted():
                self._phase_started(event.phase)
            case e.PhaseEnded():
                self.phase = ""
            case e.PlanMade():
                self._planned(event)
            case e.StepStarted() | e.StepFinished() | e.StepFailed() | e.StepRetried():
                self._step(at, event)
            case e.ResourceReady():
                self._resource_ready(at, event)
            case e.ResourceDeleted():
                if event.resource in self.resources:
                    self.resources[event.resource].state = "deleted"
            case e.MachineReady() | e.AgentReady() | e.MachineDrained() | e.MachineSampled():
                self._machine(at, event)
            case e.JobsSent():
                self.jobs.sent, self.jobs.total = event.count, event.total
            case e.JobFinished():
                self._job(at, event)
            case e.QueueSampled():
                self._sample(at, event)
            case e.FaultBegan() | e.FaultEnded():
                self.faults.take(event)
            case e.CheckPassed():
                self._check(CheckView(event.check, event.say, True, "", at))
            case e.CheckFailed():
                self._check(CheckView(event.check, event.say, False, event.why, at))
            case e.CheckSkipped():
                self._check(CheckView(event.check, event.say, None, event.why, at))
            case _ if isinstance(event, BenchEvent):
                self.benchmarks.take(event)
            case e.TeardownProved() | e.UpFinished() | e.RunFinished():
                self._ended(event)

    def _log(self, at: float, event: e.Event) -> None:
        text = line_of(event)
        if text is None:
            return
        level: Level = "info"
        if isinstance(event, e.StepFailed | e.CheckFailed):
            level = "error"
        elif isinstance(event, _WARNINGS):
            level = "warning"
        self.log.append(LogLine(at, level, type(event).__name__, text[:_LOG_LINE].strip()))
        self.logged += 1

    def _phase_started(self, phase: str) -> None:
        self.phase, self.left_in = phase, ""
        if phase in _BRINGING_UP and self.state != "up":
            self.state = "starting"
        if phase == "jobs":
            self.jobs = JobsView(changes=self.jobs.changes + 1)

    def _planned(self, event: e.PlanMade) -> None:
        self.plan, self.price_per_hour_usd = event.steps, event.price_per_hour_usd
        for step in event.steps[:_NAMED_KEPT]:
            name, kind = str(step.get("resource", "")), str(step.get("kind", ""))
            if step.get("action") == "push" or not name:
                continue
            known = self._resource(name)
            if known is None:
                continue
            known.kind, known.physical_name = kind, str(step.get("name", ""))
            if step.get("action") == "create":
                known.state = "planned"
            elif step.get("action") == "keep":
                known.state = "up"

    def _step(
        self, at: float, event: e.StepStarted | e.StepFinished | e.StepFailed | e.StepRetried
    ) -> None:
        name = event.step.partition(":")[0]
        resource = name if isinstance(event, e.StepRetried) else event.resource
        if name.startswith("agents."):
            self.problem = event.message if isinstance(event, e.StepFailed) else self.problem
            return
        view = self._resource(resource)
        if view is None:
            return
        if not isinstance(event, e.StepStarted):
            view.recent.append((at, (line_of(event) or "")[:_LOG_LINE].strip()))
        if isinstance(event, e.StepStarted):
            view.recent.append((at, f"{VERBS.get(event.action, event.action)}..."))
            view.state, view.kind = f"{event.action}...", event.kind or view.kind
            self.state = "ending" if event.action == "delete" and not self.phase else self.state
        elif isinstance(event, e.StepFailed):
            view.state, self.problem, self.state = "failed", event.message, "failed"
        elif isinstance(event, e.StepFinished):
            view.state = "deleted" if event.action == "delete" else "up"
            view.since = at

    def _resource(self, name: str) -> ResourceView | None:
        if name not in self.resources and len(self.resources) < _NAMED_KEPT:
            self.resources[name] = ResourceView(name)
        return self.resources.get(name)

    def _resource_ready(self, at: float, event: e.ResourceReady) -> None:
        view = self._resource(event.resource)
        if view is not None:
            view.kind, view.physical_name, view.id = event.kind, event.name, event.id
            view.state, view.members, view.since = "up", event.members, at

    def _machine(
        self,
        at: float,
        event: e.MachineReady | e.AgentReady | e.MachineDrained | e.MachineSampled,
    ) -> None:
        if event.machine not in self.machines and len(self.machines) >= _NAMED_KEPT:
            return
        if isinstance(event, e.MachineDrained):
            self.machines.pop(event.machine, None)
            return
        view = self.machines.setdefault(event.machine, MachineView(event.machine))
        if isinstance(event, e.MachineSampled):
            view.take(at, event)
        elif isinstance(event, e.AgentReady):
            if event.agent in view.agents or len(view.agents) < _NAMED_KEPT:
                view.agents[event.agent.removeprefix("labctl-")] = "active"
        else:
            view.id, view.address, view.port = event.id, event.address, event.port
            view.state, view.since = "ready", at

    def _job(self, at: float, event: e.JobFinished) -> None:
        self.jobs.changes += 1
        self.jobs.finished.append((at, event.state))
        if event.state == "done":
            self.jobs.done += 1
        else:
            self.jobs.failed += 1

    def _sample(self, at: float, event: e.QueueSampled) -> None:
        if event.queue not in self.queues and len(self.queues) >= _NAMED_KEPT:
            return
        queue = self.queues.setdefault(event.queue, QueueView(event.queue))
        if not queue.samples or queue.samples[-1].at <= at:
            queue.samples.append(Sample(at, event.visible, event.in_flight, event.delayed))

    def _check(self, check: CheckView) -> None:
        if check.id in self.checks or len(self.checks) < _NAMED_KEPT:
            self.checks[check.id] = check

    def _ended(self, event: e.TeardownProved | e.UpFinished | e.RunFinished) -> None:
        self.phase = ""
        self.keys.leave()
        if isinstance(event, e.TeardownProved):
            self.proof, self.machines, self.queues = event, {}, {}
            self.faults = FaultsView()
            self.state = "not started" if event.ok else "failed"
            self.problem = "" if event.ok else f"left: {', '.join(event.left)}"
            for view in self.resources.values():
                view.state = "deleted"
            return
        self.proof = None
        if isinstance(event, e.RunFinished):
            self.result = event
        if isinstance(event, e.UpFinished) or "checks" in event.phases_s:
            self.state, self.problem = "up", ""
