"""What the environment tells a proxy: the servers behind it, its accounts, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from http_runtime.settings import SettingsError, listed, number, secret, text

PRIMARY = "primary"


@dataclass(frozen=True)
class Place:
    """Where a server listens, and what it is called in answers: `primary`, `replica.0`."""

    name: str
    host: str
    port: int


@dataclass(frozen=True)
class Limits:
    """How much one query may take."""

    rows: int = 1000  # shown
    answer_bytes: int = 1_000_000
    seconds: float = 2.0  # of the server's time
    changed: int = 1000  # rows that one statement may change
    lag_s: float = 5.0  # by which a replica may be behind and still be asked
    connections: int = 16  # to each server, for each account

    @property
    def catch_up_s(self) -> float:
        """How long a reader of its own writes waits for a replica: less than any statement may."""
        return self.seconds / 2


@dataclass(frozen=True)
class Settings:
    """Everything that a proxy is told."""

    address: str
    port: int
    database: str
    primary: Place
    replicas: tuple[Place, ...]
    passwords: Mapping[str, str] = field(repr=False)  # of reader, writer and monitor
    limits: Limits

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Read LISTEN, PORT, SERVERS, DATABASE, SECRETS and limits; raises `SettingsError`.

        SERVERS is `primary=ADDRESS:PORT,replica.0=ADDRESS:PORT`; an address without a name is
        that of the next replica, so that a list of addresses can stand there.
        """
        places = _places(listed(environment, "SERVERS"))
        if not places or places[0].name != PRIMARY:
            raise SettingsError("SERVERS must begin with primary=ADDRESS:PORT")
        return Settings(
            address=text(environment, "LISTEN"),
            port=int(number(environment, "PORT", 8080, most=65535)),
            database=environment.get("DATABASE") or "sakila",
            primary=places[0],
            replicas=tuple(places[1:]),
            passwords={name: secret(environment, name) for name in ("reader", "writer", "monitor")},
            limits=Limits(
                seconds=number(environment, "MAX_SECONDS", Limits.seconds, most=60),
                lag_s=number(environment, "MAX_LAG_S", Limits.lag_s, most=3600),
            ),
        )


def _places(parts: tuple[str, ...]) -> list[Place]:
    places: list[Place] = []
    for part in parts:
        name, equals, where = part.rpartition("=")
        if not equals or not name:
            name = f"replica.{sum(each.name != PRIMARY for each in places)}"
        host, _, port = where.partition(":")
        if not host or not (port or "3306").isdecimal():
            raise SettingsError(f"SERVERS: {ascii(part)[:60]} is no ADDRESS:PORT")
        if name in {each.name for each in places}:
            raise SettingsError(f"SERVERS: {ascii(name)[:60]} is there twice")
        places.append(Place(name, host, int(port or 3306)))
    return places
