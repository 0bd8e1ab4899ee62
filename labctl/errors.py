"""Every error a user may see: one line, a hint, and an exit status that means something.

LabctlError
|- UsageError          2   the command line is wrong
|- SpecError           2   the lab file is wrong (carries every mistake found)
|- TargetError         3   the target refused, is not there, or cannot do this
|  |- CredentialsError 3   no keys, wrong keys, expired keys
|  |- LimitError       3   the account's limits do not allow the lab
|  |- OwnershipError   3   a thing bears the name but is not ours
|  `- SessionBusy      3   another labctl holds the session
|- TransportError      3   a machine cannot be reached, or refused what was asked
|  `- HostKeyChanged   3   the host key is not the pinned one
|- ChecksFailed        1   jobs or checks failed
|- LeftoversError      4   something is left after a teardown
`- Interrupted         130 the user stopped it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LabctlError(Exception):
    """A failure told to the user in one line, with a hint on what to do about it."""

    exit_status = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LabctlError):
    """The command line asks for something that does not exist or does not fit."""

    exit_status = 2


@dataclass(frozen=True)
class Mistake:
    """One mistake in a lab file, with its place; line and column count from 1."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"


class SpecError(LabctlError):
    """A lab file with one or more mistakes, all of them reported at once."""

    exit_status = 2

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


class TargetError(LabctlError):
    """The target refused a call, is out of reach, or cannot do what the lab needs."""


class CredentialsError(TargetError):
    """There are no credentials, or the target does not accept them."""


class LimitError(TargetError):
    """The lab does not fit what the account or the target allows; every reason is in it."""

    def __init__(self, message: str, hint: str = "", reasons: Sequence[str] = ()) -> None:
        super().__init__(f"{message}: {'; '.join(reasons)}" if reasons else message, hint)
        self.summary, self.reasons = message, tuple(reasons)


class OwnershipError(TargetError):
    """Something bears the name of a resource of the lab but not its tags."""


class SessionBusy(TargetError):
    """Another labctl is at work on the session."""


class TransportError(LabctlError):
    """A machine cannot be reached by SSH, or a command on it failed."""


class HostKeyChanged(TransportError):
    """The machine's host key is not the one that was pinned."""


class ChecksFailed(LabctlError):
    """Jobs were lost or failed, or a check of the lab does not hold."""

    exit_status = 1


class LeftoversError(LabctlError):
    """Something is left after a teardown; the message names it."""

    exit_status = 4


class Interrupted(LabctlError):
    """The user stopped the command; the ledger is true and the command can be run again."""

    exit_status = 130
