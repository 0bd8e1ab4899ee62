"""Action `queries.send`: words are SQL that goes to the gatekeeper of a lab; rows come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from labctl.actions.base import Action, ActionContext, Chosen, Fact, Form, Words
from labctl.spec.fields import ActionModel
from labctl.spec.params import Param
from labctl.transport.gatekeeper import Gatekeeper, Port, ask_gatekeeper


class QueriesModel(ActionModel):
    """Whom to ask."""

    kind: Literal["queries.send"] = "queries.send"
    through: Gatekeeper
    port: Port = 8080
    modes: Annotated[
        list[Literal["direct-hit", "random", "customized", "write"]],
        Field(min_length=1, description="The modes offered; the first is the usual one."),
    ] = ["direct-hit", "random", "customized"]


class QueriesAction(Action[QueriesModel]):
    """Each word is one statement; what is wrong with it, the trusted host says."""

    name = "queries.send"
    model = QueriesModel

    def form(self, want: QueriesModel) -> Form:
        """Take the statements, a mode, and the write that an answer must show."""
        options = {
            "mode": Param(
                type="choice",
                default=want.modes[0],
                choices=tuple(want.modes),
                help="Which server answers.",
            ),
            "after": Param(
                type="string", default="", help="The position of a write that must be seen."
            ),
        }
        if want.modes == ["write"]:
            options = {}
        return Form(Words("query", "One statement of SQL each."), options)

    def run(self, context: ActionContext, want: QueriesModel, chosen: Chosen) -> Iterator[Fact]:
        """Send the statements one after the other; each row of an answer is a fact."""
        asked = {
            "mode": chosen.options.get("mode", want.modes[0]),
            "after": chosen.options.get("after") or None,
        }
        requests = [{**asked, "query": query} for query in chosen.words]
        answers = ask_gatekeeper(
            context.on_role,
            role=want.through,
            place=f"{context.resource(want.through).attributes['address']}:{want.port}",
            requests=requests,
        )
        for query, answer in zip(chosen.words, answers, strict=True):
            yield from _facts(query, answer)


def _facts(query: str, answer: dict[str, Any]) -> Iterator[Fact]:
    if answer["status"] != 200:
        yield Fact(False, f"not done: {answer.get('error')}", {"query": query, **answer})
        return
    took = f"{answer['node']} in {answer['took_ms']} ms ({answer['ms']} ms through every hop)"
    if "changed" in answer:
        position = f", position {answer['position']}" if answer.get("position") else ""
        say = f"{took}: {answer['changed']} rows changed{position}"
        yield Fact(True, say, {"query": query, **answer})
        return
    rows = answer["rows"]
    more = ", and there are more" if answer["truncated"] else ""
    notes = "".join(f"; {note}" for note in answer["notes"])
    yield Fact(True, f"{took}: {len(rows)} rows{more}{notes}", {"query": query, **answer})
    for row in (answer["columns"], *rows):
        yield Fact(True, " | ".join(map(_cell, row)), {"row": row})


def _cell(value: object) -> str:
    return "NULL" if value is None else str(value)
