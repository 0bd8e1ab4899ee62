"""Action `jobs.send`: words become jobs of the lab's workload, options their attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from labctl.actions.base import Action, ActionContext, Chosen, Fact, Form, OptionName, Words
from labctl.spec.fields import ActionModel, Name
from labctl.spec.params import Param
from labctl.workloads.base import Request


class SendModel(ActionModel):
    """What the words are called, and which attributes travel with each job."""

    kind: Literal["jobs.send"] = "jobs.send"
    body: Annotated[Name, Field(description="What a job's body is, for the help.")] = "body"
    attributes: Annotated[
        dict[OptionName, Param], Field(description="Message attributes, each an option.")
    ] = {}


class SendAction(Action[SendModel]):
    """Every word is a job; each answer is shown as it comes."""

    name = "jobs.send"
    model = SendModel

    def form(self, want: SendModel) -> Form:
        """Take the bodies and the attributes."""
        return Form(Words(want.body, "One job each."), want.attributes)

    def run(self, context: ActionContext, want: SendModel, chosen: Chosen) -> Iterator[Fact]:
        """Send the jobs and wait for their answers."""
        attributes = {name: str(chosen.options[name]) for name in want.attributes}
        requests = [Request(word, attributes) for word in chosen.words]
        for answer in context.send(requests):
            how = f"in {answer.latency_ms / 1000:.3f} s by {answer.worker}"
            text = f": {answer.text}" if answer.text not in ("", answer.body) else ""
            say = f"{answer.body}: {answer.state} {how}{text}"
            yield Fact(answer.state == "done", say, vars(answer))
