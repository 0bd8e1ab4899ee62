"""How long a plan will take: the longest way through its graph, then the machines and agents.

Pure: what each step takes comes in, by kind and action, as it was measured before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labctl.plan.make import teardown_order
from labctl.plan.model import Owned, Plan, Step

INSTANCE = "ec2.instance"
MACHINE, READY = "machine", "ready"  # from the end of the launch until it runs commands
AGENT, PUSH = "agent", "push"

Known = Mapping[tuple[str, str], float]
"""Seconds by kind and action; what is not in it takes no time that anybody knows of."""

# On AWS, where nothing was measured yet: rather long, for they decide whether there is time.
USUAL_ON_AWS: Known = {
    ("sqs.queue", "create"): 3.0,
    ("sqs.queue", "update"): 2.0,
    ("sqs.queue", "delete"): 60.0,  # SQS itself says so
    ("s3.bucket", "create"): 4.0,
    ("s3.bucket", "update"): 2.0,
    ("s3.bucket", "delete"): 20.0,
    ("dynamodb.table", "create"): 15.0,
    ("dynamodb.table", "update"): 60.0,  # an index is filled
    ("dynamodb.table", "delete"): 15.0,
    ("ec2.key_pair", "create"): 1.0,
    ("ec2.key_pair", "delete"): 1.0,
    ("ec2.security_group", "create"): 3.0,
    ("ec2.security_group", "update"): 2.0,
    ("ec2.security_group", "delete"): 5.0,
    ("iam.instance_profile", "create"): 15.0,  # until EC2 knows it
    ("iam.instance_profile", "update"): 5.0,
    ("iam.instance_profile", "delete"): 5.0,
    (INSTANCE, "create"): 40.0,
    (INSTANCE, "update"): 60.0,  # some leave, some come
    (INSTANCE, "delete"): 60.0,
    (MACHINE, READY): 60.0,  # boot, cloud-init, SSH
    (AGENT, PUSH): 90.0,  # packages of the system and of Python
}


@dataclass(frozen=True)
class Estimate:
    """What a plan is thought to take; without anything known of its steps it is no guess."""

    seconds: float
    known: bool


def estimate(plan: Plan, known: Known) -> Estimate:
    """Return how long a plan takes, every step as soon as those before it are done.

    Roles become ready side by side; agents are put on one after the other.
    """
    steps = [step for step in plan.steps if step.action not in ("keep", "push")]
    launching = {step.id for step in steps if _launches(step)}
    ends: dict[str, float] = {}
    for step in plan.steps:
        if step.action != "push":
            begins = max((ends.get(name, 0.0) for name in step.after), default=0.0)
            ends[step.id] = begins + _step_s(step, known)
    resources_s = max(ends.values(), default=0.0)
    ready_s = known.get((MACHINE, READY), 0.0) if launching else 0.0
    pushes = [step for step in plan.steps if step.action == "push" and _is_new(step, plan)]
    pushes_s = len(pushes) * known.get((AGENT, PUSH), 0.0)
    asked = {key for step in steps for key in _keys(step)}
    asked |= {(MACHINE, READY)} if launching else set()
    asked |= {(AGENT, PUSH)} if pushes else set()
    return Estimate(resources_s + ready_s + pushes_s, bool(asked & known.keys()))


def _launches(step: Step) -> bool:
    return step.kind == INSTANCE and step.action in ("create", "replace", "update")


def _keys(step: Step) -> list[tuple[str, str]]:
    """Return what would tell how long a step takes; a replacement may be known by its halves."""
    whole = (step.kind, step.action)
    if step.action == "replace":
        return [whole, (step.kind, "delete"), (step.kind, "create")]
    return [whole]


def _step_s(step: Step, known: Known) -> float:
    if step.action == "keep":
        return 0.0
    whole, *halves = _keys(step)
    if whole in known or not halves:
        return known.get(whole, 0.0)
    return sum(known.get(half, 0.0) for half in halves)


def _is_new(push: Step, plan: Plan) -> bool:
    """Whether an agent will really be put there: not on machines that stand, where it may run."""
    role = push.kind.removeprefix("agent on ")
    steps = {step.id: step for step in plan.steps if step.action != "push"}
    return role not in steps or steps[role].action != "keep"


def estimate_teardown(owned: Sequence[Owned], known: Known) -> Estimate:
    """Return how long it takes to delete all this, each after all that needs it."""
    kinds = {item.resource: item.kind for item in owned}
    seconds = sum(
        max(known.get((kinds[name], "delete"), 0.0) for name in group)
        for group in teardown_order(owned)
    )
    return Estimate(seconds, any((kind, "delete") in known for kind in kinds.values()))
