"""A seeded schedule of harm, and the keeper of a crew of workers that carries it out."""

from __future__ import annotations

import contextlib
import random
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.remote.aws import Road, Server, WorkerProcess, free_port, new_road, start_server, url_of
from tests.remote.waiting import eventually

JOBS, WORKERS, KILLS, POISONS = 1000, 8, 40, 5
POISON = "kill"  # the body on which the workers' agent kills its own process
ODD = "tests.remote.odd_jobs"
_PATIENCE_S = 120


@dataclass(frozen=True)
class Schedule:
    """Who is killed at which count of recorded results, what is poison, and when the server goes.

    Counts, never times: on a slow machine the same harm comes later, but at the same places.
    """

    kills: tuple[tuple[int, int], ...]  # recorded results, worker; ascending
    poison: frozenset[int]  # numbers of jobs
    restart_at: int  # recorded results

    @staticmethod
    def of(seed: int) -> Schedule:
        """Return the schedule that a seed stands for."""
        rng = random.Random(seed)
        last = JOBS - POISONS - WORKERS * 4  # later the crew would have nothing left to lose
        counts = sorted(rng.randint(1, last) for _ in range(KILLS))
        return Schedule(
            kills=tuple((count, rng.randrange(WORKERS)) for count in counts),
            poison=frozenset(rng.sample(range(JOBS), POISONS)),
            restart_at=rng.randint(JOBS // 4, JOBS * 3 // 4),
        )


class Endpoint:
    """A server that can be restarted on its port.

    ministack is ended with SIGTERM and saves what it holds, as `labctl cloud stop` does: queues,
    messages in flight and the table are there again. moto is killed and has forgotten everything:
    its queues and its table are made anew under the same names and URLs, as `labctl up` would.
    """

    def __init__(self, flavour: str, folder: Path) -> None:
        self._flavour, self._folder, self._port = flavour, folder, free_port()
        self._process = self._start()
        self.road = self._make_road()

    def restart(self) -> None:
        """End the server and start it again, its road as complete as it was."""
        if self._flavour == "ministack":
            self._process.terminate()
        else:
            self._process.kill()
        self._process.wait(_PATIENCE_S)
        self._process = self._start()
        if self._flavour == "moto":
            self._make_road()

    def _start(self) -> subprocess.Popen[bytes]:
        saved = {"PERSIST_STATE": "1", "STATE_DIR": str(self._folder / "saved")}
        return start_server(self._flavour, self._folder, self._port, **saved)

    def _make_road(self) -> Road:
        server = Server(url_of(self._port), self._flavour)
        return new_road(server, visibility_s=3, receives=5, mark="chaos")

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()


class Crew:
    """Eight workers, each started again when it ends, as systemd does; harmed by the schedule."""

    def __init__(self, schedule: Schedule, folder: Path, endpoint: Endpoint) -> None:
        self._schedule, self._folder, self._endpoint = schedule, folder, endpoint
        self._workers = [self._worker(index) for index in range(WORKERS)]
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.killed = 0
        self.ended_alone = 0
        self.restarted_at = 0.0  # unix seconds; 0: not yet

    def harm(self, recorded: Callable[[], int]) -> None:
        """Carry out the schedule as the count of recorded results grows."""
        due: list[tuple[int, int | None]] = [
            *self._schedule.kills,
            (self._schedule.restart_at, None),
        ]
        for count, worker in sorted(due, key=lambda each: each[0]):
            eventually(
                lambda count=count: recorded() >= count or self._ended.is_set(),  # type: ignore[misc]  # bound now
                f"{count} results",
                _PATIENCE_S,
            )
            if worker is None:
                self._endpoint.restart()
                self.restarted_at = time.time()
            else:
                self._kill(worker)

    def keep(self) -> None:
        """Start every worker again that ended, until the end."""
        while not self._ended.wait(0.05):
            for index in range(WORKERS):
                with self._lock:
                    if not self._ended.is_set() and self._workers[index].status is not None:
                        self.ended_alone += 1
                        self._workers[index] = self._worker(index)

    def end(self) -> None:
        """Kill every worker and start none again."""
        self._ended.set()
        with self._lock:
            for worker in self._workers:
                worker.kill()

    def _kill(self, index: int) -> None:
        """Kill a worker that is at work; one that a poison just killed is waited for."""
        eventually(
            lambda: self._is_at_work(index) or self._ended.is_set(), f"worker {index}", _PATIENCE_S
        )
        with self._lock, contextlib.suppress(ProcessLookupError):
            if not self._ended.is_set():
                self._workers[index].kill()
                self._workers[index] = self._worker(index)
                self.killed += 1

    def _is_at_work(self, index: int) -> bool:
        worker = self._workers[index]
        return "ready" in worker.lines and worker.status is None

    def _worker(self, index: int) -> WorkerProcess:
        home = self._folder / f"worker-{index}"
        name = f"worker-{index}"
        return WorkerProcess(
            self._endpoint.road, home, module=ODD, LABCTL_INSTANCE=name, PAUSE_S="0.3", ARCHIVE=""
        )
