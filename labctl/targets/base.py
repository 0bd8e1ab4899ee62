"""What a target offers the rest of labctl: clients for its services and ways to its machines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from labctl.cloud.prepared import Preparation
from labctl.events import Event
from labctl.targets.key_file import Keys

Moment = Literal["before", "after"]
# Called around every request that leaves for a service: service ("sqs"), operation ("CreateQueue").
CallHook = Callable[[str, str, Moment], None]


@dataclass(frozen=True)
class KeyWait:
    """How a call whose keys are dead waits for new ones: not at all, or so many seconds."""

    timeout_s: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)
    tell: Callable[[Event], None] = lambda event: None


@dataclass(frozen=True)
class KeysReport:
    """The keys of a target as they are now; nothing in it is secret.

    `ends_at` is in unix seconds, None when they do not end or nobody can tell; `about` when it
    is estimated. `traps` say what makes other keys win than the user would think; `why` why the
    service does not take them or, when `unasked`, why it could not be asked.
    """

    source: str
    key: str  # the id, masked
    account: str
    identity: str
    ends_at: float | None
    about: bool
    temporary: bool
    traps: tuple[str, ...]
    why: str = ""
    unasked: bool = False
    remedy: str = ""


@dataclass(frozen=True)
class Place:
    """Where a machine's SSH server listens, and as whom to enter."""

    address: str
    port: int
    host_keys: tuple[str, ...] = ()  # public keys the target itself vouches for, if it can


@dataclass(frozen=True)
class Ability:
    """One thing a target can or cannot do, with its remedy; shown by `doctor`."""

    name: str
    able: bool
    detail: str
    remedy: str = ""


class Router(Protocol):
    """Carries the traffic between a target's machines, and can hold some of it back.

    Machines are named by their ids; both ways to hold back last until they are told otherwise.
    """

    def refuse_cuts(self) -> None:
        """Raise `TargetError` where packets cannot be dropped."""

    def refuse_delays(self) -> None:
        """Raise `TargetError` where packets cannot be delayed."""

    def cut_off(self, machine: str, addresses: Collection[str]) -> None:
        """Drop all that a machine sends to these addresses or gets from there; no others."""

    def slow_down(self, machine: str, *, delay_ms: int, jitter_ms: int) -> None:
        """Delay a machine's traffic; 0 for both lets it pass at once."""


class Target(Protocol):
    """A place where labs run. Calls raise the children of `TargetError`, with a hint."""

    name: str  # "local", "aws" or the endpoint's URL
    region: str
    endpoint: str | None  # None: the provider's own endpoints

    def start(self) -> None:
        """Make the target ready (the local cloud is started); cheap when it is already."""

    def join(self) -> None:
        """Make use of the target as it runs; `TargetError` when it would have to be started."""

    def account(self) -> str:
        """Return the account id, having proved that the credentials work."""

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return the (cached, thread-safe) boto3 client of a service: `sqs`, `s3`, `ec2`..."""

    def place(self, instance: Mapping[str, Any]) -> Place | None:
        """Return where an instance (as DescribeInstances shows it) is reached; None: not yet."""

    def image(self, alias: str) -> tuple[str, str]:
        """Return the image id and the login user of an image alias such as `ubuntu-24.04`."""

    def caller_address(self) -> str:
        """Return the CIDR from which this machine's connections arrive ("203.0.113.7/32")."""

    def credentials_end(self) -> float | None:
        """Return when the keys end in unix seconds; None when they do not or nobody can tell."""

    def keys_usually_live(self, life_s: float) -> None:
        """Estimate the end of keys that do not say it from when they were first seen."""

    def keys_now(self) -> Keys:
        """Return the present keys; those that are over are waited for, as by every call."""

    def needs_key_process(self) -> bool:
        """Return whether programs beside labctl must be given keys anew while they run."""

    def keys_report(self) -> KeysReport:
        """Return where the keys come from, whose they are and when they end; asks the service."""

    def save_keys(self, pasted: str, *, minutes_left: float | None, account: str) -> None:
        """Prove pasted keys and save them where this target's come from.

        Raises `CredentialsError`, and changes nothing, when they are not whole, not accepted, or
        not of `account` (where one is given).
        """

    def on_new_keys(self, listener: Callable[[], None]) -> None:
        """Have a listener called, in some thread, each time that other keys were taken."""

    def worker_environment(self) -> Mapping[str, str]:
        """Return what programs on the machines need to find the services; never a secret."""

    def worker_credentials(self) -> str | None:
        """Return an AWS credentials file for the workers; None where a role serves them."""

    def student_environment(self) -> Mapping[str, str]:
        """Return endpoint, keys and region for the student's own programs."""

    def refusal(self, kind: str, options: Mapping[str, Any]) -> str | None:
        """Return why this target cannot honestly give a resource; None when it can."""

    def lacks(self, requirement: str) -> str | None:
        """Return why machines here cannot have what a lab requires; None when they do."""

    def missing_programs(self, programs: Sequence[str]) -> list[str]:
        """Return those commands, or files of the system, that machines here can never have.

        Where a machine has its own system they are installed on it: there nothing lacks.
        """

    def prepare(self, wanted: Preparation, progress: Callable[[str], None]) -> Mapping[str, str]:
        """Have something made once for all machines; return what tells their programs where.

        Nothing where each machine makes it for itself. Raises `TargetError`.
        """

    def fetch(self, packages: Sequence[str], progress: Callable[[str], None]) -> None:
        """Get packages of the system for the machines, without changing the system."""

    def router(self) -> Router | None:
        """Return what holds back traffic of its machines; None: they do it by their own means."""

    def abilities(self) -> list[Ability]:
        """Return what this target and machine can and cannot do, each with its remedy."""
