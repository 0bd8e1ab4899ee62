"""Ctrl-C ends a command that runs for long, whatever becomes of the interrupt on its way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from labctl.cli.stopping import INTERRUPTED

BUSY = """
import signal
from labctl.cli.stopping import {how}
{how}()
try:
    print("ready", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("lost", flush=True)  # as in a destructor
while True:
    signal.pause()
"""


@pytest.fixture
def busy(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", BUSY.format(how=request.param)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("busy", ["stopped_by_signals"], indirect=True)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_is_lost_ends_the_command_all_the_same(
    busy: subprocess.Popen[str], signum: signal.Signals
) -> None:
    busy.send_signal(signum)
    said, _ = busy.communicate(timeout=60)
    assert (said, busy.returncode) == ("lost\n", INTERRUPTED)


@pytest.mark.parametrize("busy", ["cancelled_by_signals"], indirect=True)
def test_the_second_interrupt_leaves_at_once(busy: subprocess.Popen[str]) -> None:
    busy.send_signal(signal.SIGINT)
    assert busy.stderr is not None
    assert busy.stderr.readline() == "\n"
    assert "press Ctrl-C again" in busy.stderr.readline()
    busy.send_signal(signal.SIGINT)
    said, _ = busy.communicate(timeout=60)
    assert (said, busy.returncode) == ("", INTERRUPTED)
