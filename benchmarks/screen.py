"""Measures the screen of a lab: its first frame, its answer to a key, its rest, its memory.

    .venv/bin/python benchmarks/screen.py

It runs without a cloud: the lab is `numbers`, its events are made here, and where an endpoint is
asked, it is one that never answers. The first frames are those of the commands in a terminal, all
else runs on Textual's headless driver.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from textual.events import Key
from textual.pilot import Pilot

from labctl import events as e
from labctl.engine.choices import Choices
from labctl.session import Session
from labctl.tui.app import LabctlApp
from labctl.tui.screens.lab import LabScreen
from labctl.tui.view import SessionView

ROUNDS = 9
KEYS = 60
JOBS_PER_S = 1000
REST_S = 20.0
SETTLED_S = 8.0  # until the catalogue behind the screen is drawn too
FOLDED = 100_000
DAY = 1_000_000  # events: a day of 100 runs with 10,000 jobs each
MIB = 2**20

BARE = """
from textual.app import App
from textual.widgets import Footer, Static
class Bare(App):
    BINDINGS = [("q", "quit", "Quit")]
    def compose(self):
        yield Static("bare")
        yield Footer()
Bare().run()
"""
LABCTL = "from labctl.cli.main import main; main()"
STARTS = {  # arguments, the words of the first frame, the words of what was asked for
    "bare": ([BARE], b"Quit", b"Quit"),
    "catalogue": ([LABCTL], b"Quit", b"not started"),
    "lab": ([LABCTL, "open", "numbers"], b"Quit", b"Nothing stands yet"),
}


def say(what: str, figure: str, target: str = "") -> None:
    sys.stdout.write(f"{what:44} {figure:>26}  {target}\n")
    sys.stdout.flush()


def first_frames() -> None:
    """Time commands in a terminal from their start to their first frame, in turns."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in STARTS}
    for number in range(1 + ROUNDS):
        for name, (arguments, first, whole) in STARTS.items():
            times = start(arguments, first, whole)
            if number:  # the first one compiles
                took[name].append(times)
    bare = statistics.median(frame for frame, _ in took["bare"])
    for name, values in took.items():
        frame, all_of_it = (statistics.median(each) for each in zip(*values, strict=True))
        say(f"first frame, {name}", f"{frame * 1000:.0f} ms  {frame / bare:.2f} x", "<= 1.5 x")
        say("  what was asked for", f"{all_of_it * 1000:.0f} ms  {all_of_it / bare:.2f} x")


def start(arguments: Sequence[str], first: bytes, whole: bytes) -> tuple[float, float]:
    """Return after how many seconds a command's terminal had shown each of two texts."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a second start finds the first one's
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    shown, frame_s = b"", 0.0
    while whole not in shown:
        shown += os.read(ours, 2**16)
        frame_s = frame_s or (time.perf_counter() - began if first in shown else 0.0)
    all_s = time.perf_counter() - began
    child.kill()
    child.wait()
    os.close(ours)
    os.close(theirs)
    return frame_s, all_s


def job(number: int) -> e.JobFinished:
    return e.JobFinished(
        job_id=f"job-{number:06}",
        body=json.dumps({"numbers": [number] * 20}),
        sent_at=1.8e9,
        state="done",
        worker="worker-0",
        attempt=1,
        latency_ms=12.0,
        answer=json.dumps({"min": 1, "max": 9, "average": 4.5, "median": 4}),
    )


def line(event: e.Event) -> str:
    return json.dumps({"at": round(time.time(), 3), **e.as_record(event)}) + "\n"


def stream(file: Path) -> None:
    """Append jobs at a steady rate, as another labctl does, until the process is ended."""
    number, began = 0, time.monotonic()
    with file.open("a", buffering=1, encoding="utf-8") as written:
        written.write(line(e.PhaseStarted(phase="jobs")))
        while True:
            time.sleep(0.02)
            due = int((time.monotonic() - began) * JOBS_PER_S)
            for each in range(number, due):
                written.write(line(job(each)))
            written.write(
                line(e.QueueSampled(queue="requests", visible=due % 500, in_flight=9, delayed=0))
            )
            number = due


async def opened(pilot: Pilot[str]) -> LabScreen:
    while not isinstance(pilot.app.screen, LabScreen):
        await pilot.pause()
    return pilot.app.screen


async def until(pilot: Pilot[str], holds: Callable[[], bool]) -> None:
    while not holds():
        await pilot.pause()


async def key_latency(file: Path) -> None:
    """Time from a key to the panel it goes to, while jobs stream in and an endpoint hangs."""
    app = LabctlApp(Choices(), lab="numbers")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await asyncio.sleep(SETTLED_S)
        writer = subprocess.Popen([sys.executable, __file__, str(file)])
        await until(pilot, lambda: screen.view.jobs.done > JOBS_PER_S)
        took, worked = [], []
        for number in range(KEYS):
            wanted = number % 2
            began, work = time.perf_counter(), time.process_time()
            app.post_message(Key(str(wanted + 1), str(wanted + 1)))
            while screen._current != wanted:
                await asyncio.sleep(0.001)
            took.append((time.perf_counter() - began) * 1000)
            worked.append((time.process_time() - work) * 1000)
            await asyncio.sleep(0.047)  # out of step with the drawing, so that all phases are met
        lag = await loop_lag()
        done, began = screen.view.jobs.done, time.monotonic()
        await asyncio.sleep(2)
        rate = (screen.view.jobs.done - done) / (time.monotonic() - began)
        writer.terminate()
        writer.wait()
    say("key to answer, 1,000 jobs/s, endpoint hangs", quantiles(took), "< 50 ms")
    say("  of it the processor's time, all threads", quantiles(worked))
    say("  the loop was held up at most", f"{lag * 1000:.0f} ms")
    say("  jobs that the screen took meanwhile", f"{rate:,.0f} /s", f">= {JOBS_PER_S:,}")


def quantiles(values_ms: list[float]) -> str:
    ordered = sorted(values_ms)
    return f"p50 {statistics.median(ordered):.1f}  p95 {ordered[int(KEYS * 0.95)]:.1f} ms"


async def loop_lag(for_s: float = 3.0) -> float:
    """Return the longest that the loop kept a sleeper waiting beyond its time."""
    longest, end = 0.0, time.monotonic() + for_s
    while time.monotonic() < end:
        began = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - began - 0.001)
    return longest


def stands(target: str) -> Path:
    """Record a session of `numbers` on a target, and return its file of events."""
    session = Session("numbers", Choices(target=target, name="numbers"))
    session.folder.write(session.record)
    return session.folder.events_file


async def rest() -> None:
    """CPU of this process while a lab's screen is open and nothing happens."""
    app = LabctlApp(Choices(), lab="numbers")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await asyncio.sleep(SETTLED_S)
        before, began = time.process_time(), time.monotonic()
        await asyncio.sleep(REST_S)
        share = (time.process_time() - before) / (time.monotonic() - began)
    say("CPU at rest, a lab's screen open", f"{share * 100:.2f} %", "< 2 %")


def day(count: int) -> Iterator[e.Event]:
    for number in range(count):
        if number % 10_000 == 0:
            yield e.PhaseStarted(phase="jobs")
        elif number % 50 == 0:
            yield e.QueueSampled(queue=f"q{number % 3}", visible=number, in_flight=0, delayed=0)
        else:
            yield job(number)


def folding() -> None:
    """Time and memory of the view model over many events."""
    events = list(day(FOLDED))
    view, began = SessionView(), time.process_time()
    for number, event in enumerate(events):
        view.fold(1.8e9 + number, event)
    took = time.process_time() - began
    say(f"fold {FOLDED:,} events", f"{took:.2f} s  {took / FOLDED * 1e6:.1f} us each")
    del events, view
    tracemalloc.start()
    view = SessionView()
    sizes = []
    for number, event in enumerate(day(DAY // 10)):
        view.fold(1.8e9 + number, event)
        if number == FOLDED // 4:
            sizes.append(tracemalloc.get_traced_memory()[0])
    sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    grown = (sizes[-1] - sizes[0]) / MIB
    say("view's memory after 100,000 events", f"{sizes[-1] / MIB:.1f} MiB")
    say("  grown since the 25,000th", f"{grown:.2f} MiB", "~ 0")


def memory_over_a_day() -> None:
    """Resident memory of the view after a day's worth of events, in this process."""
    view = SessionView()
    before = 0
    for number, event in enumerate(day(DAY)):
        view.fold(1.8e9 + number, event)
        if number == DAY // 10:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    say(f"peak memory over {DAY:,} events", f"{after / 1024:.0f} MiB", "")
    say("  grown since the first tenth", f"{(after - before) / 1024:.1f} MiB", "~ 0")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as deaf:
        os.environ["LABCTL_STATE"] = folder
        first_frames()
        folding()
        memory_over_a_day()
        file = stands(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        asyncio.run(rest())
        asyncio.run(key_latency(file))
    sys.stdout.flush()
    os._exit(0)  # the thread that waits for the deaf endpoint is not waited for


if __name__ == "__main__":
    if len(sys.argv) > 1:  # the process that another labctl stands for
        stream(Path(sys.argv[1]))
    main()
