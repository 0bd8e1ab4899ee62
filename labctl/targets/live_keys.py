"""The keys of a target as they are now: they follow their source, and dead ones wait for new.

boto3 reads keys once for a session. These are looked at anew for every request (a few stats of
files), so that what a user saves or pastes holds for the very next call. Saved keys are taken
only when they are whole, proved, and of the same account: until then the former ones stay.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError

from labctl import events as e
from labctl.errors import CredentialsError, Interrupted
from labctl.targets.base import KeyWait
from labctl.targets.failures import classify, code_of
from labctl.targets.key_ends import EndWarnings, KeyEnd, KeyEnds
from labctl.targets.key_sources import KeySource, OpenedKeys
from labctl.telling import seconds
from labctl.text import keep_secret

_LOOK_AGAIN_S = 0.1  # at a file that is half saved, and while calls wait for it
_ASK_AGAIN_S = 2.0  # a source that cannot be watched, or keys that could not be proved
# Half a file, a process that cannot be started, keys that are over when they are new.
KEY_TROUBLE = (BotoCoreError, ClientError, OSError, RuntimeError)
Prove = Callable[[ReadOnlyCredentials], str]
"""Returns the account of keys, having asked the service; raises what botocore raises."""


class LiveKeys:
    """Stands where botocore expects its `Credentials`; safe for all threads of a process."""

    method = "labctl"

    def __init__(self, source: KeySource, *, prove: Prove, ends: KeyEnds, wait: KeyWait) -> None:
        self._source, self._prove, self._ends, self._wait = source, prove, ends, wait
        self.account: str | None = None  # once it is known, keys of another are refused
        self.on_renewed: list[Callable[[], None]] = []
        self._lock, self._looking = threading.RLock(), threading.Lock()
        self._opened: OpenedKeys | None = None
        self._current: ReadOnlyCredentials | None = None
        self._seen: object = object()  # of the source, when it was last opened to the end
        self._look_at = 0.0  # not before
        self._told: object = None
        self._warnings = EndWarnings()
        self._here = threading.local()
        self._worked: ReadOnlyCredentials | None = None
        self._dead: ReadOnlyCredentials | None = None
        self._paused_at: float | None = None

    # What botocore asks

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the keys for one request of this thread."""
        keys = self._fresh()
        self._here.keys = keys
        if self._warnings.due(end := self.end(), time.time()) and end is not None:
            self._wait.tell(
                e.CredentialsExpiring(source=self.name, left_s=end.left_s, about=end.about)
            )
        return keys

    def get_deferred_property(self, property_name: str) -> Callable[[], Any]:
        """Return a way to read a property later."""
        return lambda: getattr(self, property_name, None)

    @property
    def access_key(self) -> str:
        """The id of the key."""
        return self._fresh().access_key or ""

    @property
    def secret_key(self) -> str:
        """The secret."""
        return self._fresh().secret_key or ""

    @property
    def token(self) -> str | None:
        """The token of keys that end."""
        return self._fresh().token

    @property
    def account_id(self) -> None:
        """Nothing: no endpoint of a target depends on the account."""

    # What labctl asks

    @property
    def name(self) -> str:
        """Where the keys come from, for a reader."""
        return self._opened.name if self._opened else "the credentials"

    @property
    def remedy(self) -> str:
        """What gets new keys, for a reader."""
        return self._opened.remedy if self._opened else "`labctl creds paste`"

    def id_now(self) -> str:
        """Return the id of the present key; empty while there is none."""
        return (self._current.access_key if self._current else "") or ""

    @property
    def may_change(self) -> bool:
        """Whether other keys can come while this process runs."""
        return self._opened is None or self._opened.may_change

    @property
    def refreshes_itself(self) -> bool:
        """Whether the source gives other keys before the present ones end."""
        return self._opened is not None and self._opened.refreshed

    @property
    def waits(self) -> bool:
        """Whether a call whose keys died waits for others."""
        return self._wait.timeout_s > 0 and self.may_change

    def end(self) -> KeyEnd | None:
        """Return when the present keys end; None when they do not, or nobody can tell."""
        if self._opened is None or self._current is None:
            return None
        said = self._opened.end_said
        if self._opened.refreshed and not self._is_dead(self._current):
            return None  # their source gives others before they end
        return self._ends.of(self._current.access_key or "", said)

    def traps(self) -> list[str]:
        """Return what makes other keys win than the user would think."""
        return self._source.traps()

    def used_here(self) -> ReadOnlyCredentials | None:
        """Return the keys with which this thread signed last."""
        return getattr(self._here, "keys", None)

    def worked(self, keys: ReadOnlyCredentials) -> None:
        """Note that the service accepted keys: a later refusal means that they died."""
        self._worked = keys

    def have_worked(self, keys: ReadOnlyCredentials) -> bool:
        """Return whether the service accepted these very keys before."""
        return keys == self._worked

    def refusal_of(self, keys: ReadOnlyCredentials) -> str | None:
        """Return why the service refuses keys, having asked it; None when it takes them."""
        try:
            self._prove(keys)
        except (BotoCoreError, ClientError) as error:
            failure = classify(error)
            return failure.error.message if failure.kind == "credentials" else None
        return None

    def wait_for_others(self, dead: ReadOnlyCredentials | None, why: str) -> None:
        """Return once there are other keys than the dead ones, proved and taken.

        Raises `Interrupted` when it is cancelled, `CredentialsError` when none come in time.
        """
        paused_at = self._pause(dead, why)
        while self._current is None or self._current == dead:
            if time.monotonic() - paused_at > self._wait.timeout_s:
                waited = seconds(self._wait.timeout_s)
                raise CredentialsError(
                    f"{why}, and no new ones came within {waited}",
                    f"{self.remedy}; the same command goes on where it stopped",
                )
            if self._wait.cancelled.wait(_LOOK_AGAIN_S):
                raise Interrupted("stopped while it waited for new credentials", self.remedy)
            self._look()

    def look(self) -> None:
        """Look at the source now, and take what it has if it is good."""
        self._look_at = 0.0
        self._look()

    # How

    def _fresh(self) -> ReadOnlyCredentials:
        self._look()
        opened, current = self._opened, self._current
        assert opened is not None  # _look() raises when there never were keys
        assert current is not None
        if not opened.refreshed:
            return current
        try:
            keys = opened.credentials.get_frozen_credentials()
        except KEY_TROUBLE as error:
            if not self.waits:
                raise
            self.wait_for_others(current, classify(error).error.message)
            return self._fresh()
        if keys != current:
            self._take(opened, keys)
        return self._current or keys

    def _look(self) -> None:
        first = self._opened is None
        if not first and self._source.fingerprint() == self._seen and not self._is_polled():
            return
        if not first and time.monotonic() < self._look_at:
            return
        if not self._looking.acquire(blocking=first):
            return  # another thread looks; the former keys hold until it is done
        try:
            if not first or self._opened is None:
                self._look_alone(first=first)
        finally:
            self._looking.release()

    def _is_polled(self) -> bool:
        """Whether calls wait for a source that changes without a file's changing."""
        opened = self._opened
        return bool(opened and opened.refreshed and self._paused_at is not None)

    def _look_alone(self, *, first: bool) -> None:
        fingerprint = self._source.fingerprint()
        try:
            opened = self._source.open()
            keys = opened.credentials.get_frozen_credentials()
        except KEY_TROUBLE as error:
            if first:
                raise
            self._look_at = time.monotonic() + (
                _ASK_AGAIN_S if self._is_polled() else _LOOK_AGAIN_S
            )
            self._tell_once(fingerprint, f"not whole or not there ({type(error).__name__})")
            return
        if keys == self._current:
            self._opened, self._seen = opened, fingerprint
            if self._is_polled():
                self._look_at = time.monotonic() + _ASK_AGAIN_S
        elif first or self._is_good(keys, fingerprint):
            self._seen = fingerprint
            self._take(opened, keys)

    def _is_good(self, keys: ReadOnlyCredentials, fingerprint: object) -> bool:
        keep_secret(keys.secret_key or "")
        keep_secret(keys.token or "")
        try:
            account = self._prove(keys)
        except (BotoCoreError, ClientError) as error:
            failure = classify(error)
            if failure.kind != "credentials":
                self._look_at = time.monotonic() + _ASK_AGAIN_S
                return False
            self._seen = fingerprint  # asked once is enough: they will not get better
            self._tell_once(fingerprint, f"not accepted ({code_of(error) or type(error).__name__})")
            return False
        if self.account not in (None, account):
            self._seen = fingerprint
            self._tell_once(fingerprint, f"of account {account}, not of {self.account}")
            return False
        return True

    def _take(self, opened: OpenedKeys, keys: ReadOnlyCredentials) -> None:
        keep_secret(keys.secret_key or "")
        keep_secret(keys.token or "")
        with self._lock:
            if keys == self._current:
                return  # another thread took them
            first, paused_at = self._current is None, self._paused_at
            self._opened, self._current = opened, keys
            self._paused_at = None
        end = self.end()
        if first:
            return
        self._wait.tell(
            e.CredentialsRenewed(
                source=self.name,
                waited_s=time.monotonic() - paused_at if paused_at is not None else 0.0,
                ends_at=end.at if end else 0.0,
                about=bool(end and end.about),
            )
        )
        for listener in self.on_renewed:
            listener()

    def _pause(self, dead: ReadOnlyCredentials | None, why: str) -> float:
        """Tell once that calls wait, and return since when."""
        with self._lock:
            if self._paused_at is None and self._current == dead:
                self._paused_at, self._dead = time.monotonic(), dead
                self._wait.tell(
                    e.CredentialsExpired(
                        source=self.name,
                        why=why,
                        remedy=self.remedy,
                        waits_s=self._wait.timeout_s,
                    )
                )
            return self._paused_at or time.monotonic()

    def _is_dead(self, keys: ReadOnlyCredentials) -> bool:
        return self._paused_at is not None and keys == self._dead

    def _tell_once(self, fingerprint: object, fault: str) -> None:
        told = (fingerprint, fault)
        if told != self._told:
            self._told = told
            self._wait.tell(
                e.Warned(message=f"what was saved in {self.name} is {fault}: the former keys stay")
            )
