"""What the environment tells a node: its place among the others, its secrets, its sizes."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["standalone", "primary", "replica", "cluster"]

# A network that every machine has a way to, and no datagram is sent to it.
_ELSEWHERE = ("169.254.169.254", 80)
_MOST_FILMS = 1_000_000


class SettingsError(Exception):
    """The environment does not say what a node must know."""


@dataclass(frozen=True)
class Settings:
    """What one node is, and where it keeps its files."""

    role: Role
    address: str  # its own private one, on which alone it listens
    port: int
    primary: str  # whom a replica follows; else ""
    nodes: tuple[str, ...]  # the addresses of a cluster, its own among them; else empty
    folder: Path  # options, data, log and socket
    cache: Path  # data folders that were prepared for all nodes; perhaps it can only be read
    secrets: Path | None  # a folder with one file for each account's password
    buffer_pool: str  # as MariaDB writes sizes: 64M
    flush_at_commit: int  # 1: no committed transaction is lost when the machine dies
    films: int  # how many films the data set has; 0: none is loaded

    @property
    def server_id(self) -> int:
        """A number that no other node has: its address."""
        return int(ipaddress.IPv4Address(self.address))

    def secret(self, account: str) -> str | None:
        """Return the password of an account; None when this node was not given it."""
        if self.secrets is None:
            return None
        try:
            return (self.secrets / account).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    def needed_secret(self, account: str) -> str:
        """Return the password of an account; raises `SettingsError` when there is none."""
        found = self.secret(account)
        if not found:
            raise SettingsError(f"there is no password of '{account}' in the folder SECRETS")
        return found

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Read PRIMARY or NODES, or neither (standalone), and the rest; raises `SettingsError`."""
        primary = environment.get("PRIMARY", "").strip()
        listed = tuple(filter(None, map(str.strip, environment.get("NODES", "").split(","))))
        if "PRIMARY" in environment and not primary:
            raise SettingsError("PRIMARY is empty: there is no primary to follow")
        if primary and listed:
            raise SettingsError("PRIMARY and NODES are set, and a node is in one topology only")
        address = environment.get("LABCTL_ADDRESS") or _own_address()
        if listed and address not in listed:
            raise SettingsError(f"{address} is not among NODES: {', '.join(listed)}")
        folder = Path(environment.get("FOLDER") or Path.home() / ".labctl" / "data" / "mariadb")
        secrets = environment.get("SECRETS")
        return Settings(
            role=_role(address, primary, listed),
            address=address,
            port=_number(environment, "PORT", 3306, most=65535),
            primary=primary if primary != address else "",
            nodes=listed,
            folder=folder,
            cache=Path(environment.get("LABCTL_CACHE") or folder.with_name("cache")),
            secrets=Path(secrets) if secrets else None,
            buffer_pool=environment.get("BUFFER_POOL") or "64M",
            flush_at_commit=_number(environment, "FLUSH_AT_COMMIT", 1, most=2),
            films=_number(environment, "FILMS", 0, most=_MOST_FILMS),
        )


def _role(address: str, primary: str, nodes: tuple[str, ...]) -> Role:
    if nodes:
        return "cluster"
    if not primary:
        return "standalone"
    return "primary" if primary == address else "replica"


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(_ELSEWHERE)
        except OSError as error:
            raise SettingsError(f"this machine has no network: {error}") from error
        return str(sock.getsockname()[0])


def _number(environment: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or int(text) > most:
        raise SettingsError(f"{name} is {text!r}, and must be a number up to {most}")
    return int(text)
