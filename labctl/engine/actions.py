"""Runs the actions that a lab declares for its client, on the session that stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from labctl.actions.base import Action, ActionContext, Chosen, Fact, Form
from labctl.actions.registry import actions
from labctl.engine.jobs import send_requests
from labctl.engine.machines import run_on_role
from labctl.engine.stage import Stage
from labctl.spec.fields import ActionModel
from labctl.workloads.base import Answer, Request

ANSWERED_WITHIN_S = 120.0


def form_of(declared: ActionModel) -> Form:
    """Return what a declared action takes."""
    return _kind(declared).form(declared)


def run_action(stage: Stage, name: str, chosen: Chosen) -> Iterator[Fact]:
    """Run the action of this name and yield what it did or found."""
    declared = stage.resolved(stage.lab.actions[name])

    def send(requests: Iterable[Request]) -> Iterator[Answer]:
        return send_requests(stage, requests, wait=True, timeout_s=ANSWERED_WITHIN_S)

    context = ActionContext(
        stage.target, dict(stage.actuals), send, stage.cancelled, partial(run_on_role, stage)
    )
    yield from _kind(declared).run(context, declared, chosen)


def _kind(declared: ActionModel) -> Action[Any]:
    return actions()[declared.kind]
