"""The credentials of a target apart from any lab: whose they are, who uses them, new ones saved."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.engine.choices import Choices
from labctl.engine.opening import LOCAL, chosen_target
from labctl.errors import CredentialsError
from labctl.ledger.sessions import SessionRecord, known_sessions
from labctl.paths import state_folder
from labctl.spec.catalogue import load_catalogue
from labctl.targets.base import KeysReport, KeyWait, Target


@dataclass(frozen=True)
class Desk:
    """A target's credentials, and the sessions of this machine that live by them."""

    target: Target
    users: tuple[SessionRecord, ...]

    def report(self) -> KeysReport:
        """Return what is known of the keys; the service is asked."""
        return self.target.keys_report()

    def save(self, pasted: str, *, minutes_left: float | None) -> KeysReport:
        """Prove pasted keys, save them where the target's come from, and report of them.

        Raises `CredentialsError`, and changes nothing, when they are not whole, not accepted, or
        not of the account in which sessions stand.
        """
        accounts = sorted({record.account for record in self.users if record.account})
        if len(accounts) > 1:
            raise CredentialsError(
                f"sessions stand in several accounts ({', '.join(accounts)}) with these keys",
                "save the new ones in the profiles that they belong to",
            )
        self.target.save_keys(pasted, minutes_left=minutes_left, account="".join(accounts))
        return self.report()


def open_desk(choices: Choices, *, wait: KeyWait | None = None, start: bool = True) -> Desk:
    """Return the credentials of the target that the user means.

    Without `start` a local cloud that is stopped stays so, and is told as a `TargetError`.
    """
    defaults = load_catalogue(choices.catalogue_file).defaults
    name = choices.target or defaults.target or LOCAL
    target = chosen_target(choices, wait=wait)
    if not start:
        target.join()
    elif name in (LOCAL, "hosts"):
        target.start()  # its keys are those that the running cloud accepts
    return Desk(target, users_of(name, choices.profile or defaults.profile or ""))


def users_of(target: str, profile: str) -> tuple[SessionRecord, ...]:
    """Return the sessions of this machine that live by a target's keys of a profile."""
    return tuple(
        record
        for record in known_sessions(state_folder())
        if record.target == target and record.profile == profile
    )
