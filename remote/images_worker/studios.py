"""The worker's side of its studios: one process for each picture that is worked at a time."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from images_worker.refusals import Refused
from job_runtime.cloud import Stopping

LIMIT_S = 60.0  # the largest pictures take up to 10 on an idle core
_START_S = 60.0
_ATTEMPTS = 2  # a process may be killed by what is not its picture's fault
_ANSWER_BYTES = 4096
_ENVIRONMENT = {
    # Nothing of the worker's: a decoder that is broken into finds no keys here.
    "PATH": os.defpath,
    # Up to 48 MiB of a picture's memory serve the next: to ask the kernel for it anew takes a
    # sixth of the whole work. All beyond is given back at once, which malloc left alone does not.
    "PILLOW_BLOCKS_MAX": "3",
    "MALLOC_MMAP_THRESHOLD_": str(2**20),
}
_ABOVE_PACKAGE = Path(__file__).resolve().parent.parent


class StudioDied(Exception):
    """The process ended without an answer."""


class StudioSlow(Exception):
    """No answer came in time."""


class Studio:
    """One process, started when it is first needed and again when it was lost."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1

    def start(self) -> None:
        """Start the process, unless it runs, without waiting until it is ready."""
        if self._process is None:
            theirs, self._lifeline = os.pipe()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "images_worker.studio", str(theirs)],
                bufsize=0,
                cwd=_ABOVE_PACKAGE,
                env=_ENVIRONMENT,
                pass_fds=[theirs],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            os.close(theirs)
            self._ready = False

    def wait_ready(self) -> None:
        """Return once the process takes requests; raises `StudioDied` or `StudioSlow`."""
        self.start()
        if not self._ready:
            self._read_line(_START_S)
            self._ready = True

    def ask(self, request: dict[str, str], *, limit_s: float) -> dict[str, Any]:
        """Return the answer to a request; raises `StudioDied` or `StudioSlow`."""
        self.wait_ready()
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise StudioDied from error
        return self._read_line(limit_s)

    def kill(self) -> None:
        """End the process; a thread that waits for its answer gets `StudioDied`."""
        process = self._process
        if process is not None:
            process.kill()

    def stop(self) -> None:
        """End the process, whatever it does, and forget it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            os.close(self._lifeline)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _read_line(self, limit_s: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        until = time.monotonic() + limit_s
        waiting = select.poll()
        waiting.register(self._process.stdout, select.POLLIN)
        line = b""
        while not line.endswith(b"\n"):
            if not waiting.poll(max(0.0, until - time.monotonic()) * 1000):
                raise StudioSlow
            part = os.read(self._process.stdout.fileno(), _ANSWER_BYTES)
            line += part
            if not part or len(line) > _ANSWER_BYTES:
                raise StudioDied
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise StudioDied from error
        if not isinstance(answer, dict):
            raise StudioDied
        return answer


class Studios:
    """So many studios; a thread that has a picture waits for a free one."""

    def __init__(self, count: int, *, limit_s: float = LIMIT_S) -> None:
        self._studios = [Studio() for _ in range(count)]
        self._limit_s = limit_s
        self._closed = False
        # The one used last is taken first: what it needs is still in the caches.
        self._free: queue.LifoQueue[Studio] = queue.LifoQueue()
        for studio in self._studios:
            self._free.put(studio)

    def develop(self, folder: Path, operation: str, format_: str) -> None:
        """Have the file `in` of a folder worked into the file `out`; raises `Refused`."""
        request = {"folder": str(folder), "operation": operation, "format": format_}
        studio = self._free.get()
        try:
            answer = self._ask(studio, request)
        finally:
            self._free.put(studio)
        if answer.get("refused"):
            raise Refused(str(answer["refused"]))

    def _ask(self, studio: Studio, request: dict[str, str]) -> dict[str, Any]:
        for _ in range(_ATTEMPTS):
            if self._closed:
                raise Stopping
            try:
                answer = studio.ask(request, limit_s=self._limit_s)
            except StudioDied:
                studio.stop()
            except StudioSlow as error:
                studio.stop()
                raise Refused(
                    f"the picture takes longer than {self._limit_s:.0f} seconds"
                ) from error
            else:
                if answer.get("spent"):
                    studio.stop()
                return answer
        if self._closed:
            raise Stopping
        raise Refused("the picture ends the program that decodes it")

    def __enter__(self) -> Studios:
        """Start every studio and wait until all are ready; raises when one cannot be."""
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.close)
            for studio in self._studios:
                studio.start()
            for studio in self._studios:
                studio.wait_ready()
            on_failure.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every studio; threads whose pictures are being worked get `Stopping`."""
        self._closed = True
        idle = []
        with contextlib.suppress(queue.Empty):
            while True:
                idle.append(self._free.get_nowait())
        for studio in self._studios:
            studio.kill()
        for studio in idle:
            studio.stop()
            self._free.put(studio)  # whoever waits for one learns that it is over
