"""The panel `queues`: how deep each is, what comes and goes a second, and what died."""

from __future__ import annotations

import time

import pytest

from labctl import events as e
from labctl.tui.panels.queues import QueuesPanel
from labctl.tui.view import QueueView, Sample
from tests.tui import recorded
from tests.tui.panel_host import LARGE, SMALL, PanelApp, lab_named, until_seen


def depth(queue: str, visible: int) -> e.QueueSampled:
    return e.QueueSampled(queue=queue, visible=visible, in_flight=0, delayed=0)


def test_what_came_and_went_is_told_apart() -> None:
    queue = QueueView("q")
    assert queue.flow_per_s() == (0.0, 0.0)
    queue.samples.extend(Sample(float(at), total, 0, 0) for at, total in enumerate([0, 40, 10, 20]))
    assert queue.flow_per_s() == (50 / 3, 30 / 3)
    assert queue.net_per_s() == 20 / 3
    queue.samples.append(Sample(100.0, 20, 0, 0))
    assert queue.flow_per_s() == (0.0, 0.0)


@pytest.mark.parametrize("size", [SMALL, LARGE, (40, 12)])
async def test_a_queue_that_is_worked_on(size: tuple[int, int]) -> None:
    running, now = PanelApp(QueuesPanel(), lab_named("numbers")), time.time()
    async with running.run_test(size=size) as pilot:
        await until_seen(pilot, "No queue was looked at yet")
        running.tell(depth("requests", 500), depth("dead", 0), at=now - 10)
        # A hundred were answered, and as many were sent meanwhile: the depth alone hides both.
        running.tell(*(recorded.job(number) for number in range(100)), at=now - 1)
        running.tell(depth("requests", 500), depth("dead", 3), at=now)
        await until_seen(pilot, "queue", "visible", "requests", "500")
        line = next(each for each in running.seen().splitlines() if "requests" in each)
        shown = line.strip(" │┃").split()
        if size[0] < 60:
            assert shown == ["requests", "500", "-"]
        else:
            assert shown[1:3] == ["500", "0"]
            assert [word for word in shown if word != "0"][2:6] == ["3", "10.0", "10.0", "-"]
            assert "█" in line
