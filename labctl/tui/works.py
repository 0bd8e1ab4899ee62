"""What the screen asks of a lab that stands, as plain calls for a thread; no terminal here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import urlsplit

from labctl.actions.base import Chosen, Fact, Form, Words
from labctl.engine.actions import run_action
from labctl.engine.bench import MOST_ROUNDS, BenchWanted
from labctl.engine.jobs import made_requests, send_requests
from labctl.engine.machines import INSTANCE, machines_of, roles
from labctl.engine.outputs import outputs
from labctl.engine.queues import purge_queue, redrive_dead_letters
from labctl.session import Session
from labctl.spec.counts import count_parameter
from labctl.spec.lab import Lab
from labctl.spec.params import Param
from labctl.workloads.base import Answer
from labctl.workloads.registry import workload

_ANSWER_WITHIN_S = 60.0
ALL_BENCHMARKS = "all of them"
_MOST_FACTS = 10_000  # a bucket may hold any number of objects; memory does not


def send_form(lab: Lab) -> Form:
    """Return what sending by hand takes: a typed job, the pre-made one, a random one."""
    preset = Param(type="boolean", default=False, help="Send the lab's pre-made job too.")
    length = Param(
        type="integer",
        default=0,
        min=0,
        max=100_000,
        help="A random job of so many values; 0: none.",
    )
    options = {"preset": preset} if has_preset(lab) else {}
    return Form(Words("job", "The body of a job."), {**options, "random": length})


def has_preset(lab: Lab) -> bool:
    """Whether the lab's workload has a pre-made job."""
    kind = getattr(lab.workload, "kind", None)
    return kind is not None and workload(str(kind)).preset is not None


def sent(session: Session, chosen: Chosen) -> Iterator[Fact]:
    """Send jobs and yield what became of each, as the answers come."""
    length = int(chosen.options.get("random", 0))
    with session.standing() as stage:
        made = made_requests(
            stage,
            chosen.words,
            preset=bool(chosen.options.get("preset", False)),
            length=length or None,
        )
        answers = send_requests(stage, made, wait=True, timeout_s=_ANSWER_WITHIN_S)
        yield from map(_fact, answers)


def _fact(answer: Answer) -> Fact:
    if answer.state in ("done", "failed"):
        how = f"{answer.state} in {answer.latency_ms / 1000:.3f} s by {answer.worker}"
        say = f"{answer.job_id} {how}\n{answer.text}"
    else:
        say = f"{answer.job_id} {answer.state}: no answer in {_ANSWER_WITHIN_S:.0f} s"
    return Fact(answer.state == "done", say, vars(answer))


def acted(session: Session, name: str, chosen: Chosen) -> Iterator[Fact]:
    """Run an action that the lab declares and yield what it did or found, as it comes."""
    with session.standing() as stage:
        yield from islice(run_action(stage, name, chosen), _MOST_FACTS)


def bench_form(lab: Lab) -> Form:
    """Return what measuring takes: which benchmark, how many rounds."""
    names = (ALL_BENCHMARKS, *lab.benchmarks)
    which = Param(type="choice", default=ALL_BENCHMARKS, choices=names, help="What is measured.")
    rounds = Param(
        type="integer", default=5, min=1, max=MOST_ROUNDS, help="How often each is, in turn."
    )
    return Form(options={"benchmark": which, "rounds": rounds})


def bench_wanted(chosen: Chosen) -> BenchWanted:
    """Return what was chosen to be measured."""
    name = str(chosen.options["benchmark"])
    names = () if name == ALL_BENCHMARKS else (name,)
    return BenchWanted(names, rounds=int(chosen.options["rounds"]))


def purged(session: Session, queue: str) -> str:
    """Empty a queue and return what to say of it."""
    with session.standing() as stage:
        return f"{queue} is empty; about {purge_queue(stage, queue)} messages were in it"


def redriven(session: Session) -> str:
    """Send the dead letters back and return what to say of it."""
    with session.standing() as stage:
        return f"{redrive_dead_letters(stage)} dead letters sent back"


def addresses(session: Session) -> dict[str, str]:
    """Return what one may want to copy: the lab's outputs and its machines' addresses."""
    with session.standing() as stage:
        found = dict(outputs(stage))
        for role in roles(stage):
            for machine in machines_of(stage, role):
                found[machine.name] = f"{machine.address}:{machine.port}"
        return found


def pages(found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield of names and values those that a browser may open: http and https, nothing else."""
    for name, value in found:
        parts = urlsplit(value)
        if parts.scheme in ("http", "https") and parts.hostname and value.isprintable():
            yield name, value


def scalable(lab: Lab) -> dict[str, Param]:
    """Return the roles whose number of machines is a parameter, each with that parameter."""
    found = {}
    for name, model in lab.resources.items():
        if model.kind == INSTANCE and name not in lab.hosts:
            parameter = count_parameter(lab.path, name)
            if parameter is not None:
                found[name] = lab.params[parameter]
    return found


def count_field(parameter: Param, now: int) -> Param:
    """Return a role's parameter with the number of machines that it has now as the default."""
    return parameter.model_copy(update={"default": now or parameter.default, "help": f"now: {now}"})
