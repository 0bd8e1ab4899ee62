"""What the proxy counts, in the text that Prometheus reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from db_proxy.server import Server

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass
class Metrics:
    """Counters since the start; a node is a server's name, or `none`."""

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # mode, node, status
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))  # by mode
    within: Counter[tuple[str, float]] = field(default_factory=Counter)

    def count(self, *, mode: str, node: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests[mode, node, status] += 1
        self.seconds[mode] += seconds
        for bound in _BOUNDS_S:
            if seconds <= bound:
                self.within[mode, bound] += 1

    def text(self, servers: Sequence[Server]) -> str:
        """Return everything, one sample a line."""
        return "".join(f"{line}\n" for line in (*self._of_requests(), *_of_servers(servers)))

    def _of_requests(self) -> Iterable[str]:
        yield "# TYPE labctl_proxy_requests_total counter"
        for (mode, node, status), count in sorted(self.requests.items()):
            yield _sample("requests_total", count, mode=mode, node=node, status=str(status))
        yield "# TYPE labctl_proxy_request_seconds histogram"
        totals: Counter[str] = Counter()
        for (mode, _, _), count in self.requests.items():
            totals[mode] += count
        for mode, total in sorted(totals.items()):
            for bound in _BOUNDS_S:
                found = self.within[mode, bound]
                yield _sample("request_seconds_bucket", found, mode=mode, le=f"{bound:g}")
            yield _sample("request_seconds_bucket", total, mode=mode, le="+Inf")
            yield _sample("request_seconds_sum", self.seconds[mode], mode=mode)
            yield _sample("request_seconds_count", total, mode=mode)


def _of_servers(servers: Sequence[Server]) -> Iterable[str]:
    figures: Mapping[str, dict[str, float | None]] = {
        "server_live": {each.name: float(each.seen.live) for each in servers},
        "server_latency_seconds": {each.name: each.seen.latency_s for each in servers},
        "server_lag_seconds": {each.name: each.seen.lag_s for each in servers},
    }
    for name, values in figures.items():
        yield f"# TYPE labctl_proxy_{name} gauge"
        for node, value in values.items():
            if value is not None:
                yield _sample(name, value, node=node)
    yield "# TYPE labctl_proxy_connections gauge"
    for each in servers:
        for account, pool in (("reader", each.readers), ("writer", each.writers)):
            for state, count in (("idle", pool.idle), ("in_use", pool.in_use)):
                yield _sample("connections", count, node=each.name, account=account, state=state)


def _sample(name: str, value: float, **labels: str) -> str:
    told = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"labctl_proxy_{name}{{{told}}} {value:g}"
