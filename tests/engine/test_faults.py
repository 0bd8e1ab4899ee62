"""Faults on machines in memory: all or none, recorded ahead, undone by whoever comes later."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from labctl import events as e
from labctl.cloud import launch
from labctl.engine.agents import deploy_agent
from labctl.engine.bus import Bus
from labctl.engine.faults import Wanted, begin_faults, clear_given_machines, end_faults, hold_faults
from labctl.engine.machines import machines_of
from labctl.engine.meanwhile import Meanwhile
from labctl.engine.stage import Stage
from labctl.engine.verdicts import run_checks
from labctl.engine.vocabulary import kinds, vocabulary
from labctl.errors import Interrupted, LabctlError, TargetError, TransportError, UsageError
from labctl.faults.registry import faults
from labctl.ledger.faults import faults_held, faults_on
from labctl.ledger.lock import session_lock
from labctl.ledger.sessions import SessionRecord, session_folder
from labctl.paths import shipped
from labctl.spec.load import load_lab
from labctl.spec.params import Scalar
from labctl.targets.local import LocalTarget
from labctl.transport.base import Completed
from tests.fakes.transport import FakeMachine, FakeTransport

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNvbXBsZXRlbHkgd3Jvbmcga2V5IG1hdGVyaWFs"
LAB = f"""
apiVersion: labctl/v1
name: pair
title: Two machines that labctl was lent, and one
resources: {{}}
hosts:
  worker:
    - {{address: 192.0.2.1, user: me, host_key: {KEY}}}
    - {{address: 192.0.2.2, user: me, host_key: {KEY}}}
  other: [{{address: 192.0.2.3, user: me, host_key: {KEY}}}]
agents:
  numbers: {{on: worker, program: numbers_worker}}
checks:
  - {{id: answered, say: No job is lost, that: {{jobs: {{lost: 0}}}}, within: 0s}}
"""
PROBE, STOP, START, SIGNAL = "tail -c 6000", "systemctl stop", "systemctl start", "systemctl kill"
CUT, DELAY = "chain=LABCTL-FAULT", "sch_netem"
Chosen = Mapping[str, Scalar]
NOTHING: Chosen = {}
RUNS = b"\0labctl-numbers\0active\0007\0000\000100\0000\0\0"
IS_DOWN = b"\0labctl-numbers\0inactive\0000\0000\000100\0000\0\0"
REFUSED = Completed(70, b"", b"it does not stop\nlook at it\n")


@dataclass
class House:
    """A session on machines in memory, and what was told."""

    stage: Stage
    machines: dict[str, FakeMachine]
    told: list[e.Event]

    @property
    def on(self) -> list[str]:
        """The faults that are recorded, by name and machine."""
        found = faults_on(self.stage.folder).values()
        return [
            f"{entry.fault} {entry.machine}{'' if entry.done else ' (half)'}" for entry in found
        ]

    def did(self, machine: str) -> list[str]:
        """What was done on a machine, by the words of the scripts."""
        known = {
            CUT: "cut",
            DELAY: "delay",
            PROBE: "probe",
            START: "start",
            SIGNAL: "signal",
            STOP: "stop",
        }
        ran = self.machines[machine].ran
        return [next(word for part, word in known.items() if part in script) for script in ran]

    def begin(
        self, name: str, selector: str, *, for_s: float | None = None, options: Chosen = NOTHING
    ) -> None:
        fault = faults()[name]
        chosen = {option: param.default for option, param in fault.options.items()}
        begin_faults(self.stage, Wanted(fault, {**chosen, **options}, for_s), selector)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    file = tmp_path / "lab.yaml"
    file.write_text(LAB)
    transport = FakeTransport()
    told: list[e.Event] = []
    folder = session_folder(tmp_path / "state", "pair")
    record = SessionRecord(
        name="pair", id="abcdefgh", lab="pair", lab_file=str(file), target="hosts", region="",
        profile="", account="", owner="me", settings={}, plain_names=False, created_at=time.time(),
        expires_at=time.time() + 3600,
    )  # fmt: skip
    folder.write(record)
    stage = Stage(
        record=record,
        folder=folder,
        lab=load_lab(file, vocabulary()),
        target=LocalTarget(tmp_path / "state"),
        transport_of=lambda: transport,
        journal_for_writing=None,
        entries_at_start={},
        bus=Bus(lambda at, event: told.append(event)),
        kinds=kinds(),
        cancelled=threading.Event(),
    )
    machines = {}
    for role in ("worker", "other"):
        for machine in machines_of(stage, role):
            machines[machine.name] = transport.add(machine)
            said = RUNS if role == "worker" else b"\0"
            machines[machine.name].teach(PROBE, Completed(0, said, b""))
    yield House(stage, machines, told)
    launch.stop(tmp_path / "state")  # an agent is told where the cloud is


def test_a_fault_is_done_on_each_machine_of_the_role_told_and_undone(house: House) -> None:
    house.begin("stop", "worker")
    assert house.on == ["stop worker.0", "stop worker.1"]
    assert [house.did(name) for name in house.machines] == [["probe", "stop"]] * 2 + [[]]
    over = end_faults(house.stage)
    assert ([entry.machine for entry in over], house.on) == (["worker.0", "worker.1"], [])
    assert house.did("worker.0") == ["probe", "stop", "start"]
    assert [(type(event), event.machine) for event in house.told] == [  # type: ignore[attr-defined]  # both have it
        (e.FaultBegan, "worker.0"),
        (e.FaultBegan, "worker.1"),
        (e.FaultEnded, "worker.0"),
        (e.FaultEnded, "worker.1"),
    ]
    assert end_faults(house.stage) == []


def test_the_same_fault_twice_changes_nothing(house: House) -> None:
    house.begin("pause", "worker.0")
    began = len(house.told)
    begun = begin_faults(house.stage, Wanted(faults()["pause"], {}, None), "worker")
    assert [entry.machine for entry in begun.before] == ["worker.0"]
    assert [entry.machine for entry in begun.now] == ["worker.1"]
    assert house.did("worker.0") == ["probe", "signal", "probe"]
    assert len(house.told) == began + 1


def test_a_kill_without_a_time_is_over_at_once(house: House) -> None:
    house.begin("kill", "worker.1")
    assert house.on == []
    assert [event.once for event in house.told if isinstance(event, e.FaultBegan)] == [True]
    house.begin("kill", "worker.1", for_s=60)
    assert house.on == ["kill worker.1"]
    assert "stop=yes" in house.machines["worker.1"].ran[-1]
    assert "stop=yes" not in house.machines["worker.1"].ran[1]


@pytest.mark.parametrize(
    ("name", "selector", "error", "says"),
    [
        ("stop", "wrker", UsageError, "no role 'wrker'"),
        ("stop", "worker.2", UsageError, "no machine 'worker.2'"),
        ("stop", "other", TargetError, "no agent runs on other.0"),
        ("pause", "worker", UsageError, "stop is on worker.0"),
        ("partition", "worker.1", UsageError, "no machine 'wroker' to cut worker.1 off from"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_happens(
    house: House, name: str, selector: str, error: type[LabctlError], says: str
) -> None:
    house.begin("stop", "worker.0")
    with pytest.raises(error, match=says) as told:
        house.begin(name, selector, options={"from": "wroker"} if name == "partition" else NOTHING)
    assert told.value.hint
    assert house.on == ["stop worker.0"]
    assert house.did("worker.1") in ([], ["probe"])


def test_the_network_is_held_back_beside_what_is_done_to_processes(house: House) -> None:
    house.begin("partition", "worker.0")
    house.begin("delay", "worker.0", options={"ms": 250})
    house.begin("stop", "worker.0")
    assert house.on == ["partition worker.0", "delay worker.0", "stop worker.0"]
    ran = house.machines["worker.0"].ran
    assert any("addresses='192.0.2.2 192.0.2.3'\ndoing=begin" in script for script in ran)
    assert any("ms=250\njitter=0\ndoing=begin" in script for script in ran)
    house.begin("partition", "other", options={"from": "worker.1"})
    assert "addresses=192.0.2.2\ndoing=begin" in house.machines["other.0"].ran[-1]
    with pytest.raises(UsageError, match=r"delay of 250 ms is on worker\.0: delay of 100 ms"):
        house.begin("delay", "worker.0")
    assert len(end_faults(house.stage)) == 4
    assert [script.count("doing=end") for script in ran[-3:]] == [1, 1, 0]


def test_one_machine_out_of_reach_spares_all(house: House) -> None:
    house.machines["worker.1"].up = False
    with pytest.raises(TransportError, match=r"worker\.1 cannot be reached"):
        house.begin("stop", "worker")
    assert (house.on, house.did("worker.0"), house.told) == ([], ["probe"], [])


def test_where_one_machine_fails_all_are_put_right(house: House) -> None:
    house.machines["worker.1"].teach(STOP, REFUSED)
    with pytest.raises(TransportError, match=r"worker\.1: it does not stop"):
        house.begin("stop", "worker")
    assert (house.on, house.told) == ([], [])
    assert house.did("worker.0") == ["probe", "stop", "start"]
    house.machines["worker.0"].teach(START, REFUSED)
    with pytest.raises(TransportError, match=r"worker\.1: it does not stop"):
        house.begin("stop", "worker")
    assert house.on == ["stop worker.0 (half)"]
    assert "not undone: worker.0" in cast(e.Warned, house.told[-1]).message


def test_what_was_done_by_half_is_done_again_or_undone(house: House) -> None:
    machine, stage = house.machines["worker.0"], house.stage
    house.begin("stop", "worker.0")
    (entry,) = faults_on(stage.folder).values()
    end_faults(stage)
    with faults_held(stage.folder) as file:  # as far as a labctl came that was killed
        file.begins(replace(entry, done=False))
    machine.teach(PROBE, Completed(0, IS_DOWN, b""))
    assert house.on == ["stop worker.0 (half)"]
    house.begin("stop", "worker.0")
    assert house.on == ["stop worker.0"]
    with faults_held(stage.folder) as file:
        file.begins(replace(entry, done=False))
    assert [entry.machine for entry in end_faults(stage)] == ["worker.0"]
    assert "services=labctl-numbers\n" in machine.ran[-1]


def test_what_cannot_be_undone_stays_known_and_the_rest_is_undone(house: House) -> None:
    house.begin("stop", "worker")
    house.machines["worker.0"].up = False
    with pytest.raises(TransportError, match=r"not undone: worker\.0 cannot be reached") as told:
        end_faults(house.stage)
    assert "fault clear pair" in told.value.hint
    assert house.on == ["stop worker.0"]
    house.machines["worker.0"].up = True
    assert len(end_faults(house.stage)) == 1


def test_a_fault_is_gone_with_its_machine(house: House, tmp_path: Path) -> None:
    house.begin("pause", "worker.1")
    fewer = LAB.replace(f"    - {{address: 192.0.2.2, user: me, host_key: {KEY}}}\n", "")
    (tmp_path / "lab.yaml").write_text(fewer)
    house.stage.lab = load_lab(tmp_path / "lab.yaml", vocabulary())
    end_faults(house.stage)
    assert house.on == []
    assert cast(e.FaultEnded, house.told[-1]).gone


def test_holding_ends_with_its_time_and_counts_the_jobs_meanwhile(house: House) -> None:
    wanted = Wanted(faults()["stop"], {}, 0.5)
    begun = begin_faults(house.stage, wanted, "worker.0")
    left: list[float] = []
    hold_faults(house.stage, begun.now, on_wait=lambda left_s, jobs: left.append(left_s))
    assert house.on == []
    assert 0 < left[-1] < left[0] <= 0.5
    assert cast(e.FaultEnded, house.told[-1]).seconds >= 0.5


def test_a_stop_undoes_what_is_held(house: House) -> None:
    begun = begin_faults(house.stage, Wanted(faults()["stop"], {}, 600), "worker.0")

    def stop(left_s: float, jobs: object) -> None:
        house.stage.cancelled.set()

    with pytest.raises(Interrupted, match="undone"):
        hold_faults(house.stage, begun.now, on_wait=stop)
    assert (house.on, house.did("worker.0")[-1]) == ([], "start")


def test_who_holds_a_fault_leaves_it_to_who_cleared_it(house: House) -> None:
    begun = begin_faults(house.stage, Wanted(faults()["stop"], {}, 600), "worker.0")

    def clear_and_do_another(left_s: float, jobs: object) -> None:
        end_faults(house.stage)
        house.begin("stop", "worker.0")

    hold_faults(house.stage, begun.now, on_wait=clear_and_do_another)
    assert house.on == ["stop worker.0"]


def test_an_agent_that_a_fault_holds_down_is_not_brought_up(house: House) -> None:
    house.begin("stop", "worker.0")
    workers = machines_of(house.stage, "worker")
    assert deploy_agent(house.stage, "numbers", workers[:1]) is False
    assert house.did("worker.0") == ["probe", "stop"]
    warned = house.told[-1]
    assert isinstance(warned, e.Warned)
    assert "stop is on" in warned.message


def test_a_check_that_fails_names_the_faults_that_are_on(house: House) -> None:
    house.begin("stop", "worker.0")
    assert run_checks(house.stage) is False
    failed = house.told[-1]
    assert isinstance(failed, e.CheckFailed)
    assert failed.why == "no jobs were sent yet (faults that are on: stop on worker.0)"


def test_machines_that_labctl_was_lent_are_left_without_faults(house: House) -> None:
    house.begin("pause", "worker")
    clear_given_machines(house.stage)
    assert house.on == []
    house.begin("pause", "worker.0")
    house.machines["worker.0"].up = False
    clear_given_machines(house.stage)
    assert isinstance(house.told[-1], e.Warned)


def test_jobs_are_counted_from_the_events_while_a_run_is_on(house: House) -> None:
    folder = house.stage.folder
    job = '{"event": "JobFinished", "state": "%s"}\n'
    folder.events_file.write_text(job % "done")
    assert Meanwhile(house.stage).jobs() == {}  # this lab has no jobs
    numbers = load_lab(shipped("labs", "numbers", "lab.yaml"), vocabulary())
    house.stage.lab = replace(house.stage.lab, workload=numbers.workload)
    with session_lock(folder.path):
        meanwhile = Meanwhile(house.stage)
    with folder.events_file.open("a") as events:
        events.write(job % "done" + job % "failed" + '{"event": "JobFinished", "sta')
        events.flush()
        assert meanwhile.jobs() == {"done": 1, "failed": 1}
        events.write('te": "done"}\n[1]\nno json\n')
        events.flush()
        assert meanwhile.jobs() == {"done": 2, "failed": 1}
