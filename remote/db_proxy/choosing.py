"""Which servers may answer a query, in the order in which they are asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from db_proxy.server import Server

MODES = ("direct-hit", "random", "customized", "write")


@dataclass(frozen=True)
class Servers:
    """The primary and its replicas."""

    primary: Server
    replicas: Sequence[Server]

    @property
    def all(self) -> Sequence[Server]:
        """Every server, the primary first."""
        return (self.primary, *self.replicas)

    def up_to_date(self, lag_s: float) -> list[Server]:
        """Return the replicas that are live and behind by no more than this.

        One that hears nothing of a primary that lives falls behind without knowing how far: it is
        left out. When the primary is gone there is nothing newer to read.
        """
        return [each for each in self.replicas if self._is_up_to_date(each, lag_s)]

    def _is_up_to_date(self, replica: Server, lag_s: float) -> bool:
        seen = replica.seen
        if not seen.live:
            return False
        if seen.cut_off or seen.lag_s is None:
            return not self.primary.seen.live
        return seen.lag_s <= lag_s

    def order(self, mode: str, lag_s: float) -> list[Server]:
        """Return whom to ask in a mode, best first; a live primary stands behind the replicas."""
        primary = [self.primary] if self.primary.seen.live else []
        replicas = self.up_to_date(lag_s)
        if mode == "random":
            random.shuffle(replicas)
            return [*replicas, *primary]
        if mode == "customized":
            return sorted([*primary, *replicas], key=lambda each: each.seen.latency_s or 0.0)
        return primary
