"""What the events tell of one machine: where it is reached, what runs on it, how it does."""

from __future__ import annotations

from dataclasses import dataclass, field

from labctl.events import MachineSampled

_LOG_KEPT = 100
_LINE_KEPT = 1000


@dataclass
class MachineView:
    """A machine and its agents; what a sample tells is of `heard`, a unix time, or unknown (0)."""

    name: str
    id: str = ""
    address: str = ""
    port: int = 0
    state: str = "starting"
    since: float = 0.0
    agents: dict[str, str] = field(default_factory=dict)
    heard: float = 0.0
    cpu_percent: float | None = None  # of one processor, between the last two samples
    memory_bytes: int = 0
    log: tuple[str, ...] = ()
    why: str = ""  # why it does not answer
    _last: tuple[float, tuple[int, ...], float] = (0.0, (), 0.0)

    def take(self, at: float, sample: MachineSampled) -> None:
        """Take a sample into account."""
        self.id, self.address, self.port = sample.id, sample.address, sample.port
        self.why = sample.why
        if sample.why:
            # Until it was heard of for the first time it is not silent: it has yet to begin.
            self.state = "silent" if self.heard or self.state == "ready" else self.state
            return
        self.state, self.heard = "ready", at
        self.agents = dict(sample.services)
        self.memory_bytes = sample.memory_bytes
        self.log = tuple(line[:_LINE_KEPT] for line in sample.log[-_LOG_KEPT:])
        last_at, last_pids, last_cpu_s = self._last
        took = at - last_at
        same = last_at and sample.pids == last_pids and took > 0
        used = max(0.0, sample.cpu_s - last_cpu_s)
        self.cpu_percent = 100 * used / took if same else None
        self._last = (at, sample.pids, sample.cpu_s)
