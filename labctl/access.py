"""Opens what a command on a session needs: record, lab, target, locks, journal and stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from labctl import events as e
from labctl.engine import opening
from labctl.engine.bus import Bus, EventFile, Sink
from labctl.engine.choices import Choices
from labctl.engine.measuring import Measuring
from labctl.engine.secrets import keep_secrets_of
from labctl.engine.stage import Stage
from labctl.engine.vocabulary import kinds, vocabulary
from labctl.errors import CredentialsError, SpecError
from labctl.key_places import learn_clouds_keys, learn_users_keys
from labctl.kinds.headroom import Headroom
from labctl.ledger.durations import Durations
from labctl.ledger.journal import Journal, fold
from labctl.ledger.lines import read_records
from labctl.ledger.lock import ledger_lock, session_lock
from labctl.ledger.sessions import SessionFolder, SessionRecord, session_folder
from labctl.paths import private_folder, state_folder
from labctl.spec.catalogue import find_lab, load_catalogue
from labctl.spec.catalogue_hosts import catalogue_hosts
from labctl.spec.lab import Lab
from labctl.spec.limits import AccountLimits, load_limits
from labctl.spec.load import load_lab
from labctl.targets.base import KeyWait, Target
from labctl.transport.base import Transport


class Access:
    """One lab on one target; everything is opened when it is first asked for."""

    def __init__(
        self,
        lab: str,
        choices: Choices,
        *,
        sinks: Sequence[Sink] = (),
        cancelled: threading.Event | None = None,
    ) -> None:
        self._argument, self._choices = lab, choices
        self._cancelled = cancelled or threading.Event()
        self._sinks = sinks
        self._state = state_folder()
        learn_users_keys()
        learn_clouds_keys(self._state)
        self.bus = Bus(*sinks)
        self.phases_s: dict[str, float] = {}
        self._read_record: SessionRecord | None = None

    # What the session is

    @cached_property
    def record(self) -> SessionRecord:
        """The session's record: the one this machine knows, else a new one, not yet written."""
        known = self._read_record = opening.find_session(self._state, self._argument, self._choices)
        if known is not None:
            return opening.with_choices(known, self._choices)
        catalogue = load_catalogue(self._choices.catalogue_file)
        file = find_lab(self._argument, catalogue)
        lab = load_lab(file, vocabulary(), settings=self._choices.settings)
        target = self._choices.target or catalogue.defaults.target or opening.LOCAL
        record = opening.new_record(
            lab, lab_file=file, target=target, choices=self._choices, catalogue=catalogue
        )
        opening.refuse_a_taken_name(self._state, record)
        return record

    @property
    def is_known(self) -> bool:
        """Whether this machine has a record of the session: it was brought up and not down."""
        return self.folder.record_file.exists()

    @cached_property
    def lab(self) -> Lab:
        """The lab, loaded and validated with the session's settings."""
        catalogue = load_catalogue(self._choices.catalogue_file)
        return load_lab(
            Path(self.record.lab_file),
            vocabulary(),
            settings=self.record.settings,
            hosts=catalogue_hosts(catalogue),
        )

    @cached_property
    def limits(self) -> AccountLimits | None:
        """The account's limits that the catalogue names for the lab; None when it names none."""
        catalogue = load_catalogue(self._choices.catalogue_file)
        file = catalogue.limits_file(Path(self.record.lab_file))
        return load_limits(file) if file else None

    @cached_property
    def folder(self) -> SessionFolder:
        """Where the session's files lie."""
        return session_folder(self._state, self.record.name)

    @cached_property
    def target(self) -> Target:
        """The session's target, started."""
        target = self._target_to_start
        target.start()
        target.on_new_keys(self._keys_renewed)
        return target

    def _joined(self) -> Target:
        """Return the session's target as it runs: looking starts nothing."""
        self._target_to_start.join()
        return self._target_to_start

    @cached_property
    def _target_to_start(self) -> Target:
        record = self.record
        target = opening.make_target(
            record.target,
            region=record.region,
            profile=record.profile,
            state=self._state,
            on_call=self._choices.on_call,
            wait=KeyWait(self._choices.creds_timeout_s, self._cancelled, self.bus.emit),
        )
        life_s = self._usual_key_life_s()
        if life_s is not None:
            target.keys_usually_live(life_s)
        return target

    def _usual_key_life_s(self) -> float | None:
        try:
            return self.limits.session_life if self.limits else None
        except SpecError:  # only an estimate: a teardown must do without the user's files
            return None

    def _keys_renewed(self) -> None:
        """Is called, in the thread that found them, when the target took other keys."""

    @cached_property
    def transport(self) -> Transport:
        """The connections to the session's machines."""
        from labctl.transport.ssh import SshTransport

        return SshTransport(self._state)

    def close(self) -> None:
        """Close the connections to the machines."""
        if "transport" in self.__dict__:
            self.transport.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the session's lock and its events file."""
        _ = self._target_to_start  # one that cannot be is told before a folder is made
        with session_lock(private_folder(self.folder.path)), self._events_kept():
            yield

    @contextmanager
    def _journal(self) -> Iterator[Journal]:
        """Hold the ledger's lock and its journal."""
        with ledger_lock(self.folder.path):
            self._refresh_record()
            journal = Journal(self.folder.journal_file)
            try:
                yield journal
            finally:
                journal.close()

    def _refresh_record(self) -> None:
        """Forget a record that was read before the lock was held and has changed since."""
        if self.folder.read() != self._read_record:
            self.__dict__.pop("record", None)
            self.__dict__.pop("lab", None)

    @contextmanager
    def _events_kept(self) -> Iterator[None]:
        """Keep what happens in the session's file, and how long each step took."""
        target = self.record.target
        file, measuring = EventFile(self.folder.events_file), Measuring()
        for sink in (file, measuring):
            self.bus.add(sink)
        try:
            yield
        finally:
            for sink in (file, measuring):
                self.bus.remove(sink)
            file.close()
            Durations(self._state).add(target, measuring.measured())

    @contextmanager
    def _stage(self, journal: Journal | None = None, *, start: bool = True) -> Iterator[Stage]:
        """Give the stage for this command's work; without a journal it is only to look."""
        lab = self.lab  # a wrong lab file is told before the target is even started
        limits = self.limits
        began = "target" in self.__dict__
        with nullcontext() if began else self._phase("target"):
            target = self.target if start else self._joined()
            account = target.account()
        record = self._of_account(account)
        entries = fold(read_records(self.folder.journal_file))
        keep_secrets_of(self.folder)
        yield Stage(
            record=record,
            folder=self.folder,
            lab=lab,
            target=target,
            transport_of=lambda: self.transport,
            journal_for_writing=journal,
            entries_at_start=entries,
            bus=self.bus,
            kinds=kinds(),
            cancelled=self._cancelled,
            headroom=Headroom(self.target, limits) if limits else None,
        )

    def _of_account(self, account: str) -> SessionRecord:
        if self.record.account not in ("", account):
            raise CredentialsError(
                f"the session belongs to account {self.record.account}, these keys to {account}",
                "use the keys of the account in which the lab was brought up",
            )
        return replace(self.record, account=account)

    @contextmanager
    def _phase(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        self.bus.emit(e.PhaseStarted(phase=phase))
        yield
        seconds = time.monotonic() - began
        self.phases_s[phase] = round(self.phases_s.get(phase, 0.0) + seconds, 4)
        self.bus.emit(e.PhaseEnded(phase=phase, seconds=seconds))
