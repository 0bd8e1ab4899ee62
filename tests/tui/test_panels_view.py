"""The panels that draw the view model: resources, machines and checks, small and large."""

from __future__ import annotations

import time

import pytest

from labctl import events as e
from labctl.tui.keyed_table import KeyedTable
from labctl.tui.panels.base import Panel
from labctl.tui.panels.checks import ChecksPanel
from labctl.tui.panels.machines import MachinesPanel
from labctl.tui.panels.resources import ResourcesPanel
from tests.tui.panel_host import (
    HOSTILE,
    LARGE,
    SMALL,
    PanelApp,
    assert_harmless,
    lab_named,
    until,
    until_seen,
)

both_sizes = pytest.mark.parametrize("size", [SMALL, LARGE])


def app(panel: type[Panel]) -> PanelApp:
    return PanelApp(panel(), lab_named("numbers"))


def ready(resource: str, kind: str = "sqs.queue", *, id: str = "id", members: int = 0) -> e.Event:
    return e.ResourceReady(
        resource=resource, kind=kind, name=f"labctl-{resource}", id=id, members=members
    )


def machine(name: str = "worker.0") -> e.Event:
    return e.MachineReady(machine=name, id="i-1", address="10.0.0.9", port=22, seconds=1.0)


def sampled(name: str = "worker.0", **changes: object) -> e.MachineSampled:
    values: dict[str, object] = {
        "id": "i-1",
        "address": "10.0.0.9",
        "port": 22,
        "services": {"numbers": "active"},
        "pids": (7,),
        "memory_bytes": 50 * 2**20,
    }
    return e.MachineSampled(machine=name, **{**values, **changes})  # type: ignore[arg-type]


# Resources


@both_sizes
async def test_what_is_not_up_is_listed_with_its_price(size: tuple[int, int]) -> None:
    async with app(ResourcesPanel).run_test(size=size) as pilot:
        await until_seen(pilot, "u brings the lab up", "dynamodb.table", "not there", "0.016")


@both_sizes
async def test_a_chosen_resource_tells_its_story(size: tuple[int, int]) -> None:
    running = app(ResourcesPanel)
    async with running.run_test(size=size) as pilot:
        about = {"action": "create", "resource": "responses", "kind": "sqs.queue"}
        running.tell(e.StepStarted(step="responses:create", **about))
        running.tell(ready("requests", id="http://here/requests"), at=time.time() - 240)
        running.tell(ready("worker", "ec2.instance", members=1), machine())
        await until_seen(pilot, "4 min", "http://here/requests", "worker.0", "10.0.0.9:22")
        await pilot.press("down")
        await until_seen(pilot, "create...", "creating...")
        table = running.host.query_one(KeyedTable)
        while table.chosen != "machine/worker.0":
            await pilot.press("down")
        await until_seen(pilot, "1 machine: worker.0 i-1")


async def test_a_failed_resource_says_so_in_words() -> None:
    running = app(ResourcesPanel)
    async with running.run_test(size=SMALL) as pilot:
        running.tell(
            e.StepFailed(
                step="requests:create", action="create", resource="requests", message="no", hint=""
            )
        )
        await until_seen(pilot, "failed", "failed to create requests: no")


# Machines


@both_sizes
async def test_without_machines_it_says_what_to_do(size: tuple[int, int]) -> None:
    async with app(MachinesPanel).run_test(size=size) as pilot:
        await until_seen(pilot, "No machine is up: u brings the lab up.")


@both_sizes
async def test_a_machine_shows_its_load_and_its_last_words(size: tuple[int, int]) -> None:
    running = app(MachinesPanel)
    async with running.run_test(size=size) as pilot:
        running.tell(machine())
        await until_seen(pilot, "worker.0", "ready", "10.0.0.9:22", "never")
        now = time.time()
        running.tell(sampled(cpu_s=1.0), at=now - 5)
        running.tell(sampled(cpu_s=2.25, log=("first", "ready to work")), at=now)
        await until_seen(pilot, "25 %", "50 MiB", "now", "numbers", "ready to work")
        running.tell(sampled(cpu_s=0.1, pids=(8,), services={"numbers": "failed"}))
        await until_seen(pilot, "failed n")  # what is wrong comes first: the rest is cut
        running.tell(sampled(why="no route to host"))
        await until_seen(pilot, "silent", "It does not answer: no route to host")
        running.tell(e.MachineDrained(machine="worker.0", id="i-1", seconds=1.0))
        await until_seen(pilot, "No machine is up")


async def test_another_machine_shows_another_log() -> None:
    running = app(MachinesPanel)
    async with running.run_test(size=SMALL) as pilot:
        running.tell(sampled("worker.0", log=("log of none",)))
        running.tell(sampled("worker.1", log=("log of one",)))
        await until_seen(pilot, "log of none")
        await pilot.press("down")
        await until_seen(pilot, "log of one")


async def test_the_end_of_a_log_stays_in_sight_until_one_scrolls() -> None:
    running = app(MachinesPanel)
    async with running.run_test(size=SMALL) as pilot:
        running.tell(sampled(log=tuple(f"line {number} of the log" for number in range(60))))
        await until_seen(pilot, "line 59 of the log")
        await pilot.resize_terminal(60, 20)
        await until_seen(pilot, "line 59 of the log")
        await pilot.press(*["shift+up"] * 10)
        await until(pilot, lambda: "line 59" not in running.seen())
        running.tell(sampled(log=tuple(f"line {number} of the log" for number in range(61))))
        await until(pilot, lambda: running.host.drawn == running.host.view.version)
        assert "line 60" not in running.seen()


# Checks


@both_sizes
async def test_checks_stand_beside_the_instructions(size: tuple[int, int]) -> None:
    running = app(ChecksPanel)
    async with running.run_test(size=size) as pilot:
        await until_seen(pilot, "c runs the checks", "not run", "Number statistics")
        running.tell(e.CheckPassed(check="drained", say="No request is left in the queue"))
        running.tell(e.CheckFailed(check="answered", say="Every job", why="done is 9, wanted 10"))
        await until_seen(pilot, "holds", "FAILS", "done is 9, wanted 10", "not run")
        readme = running.host.query_one("#checks-readme")
        await pilot.press("pagedown")
        await until(pilot, lambda: readme.scroll_offset.y > 0)


# Strangers' texts


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("panel", [ResourcesPanel, MachinesPanel, ChecksPanel])
async def test_a_strangers_text_is_only_text(panel: type[Panel], text: str) -> None:
    running = app(panel)
    async with running.run_test(size=SMALL) as pilot:
        running.tell(
            ready(text, text, id=text),
            e.MachineReady(machine=text, id=text, address=text, port=1, seconds=1.0),
            sampled("worker.1", services={text: text}, log=(text,), why=""),
            sampled("worker.2", address=text, why=text),
            e.CheckFailed(check=text, say=text, why=text),
            e.CheckFailed(check="answered", say=text, why=text),
            e.StepFailed(step="dead:x", action=text, resource="dead", message=text, hint=text),
        )
        shown = running.host.view.version
        await until(pilot, lambda: running.host.drawn == shown)
        for _ in range(3):
            assert_harmless(running.seen())
            await pilot.press("down")
