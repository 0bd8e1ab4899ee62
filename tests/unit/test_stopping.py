"""Ctrl-C is heeded while the main thread sleeps, and twice is at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from labctl.cli.stopping import INTERRUPTED

ASLEEP = """
import signal, sys, threading
from labctl.cli.stopping import {how}
def interrupt():
    for line in sys.stdin:  # as when the system hands a signal to another thread
        signal.pthread_kill(threading.get_ident(), signal.{signal})
{how}()
threading.Thread(target=interrupt, daemon=True).start()
asleep = threading.Lock()
asleep.acquire()
try:
    print("ready", flush=True)
    asleep.acquire()
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.fixture
def asleep(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    how, signal = request.param
    with subprocess.Popen(
        [sys.executable, "-c", ASLEEP.format(how=how, signal=signal)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    "asleep",
    [("stopped_by_signals", "SIGINT"), ("stopped_by_signals", "SIGTERM")],
    indirect=True,
    ids=["SIGINT", "SIGTERM"],
)
def test_an_interrupt_reaches_a_main_thread_that_sleeps(asleep: subprocess.Popen[str]) -> None:
    said, _ = asleep.communicate("\n", timeout=60)
    assert (said, asleep.returncode) == ("stopped\n", 0)


@pytest.mark.parametrize("asleep", [("cancelled_by_signals", "SIGINT")], indirect=True)
def test_the_second_interrupt_leaves_at_once(asleep: subprocess.Popen[str]) -> None:
    assert asleep.stdin is not None
    assert asleep.stderr is not None
    asleep.stdin.write("\n")
    assert asleep.stderr.readline() == "\n"
    assert "press Ctrl-C again" in asleep.stderr.readline()
    said, _ = asleep.communicate("\n", timeout=60)
    assert (said, asleep.returncode) == ("", INTERRUPTED)
