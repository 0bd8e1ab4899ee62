"""Forced failures that have a canary in them, each told by everything that tells of one."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from botocore.exceptions import ClientError

from labctl import events as e
from labctl.cli.main import main, tell
from labctl.engine.bus import Bus, EventFile
from labctl.engine.choices import Choices
from labctl.errors import LabctlError
from labctl.headless.json_lines import JsonLines
from labctl.headless.machines import print_completed
from labctl.headless.plain import Plain
from labctl.key_places import learn_users_keys
from labctl.ledger.job_pages import JobDetails
from labctl.ledger.results import DeadLetter, JobResult, ResultsStore
from labctl.output import mask_output
from labctl.paths import state_folder
from labctl.session import Session
from labctl.targets.endpoint import EndpointTarget
from labctl.targets.failures import classify
from labctl.transport.base import Completed
from labctl.tui.app import LabctlApp
from labctl.tui.crash import write_crash
from labctl.tui.panels.log import LogPanel
from labctl.tui.screens.job import job_text
from tests.end_to_end.canary import Canary
from tests.end_to_end.echo import CODES, SPELLINGS
from tests.tui.panel_host import PanelApp, lab_named, until, until_seen

SMALL = str(Path(__file__).parent / "labs" / "small" / "lab.yaml")
_CALLS = (
    ("sqs", "list_queues"),
    ("s3", "list_buckets"),
    ("dynamodb", "list_tables"),
    ("ec2", "describe_instances"),
)


def command(*arguments: str) -> None:
    """Run the command line in this process, to its end."""
    sys.argv = ["labctl", *arguments]
    main()


def _as_the_command() -> None:
    mask_output()
    learn_users_keys()


def refused_by_echo(url: str) -> None:
    """Have every service refuse with every code, saying back what it was sent; tell of each."""
    _as_the_command()
    target = EndpointTarget(url)
    bus = Bus(Plain(), JsonLines(sys.stdout), EventFile(state_folder() / "events.jsonl"))
    failures = 0
    for service, operation in _CALLS:
        for _ in range(SPELLINGS * len(CODES) // 2):
            try:
                getattr(target.client(service), operation)()
            except Exception as error:
                failures += 1
                _tell_everywhere(bus, error)
    sys.exit(failures)


def _tell_everywhere(bus: Bus, error: Exception) -> None:
    failure, said = classify(error), str(error)
    bus.emit(e.StepRetried(step="s", attempt=1, delay_s=0.1, reason=said))
    bus.emit(e.StepFailed(step="s", action="create", resource="r", message=said, hint=said))
    bus.emit(e.CheckFailed(check="c", say="holds", why=said))
    bus.emit(e.Warned(message=failure.error.message, hint=failure.error.hint))
    tell(failure.error)
    tell(LabctlError(said, said))
    logging.getLogger("botocore.hooks").warning("not understood: %s", error)
    write_crash(error)
    print_completed(
        {"worker.0": Completed(1, b"", said.encode()), "worker.1": LabctlError(said)},
        as_json=False,
    )


class _Fatal:
    """A call hook that fails a session's call of a number, and all after it."""

    def __init__(self, fatal: int, canary: Canary) -> None:
        self._left, self._lock = fatal, threading.Lock()
        self._texts = itertools.cycle(canary.spelled()[fatal:] + canary.spelled())
        self._kinds = itertools.cycle([RuntimeError, OSError, ClientError, ValueError][fatal % 4 :])

    def __call__(self, service: str, operation: str, moment: str) -> None:
        with self._lock:
            self._left -= 1
            if self._left > 0:
                return
            kind, text = next(self._kinds), next(self._texts)
        if kind is ClientError:
            raise ClientError({"Error": {"Code": "Odd", "Message": text}}, operation)
        raise kind(text)


def fails_at_each_call(canary: Canary, count: int) -> None:
    """Bring the small lab up so often, failing at one of its first ten calls to the target."""
    _as_the_command()
    failures = 0
    for number in range(count):
        choices = Choices(on_call=_Fatal(1 + number % 10, canary))
        try:
            Session(SMALL, choices, sinks=[Plain(), JsonLines(sys.stdout)]).up()
        except LabctlError as error:
            failures += 1
            tell(error)
    sys.exit(failures)


def breaks_in_a_thread(canary: Canary) -> None:
    """Leave an error in a thread to the interpreter, one in a destructor, and one at the end."""
    _as_the_command()

    def broken() -> None:
        raise ValueError(f"signed with {canary.secret}")

    thread = threading.Thread(target=broken)
    thread.start()
    thread.join()

    class Broken:
        def __del__(self) -> None:
            raise ValueError(f"signed with {canary.token}")

    Broken()
    raise RuntimeError(f"https://s3/x?X-Amz-Security-Token={canary.token}")


def interrupted_by_keys(canary: Canary) -> None:
    """Be stopped by SIGINT while the state of things is that of a failure."""
    _as_the_command()
    try:
        raise KeyError(canary.token)
    except KeyError:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()  # until the signal is told


def jobs_with_keys(canary: Canary, file: Path) -> None:
    """Record jobs that hold keys, in body, answer and reason of death, and show them."""
    _as_the_command()
    bodies = {f"j-{number}": text for number, text in enumerate(canary.spelled())}
    with ResultsStore(file) as store:
        run = store.begin_run("numbers", purpose="send", jobs=len(bodies), seed=1)
        store.submit(run.number, bodies)
        for job_id, body in bodies.items():
            store.record(JobResult(job_id, "failed", f"no number: {body}", body, 1, 1))
            store.bury([DeadLetter(job_id, job_id, body, body)])
        for found in store.find():
            _print_unmasked(f"{found.result} {found.body}")
    sys.exit(len(bodies))


def screen(canary: Canary) -> None:
    """Show failures on the screen, then break it; prints what was shown, unmasked."""
    learn_users_keys()
    asyncio.run(_shown(canary))
    asyncio.run(_broken(canary))
    sys.exit(2)


async def _shown(canary: Canary) -> None:
    app = PanelApp(LogPanel(), lab_named("numbers"))
    async with app.run_test(size=(200, 50)) as pilot:
        for text in canary.spelled():
            app.tell(e.Warned(message=f"it said {text}"))
        app.tell(e.Warned(message="the last"))
        await until_seen(pilot, "the last", "it said ****")
        _print_unmasked(app.seen())
    job = JobDetails("j", "failed", 1, canary.secret, canary.token)
    _print_unmasked(job_text(job).plain)


async def _broken(canary: Canary) -> None:
    app = LabctlApp(Choices())
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            app.tell_error("up", LabctlError(f"refused: {canary.token}", canary.secret))
            _print_unmasked("\n".join(note.message for note in app._notifications))
            app.call_later(_break, canary)
            await until(pilot, lambda: app.return_code == 1)  # type: ignore[arg-type]
    except ValueError:
        _print_unmasked("the screen broke")


def _break(canary: Canary) -> None:
    token = canary.token
    raise ValueError(f"broken with {token}")


def _print_unmasked(text: str) -> None:
    os.write(1, f"{text}\n".encode())
