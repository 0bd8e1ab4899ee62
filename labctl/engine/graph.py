"""Runs a graph of steps in a bounded pool: every step as soon as those before it are done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from labctl.errors import Interrupted, LabctlError
from labctl.plan.model import Step

STEPS_AT_ONCE = 16


def run_graph(
    steps: Sequence[Step], work: Callable[[Step], None], *, cancelled: threading.Event
) -> None:
    """Run every step, in parallel where the graph allows it.

    After a failure or a cancel no further step starts, the running ones end; then the first
    failure is raised, or `Interrupted`.
    """
    waiting = {step.id: step for step in steps}
    running: dict[Future[None], Step] = {}
    failures: list[BaseException] = []
    with ThreadPoolExecutor(STEPS_AT_ONCE, thread_name_prefix="step") as pool:
        while running or waiting:
            if not failures and not cancelled.is_set():
                busy = waiting.keys() | {step.id for step in running.values()}
                for step in [step for step in waiting.values() if not step.after & busy]:
                    running[pool.submit(work, waiting.pop(step.id))] = step
            if not running:
                break
            # The timeout only bounds how long a cancel goes unnoticed.
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                running.pop(future)
                if (error := future.exception()) is not None:
                    failures.append(error)
    if failures:
        raise next((each for each in failures if isinstance(each, LabctlError)), failures[0])
    if cancelled.is_set():
        raise Interrupted("stopped before every step was done", "run the same command again")
