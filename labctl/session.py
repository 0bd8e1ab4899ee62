"""The facade that both faces call: one lab on one target, brought up, run, watched, taken down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain

from labctl import events as e
from labctl.access import Access
from labctl.engine import lifetime, opening, time_left
from labctl.engine.agents import clear_hosts, deploy_agents
from labctl.engine.bench import BenchWanted, chosen_benchmarks, run_benchmarks
from labctl.engine.ends import move_end, standing_machines, with_its_end
from labctl.engine.faults import clear_given_machines
from labctl.engine.graph import run_graph
from labctl.engine.jobs import run_workload, workload_so_far
from labctl.engine.limits import over_limits, refuse_over_limits
from labctl.engine.machines import make_all_ready
from labctl.engine.observe import observe, plan_for, price_per_hour_usd
from labctl.engine.provision import apply_step
from labctl.engine.queues import depths
from labctl.engine.samples import sample_machines
from labctl.engine.scaling import plan_scale, scale_role, scale_setting
from labctl.engine.stage import Stage, actuals_from
from labctl.engine.takedown import take_back_intended, take_down
from labctl.engine.verdicts import run_checks
from labctl.engine.worker_keys import push_to_all
from labctl.errors import Interrupted, LabctlError, SpecError, TargetError, UsageError
from labctl.figures.records import Result
from labctl.kinds.base import Actual
from labctl.ledger.journal import Journal
from labctl.ledger.sessions import known_sessions
from labctl.plan.model import Plan
from labctl.transport.base import Machine
from labctl.workloads.base import NO_JOBS, WorkloadSummary

Confirm = Callable[[Plan, float], bool]
"""Is shown a plan and its price in US dollars an hour; answers whether to go on."""


class Session(Access):
    """One lab on one target; every method opens what it needs and raises `LabctlError`s.

    Methods that change something hold the session's lock while they run; `scale` holds only the
    ledger's, so that it may change a role while another labctl's `run` waits for jobs.
    """

    may_shorten = False  # whether a session may be given an end that is sooner than its own

    # What changes something

    def plan(self) -> tuple[Plan, float]:
        """Return what `up` would do now and the lab's price in US dollars an hour."""
        with self._stage() as stage:
            plan = self._planned(stage)
            for reason in over_limits(stage, plan):
                self.bus.emit(e.Warned(message=reason, hint="`up` would refuse this plan"))
            return plan, price_per_hour_usd(stage)

    def up(self, *, confirm: Confirm | None = None) -> e.UpFinished:
        """Bring the lab up, or up to date; a second time changes nothing.

        `confirm` is asked before anything is created; with a no, `Interrupted` is raised.
        """
        with self._locked():
            with self._journal() as journal, self._stage(journal) as stage:
                changed = self._bring_up(stage, confirm)
            return self._up_finished(changed)  # while the events are kept: who follows learns it

    def run(self, *, confirm: Confirm | None = None) -> e.RunFinished:
        """Bring the lab up, send its jobs, collect the results and run its checks."""
        done: e.RunFinished | None = None
        try:
            with self._locked():
                summary, ok = NO_JOBS, False
                try:
                    with self._journal() as journal, self._stage(journal) as stage:
                        self._bring_up(stage, confirm)
                    # From here on the journal may be another's: a scale is welcome, nothing is
                    # written.
                    stage = replace(
                        stage, journal_for_writing=None, entries_at_start=dict(journal.entries)
                    )
                    with self._phase("jobs"):
                        try:
                            summary = run_workload(stage)
                        except LabctlError:
                            summary = workload_so_far(stage)
                            raise
                    with self._phase("checks"):
                        ok = run_checks(stage)
                finally:
                    done = self._run_finished(summary, ok=ok)
                    self.bus.emit(done)  # while the events are kept
        finally:
            if done is None:  # it did not even begin: another holds the session, say
                self.bus.emit(self._run_finished(NO_JOBS, ok=False))
        return done

    def bench(self, wanted: BenchWanted, *, confirm: Confirm | None = None) -> list[Result]:
        """Bring the lab up and measure its benchmarks; the results are kept with the session."""
        chosen_benchmarks(self.lab, wanted)  # a wrong name is told before anything is made
        with self._locked():
            with self._journal() as journal, self._stage(journal) as stage:
                self._up_finished(self._bring_up(stage, confirm))
            stage = replace(stage, journal_for_writing=None, entries_at_start=journal.entries)
            with self._phase("bench"):
                return run_benchmarks(stage, wanted)

    def scale(self, role: str, count: int, *, confirm: Confirm | None = None) -> e.ScaleFinished:
        """Give a role of a session that stands so many machines, also while its jobs run.

        New machines are ready and at work when it returns; those that leave first finish or
        return the jobs they hold. `confirm` is asked as by `up`.
        """
        began = time.monotonic()
        self._refuse_unknown()
        with self._events_kept():
            with self._journal() as journal:
                self._refuse_unknown()  # a `down` may have ended just before the lock was free
                lifetime.refuse_when_over(self.record)
                self._set(scale_setting(self.lab, role, count))
                with self._stage(journal) as stage:
                    before, machines = self._rescale(stage, role, confirm)
            done = e.ScaleFinished(
                lab=self.record.lab,
                session=self.record.name,
                role=role,
                before=before,
                machines=machines,
                seconds=time.monotonic() - began,
            )
            self.bus.emit(done)
        return done

    def extend(self, life_s: float) -> e.EndMoved:
        """Have a session that stands end `life_s` seconds from now, also while its jobs run.

        Its machines and tags are told, and only then its record. Raises `UsageError` for a sooner
        end unless `may_shorten`, `TransportError` naming the machines that cannot be told.
        """
        self._refuse_unknown()
        with self._events_kept(), self._journal() as journal:
            self._refuse_unknown()  # as in `scale`
            if not self.may_shorten:
                lifetime.refuse_sooner(self.record, life_s, now=time.time())
            with self._stage(journal) as stage:
                before = stage.record.expires_at
                stage.record = replace(stage.record, expires_at=time.time() + life_s)
                opening.refuse_over_budget(self.lab, stage.record, price_per_hour_usd(stage))
                stage.actuals.update(actuals_from(stage.entries))
                return self._end_moved(stage, before, standing_machines(stage))

    def check(self) -> bool:
        """Run the lab's checks on what stands now and return whether all of them hold."""
        with self.standing() as stage, self._phase("checks"):
            return run_checks(stage)

    def down(self) -> e.TeardownProved:
        """Delete everything of the session and prove it; what is left is named in the proof.

        Works without the lab file, and from the tags alone when the session's record is lost.
        """
        with (
            self._locked(),
            self._journal() as journal,
            self._telling_what_remains(journal),
        ):
            known = self.is_known
            if known:
                self._prepare_down(journal)
            time_left.warn_before_down(
                self.target,
                journal.entries.values(),
                known=time_left.known_durations(self._state, self.record.target),
                bus=self.bus,
            )
            return take_down(
                self.record,
                self.folder,
                known=known,
                others=frozenset(each.id for each in known_sessions(self._state))
                - {self.record.id},
                target=self.target,
                journal=journal,
                bus=self.bus,
                cancelled=self._cancelled,
            )

    def push_keys(self) -> list[str]:
        """Push the target's present keys to the machines that work with a file of them.

        Returns the names of those that have them now.
        """
        with self.standing() as stage:
            return push_to_all(stage)

    def _keys_renewed(self) -> None:
        # Aside: the call that found the new keys goes on at once.
        threading.Thread(target=self._push_renewed, name="new keys", daemon=True).start()

    def _push_renewed(self) -> None:
        try:
            if self.is_known:
                self.push_keys()
        except LabctlError as error:
            self.bus.emit(
                e.Warned(message=f"the machines have no new keys: {error}", hint=error.hint)
            )

    # What only looks

    @contextmanager
    def standing(self, *, start: bool = True) -> Iterator[Stage]:
        """Give the stage of a session that stands, as its journal knows it, without the lock.

        Without `start` a local cloud that is stopped stays so, and is told as a `TargetError`.
        """
        self._refuse_unknown()
        with self._stage(start=start) as stage:
            stage.actuals.update(actuals_from(stage.entries))
            yield stage

    def seen(self) -> Mapping[str, Actual | None]:
        """Return every resource of the lab as it stands on the target now; None: not there."""
        with self._stage() as stage:
            observe(stage)
            return {name: stage.actuals.get(name) for name in stage.lab.resources}

    def samples(self) -> list[e.Event]:
        """Return how the session's queues stand now, without its lock; starts nothing."""
        with self.standing(start=False) as stage:
            return [
                e.QueueSampled(
                    queue=name,
                    visible=held.visible,
                    in_flight=held.in_flight,
                    delayed=held.delayed,
                )
                for name, held in depths(stage).items()
            ]

    def machine_samples(self) -> list[e.MachineSampled]:
        """Return how the session's machines do now, over kept connections, without its lock.

        Starts nothing.
        """
        with self.standing(start=False) as stage:
            return sample_machines(stage)

    # How

    def _bring_up(self, stage: Stage, confirm: Confirm | None) -> int:
        """Carry out the plan and return how many resources and agents it changed."""
        before = stage.record.expires_at
        if self.is_known:
            stage.record = with_its_end(stage, self._choices, may_shorten=self.may_shorten)
        plan = self._planned(stage)
        price = price_per_hour_usd(stage)
        refuse_over_limits(stage, plan)
        opening.refuse_over_budget(self.lab, stage.record, price)
        self._refuse_without_time(stage, plan)
        if confirm and plan.changes_something and not confirm(plan, price):
            raise Interrupted("nothing was changed", "answer yes, or give --yes")
        # The former end holds until every machine has been told the new one.
        self.folder.write(replace(stage.record, expires_at=before))
        with self._phase("provision"):
            run_graph(
                [step for step in plan.steps if step.action != "push"],
                lambda step: apply_step(stage, step),
                cancelled=self._cancelled,
            )
        with self._phase("machines"):
            machines = make_all_ready(stage)
            if stage.record.expires_at != before:
                self._end_moved(stage, before, list(chain(*machines.values())))
        with self._phase("agents"):
            deployed = deploy_agents(stage, machines)
        return plan.count("create", "update", "replace", "delete") + deployed

    def _refuse_without_time(self, stage: Stage, plan: Plan) -> None:
        """Raise `LimitError` when the plan needs longer than credentials or session last."""
        needs = time_left.expected(plan, state=self._state, target=self.record.target)
        ends = time_left.ends_before(stage.target, stage.record)
        time_left.refuse_what_does_not_fit(needs, ends, force=self._choices.force, bus=self.bus)

    def _end_moved(self, stage: Stage, before: float, machines: Sequence[Machine]) -> e.EndMoved:
        """Have machines and tags, then the record say the end that the stage has."""
        move_end(stage, machines)
        self.folder.write(stage.record)
        self.record = stage.record
        moved = lifetime.end_moved(stage.record, before=before)
        self.bus.emit(moved)
        return moved

    def _refuse_unknown(self) -> None:
        if not self.is_known:
            raise UsageError(
                f"'{self.record.name}' is not up on {self.record.target}",
                f"labctl up {self._argument}",
            )

    def _rescale(self, stage: Stage, role: str, confirm: Confirm | None) -> tuple[int, int]:
        """Carry out a scaling and return how many machines the role had and has."""
        with self._phase("plan"):
            plan = plan_scale(stage, role)
        before = len(stage.actuals[role].members) if role in stage.actuals else 0
        refuse_over_limits(stage, plan)
        price = price_per_hour_usd(stage)
        opening.refuse_over_budget(self.lab, self.record, price)
        self._refuse_without_time(stage, plan)
        if confirm and plan.changes_something and not confirm(plan, price):
            raise Interrupted("nothing was changed", "answer yes, or give --yes")
        self.folder.write(stage.record)
        with self._phase("machines"):
            return before, len(scale_role(stage, plan, role))

    def _set(self, setting: Mapping[str, str]) -> None:
        """Lay a setting over the session's own."""
        self.record = replace(self.record, settings={**self.record.settings, **setting})
        self.__dict__.pop("lab", None)

    def _prepare_down(self, journal: Journal) -> None:
        """Do what needs the lab file: take back what was only intended, clear given hosts."""
        try:
            with self._stage(journal) as stage:
                take_back_intended(stage)
                clear_given_machines(stage)
                clear_hosts(stage)
        except (SpecError, UsageError) as error:
            self.bus.emit(
                e.Warned(
                    message=f"the lab file cannot be used any more: {error}",
                    hint="the teardown goes by the journal and by the tags",
                )
            )

    @contextmanager
    def _telling_what_remains(self, journal: Journal) -> Iterator[None]:
        """Name what the journal still holds when the target cannot be asked (any more)."""
        try:
            yield
        except TargetError:
            held = [entry for entry in journal.entries.values() if entry.state != "gone"]
            names = ", ".join(f"{entry.kind} {entry.name}" for entry in held)
            if names:
                hint = "run the same command again when the target answers"
                self.bus.emit(
                    e.Warned(message=f"still there, as the ledger has it: {names}", hint=hint)
                )
            raise

    def _planned(self, stage: Stage) -> Plan:
        with self._phase("plan"):
            opening.refuse_what_cannot_be(stage)
            opening.get_programs(stage, fetch=self._choices.fetch)
            plan = plan_for(stage, observe(stage))
        needs = time_left.expected(plan, state=self._state, target=self.record.target)
        self.bus.emit(
            e.PlanMade(
                steps=tuple(step.as_record() for step in plan.steps),
                price_per_hour_usd=price_per_hour_usd(stage),
                expected_s=needs.seconds if needs.known else None,
            )
        )
        return plan

    def _up_finished(self, changed: int) -> e.UpFinished:
        done = e.UpFinished(
            lab=self.record.lab,
            session=self.record.name,
            ok=True,
            changed=changed,
            phases_s=dict(self.phases_s),
        )
        self.bus.emit(done)
        return done

    def _run_finished(self, summary: WorkloadSummary, *, ok: bool) -> e.RunFinished:
        failed = summary.failed + summary.dead  # a dead letter is a job that never got done
        return e.RunFinished(
            lab=self.record.lab,
            session=self.record.name,
            ok=ok and not (failed or summary.lost or summary.duplicated),
            jobs={
                "submitted": summary.submitted,
                "done": summary.done,
                "failed": failed,
                "lost": summary.lost,
                "duplicated": summary.duplicated,
            },
            jobs_per_s=summary.jobs_per_s,
            latency_ms=dict(summary.latency_ms),
            phases_s=dict(self.phases_s),
        )
