"""DryRun: the emulator does it all the same, whatever the action."""

from __future__ import annotations

from typing import Any

from labctl.cloud.patches.answers import Action, Answer, Params, refused
from labctl.cloud.patches.fleet import Fleet


def mend(ec2: Any, ssm: Any, fleet: Fleet) -> None:  # noqa: ANN401 - the emulator ships no types
    """Have every action of EC2 honour it."""
    for name, action in list(ec2._ACTION_MAP.items()):
        ec2._ACTION_MAP[name] = _honouring(ec2, action)


def _honouring(ec2: Any, action: Action) -> Action:  # noqa: ANN401 - as above
    def act(params: Params) -> Answer:
        if str(ec2._p(params, "DryRun")).lower() != "true":
            return action(params)
        text = "Request would have succeeded, but DryRun flag is set."
        return refused(ec2, "DryRunOperation", text, 412)

    return act
