"""What a target behind AWS's API tells of its keys, and how new ones are saved for it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError

from labctl.errors import CredentialsError
from labctl.targets.base import KeysReport
from labctl.targets.clients import ClientFactory
from labctl.targets.failures import classify
from labctl.targets.key_ends import KeyEnds
from labctl.targets.key_file import Keys, is_temporary, parse_pasted, profile_text, save_profile
from labctl.targets.key_sources import ChainKeys

SERVICE_ERRORS = (BotoCoreError, ClientError)
_NO_KEYS_HINT = "give the role a `profile:`, an instance profile that allows what its agents do"


def key_ends(state: Path, *, usual_life_s: float | None = None) -> KeyEnds:
    """Return what a state folder remembers of the ends of keys."""
    return KeyEnds(state / "keys-seen.json", usual_life_s=usual_life_s)


class KeyedTarget:
    """The part of a target that is about its keys; `_factory` makes its clients."""

    _factory: ClientFactory
    _ends: KeyEnds

    def credentials_end(self) -> float | None:
        """Return when the keys end in unix seconds; None when they do not or nobody can tell."""
        end = self._factory.keys.end()
        return end.at if end else None

    def keys_usually_live(self, life_s: float) -> None:
        """Estimate the end of keys that do not say it from when they were first seen."""
        self._ends.usual_life_s = life_s

    def on_new_keys(self, listener: Callable[[], None]) -> None:
        """Have a listener called, in some thread, each time that other keys were taken."""
        self._factory.keys.on_renewed.append(listener)

    def keys_now(self) -> Keys:
        """Return the present keys; those that are over are waited for, as by every call."""
        live = self._factory.keys
        keys, end = live.get_frozen_credentials(), live.end()
        if end is not None and end.left_s <= 0 and live.waits and (why := live.refusal_of(keys)):
            live.wait_for_others(keys, why)
            keys, end = live.get_frozen_credentials(), live.end()
        ends_at = end.at if end is not None and end.left_s > 0 else None
        return Keys(keys.access_key or "", keys.secret_key or "", keys.token, ends_at)

    def needs_key_process(self) -> bool:
        """Return whether programs beside labctl must be given keys anew while they run."""
        live = self._factory.keys
        try:
            temporary = is_temporary(live.access_key)
        except SERVICE_ERRORS:
            return False
        return temporary and live.may_change and not live.refreshes_itself

    def keys_report(self) -> KeysReport:
        """Return where the keys come from, whose they are and when they end; asks the service."""
        live = self._factory.keys
        account = identity = why = hint = ""
        unasked = False
        try:
            keys = live.get_frozen_credentials()
            account, identity = self._factory.identity_of(keys)
        except SERVICE_ERRORS as error:
            failure = classify(error)
            why, hint = failure.error.message, failure.error.hint
            unasked = failure.kind != "credentials"
        end, key = live.end(), live.id_now()
        return KeysReport(
            source=live.name,
            key=_masked_id(key),
            account=account,
            identity=_masked_identity(identity),
            ends_at=end.at if end else None,
            about=bool(end and end.about),
            temporary=is_temporary(key),
            traps=tuple(live.traps()),
            why=why,
            unasked=unasked,
            remedy=hint if unasked else live.remedy,
        )

    def save_keys(self, pasted: str, *, minutes_left: float | None, account: str) -> None:
        """Prove pasted keys and save them where this target's come from.

        Raises `CredentialsError`, and changes nothing, when they are not whole, not accepted, or
        not of `account` (where one is given).
        """
        keys = parse_pasted(pasted)
        source = self._factory.source
        if not isinstance(source, ChainKeys):
            raise CredentialsError(
                "the local cloud's own keys do not end: there is nothing to paste",
                "labctl cloud start --session-ttl 15m gives it keys that do",
            )
        self._refuse_strangers(keys, account)
        save_profile(source.file, source.profile, keys)
        if minutes_left is not None:
            self._ends.told(keys.access_key, time.time() + minutes_left * 60)
        self._factory.keys.look()

    def _refuse_strangers(self, keys: Keys, account: str) -> None:
        try:
            found = self._factory.account_of(
                ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token)
            )
        except SERVICE_ERRORS as error:
            reason = classify(error).error
            raise CredentialsError(
                f"the pasted keys were not saved: {reason.message}", reason.hint
            ) from error
        if account not in ("", found):
            raise CredentialsError(
                f"the pasted keys were not saved: they are of account {found}, not {account}",
                "copy those of the account in which the labs were brought up",
            )

    def worker_credentials(self) -> str | None:
        """Return the present keys as a credentials file, for machines without a role."""
        try:
            keys = self._factory.keys.get_frozen_credentials()
        except SERVICE_ERRORS as error:
            raise CredentialsError(
                "there are no keys to give to the workers", _NO_KEYS_HINT
            ) from error
        return profile_text(Keys(keys.access_key or "", keys.secret_key or "", keys.token))


def _masked_id(key: str) -> str:
    return f"{key[:4]}...{key[-4:]}" if len(key) >= 16 else "-"


def _masked_identity(arn: str) -> str:
    """Return who somebody is without their whole name: `assumed-role/voclabs/us...`."""
    kind, _, name = arn.rpartition(":")[2].rpartition("/")
    shown = re.sub(r"(?<=^..).+", "...", name)
    return f"{kind}/{shown}" if kind else shown
