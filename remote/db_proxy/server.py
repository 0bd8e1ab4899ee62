"""One database server as the proxy knows it: its connections, and what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass

from db_proxy.connection import OneStatement, connect
from db_proxy.pool import Pool
from db_proxy.settings import PRIMARY, Place, Settings

# The guard reads SQL as MariaDB does with this very mode.
_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_NEWEST = 0.3  # the weight of the newest measurement in the mean


@dataclass
class Seen:
    """What the last look at a server found."""

    live: bool = False
    why: str = "not yet looked at"  # it is not live
    latency_s: float | None = None  # a running mean
    lag_s: float | None = None  # how far a replica is behind; None: it cannot be told
    cut_off: bool = False  # a replica that hears nothing of its primary


class Server:
    """A server with a pool for readers and, on the primary, one for writers."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self.place = place
        self.seen = Seen()
        self.served = 0
        self._settings = settings
        most = settings.limits.connections
        self.readers = Pool(lambda: self._connected("reader", autocommit=1, read_only=1), most=most)
        self.writers = Pool(lambda: self._connected("writer", autocommit=0, read_only=0), most=most)

    @property
    def name(self) -> str:
        """What it is called in answers."""
        return self.place.name

    @property
    def is_primary(self) -> bool:
        """Whether it is the one that takes writes."""
        return self.name == PRIMARY

    def found_live(self, latency_s: float, *, lag_s: float | None, cut_off: bool) -> None:
        """Remember a look that the server answered."""
        before = self.seen.latency_s if self.seen.live else None
        mean = latency_s if before is None else before + _NEWEST * (latency_s - before)
        self.seen = Seen(True, "", mean, lag_s, cut_off)

    def found_dead(self, why: str) -> None:
        """Leave the server out until a look finds it live; its connections are of no more use."""
        self.seen = Seen(why=why)
        self.readers.close()
        self.writers.close()

    async def monitoring(self) -> OneStatement:
        """Open the connection by which it is looked at."""
        return await connect(
            self.place.host,
            self.place.port,
            user="monitor",
            password=self._settings.passwords["monitor"],
            database=None,
            first="SET SESSION max_statement_time = 1",
        )

    async def _connected(self, account: str, *, autocommit: int, read_only: int) -> OneStatement:
        return await connect(
            self.place.host,
            self.place.port,
            user=account,
            password=self._settings.passwords[account],
            database=self._settings.database,
            first=f"SET SESSION sql_mode = '{_MODE}', tx_read_only = {read_only},"
            f" max_statement_time = {self._settings.limits.seconds}, autocommit = {autocommit}",
        )
