"""What a user does to a lab's queues by hand: see their depth, purge, send dead letters back."""

from __future__ import annotations

from labctl.engine.stage import Stage
from labctl.errors import UsageError
from labctl.kinds.base import Actual
from labctl.kinds.sqs_messages import Depth, depth, purge, redrive
from labctl.kinds.sqs_queue import QueueModel

QUEUE = "sqs.queue"


def queues(stage: Stage) -> dict[str, Actual]:
    """Return the queues of the lab that stand, by their names in the lab file."""
    return {name: actual for name, actual in stage.actuals.items() if actual.kind == QUEUE}


def depths(stage: Stage) -> dict[str, Depth]:
    """Return how many messages each queue of the lab holds now."""
    return {name: depth(stage.target, queue) for name, queue in queues(stage).items()}


def purge_queue(stage: Stage, name: str) -> int:
    """Throw away every message of a queue; return about how many there were."""
    known = queues(stage)
    if name not in known:
        raise UsageError(f"no queue '{name}' in this lab", f"its queues: {', '.join(known)}")
    before = depth(stage.target, known[name])
    purge(stage.target, known[name])
    return before.visible + before.in_flight + before.delayed


def redrive_dead_letters(stage: Stage) -> int:
    """Send every dead letter back to the queue it came from; return how many."""
    known = queues(stage)
    moved = 0
    for name, model in stage.lab.resources.items():
        if isinstance(model, QueueModel) and model.dead_letter and name in known:
            dead = known[model.dead_letter.to]
            moved += redrive(stage.target, dead, known[name], cancelled=stage.cancelled)
    return moved
