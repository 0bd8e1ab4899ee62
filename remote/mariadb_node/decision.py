"""Decides how a node of a Galera cluster starts, by what the others answer."""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from typing import Literal

from mariadb_node.neighbours import takes_queries
from mariadb_node.positions import Answer, Position, ask_position
from mariadb_node.settings import Settings
from mariadb_node.state import NO_DATA

Way = Literal["begin", "join", "together"]
_LONGEST_TURN_S = 10.0


class Decision:
    """Finds out whether a node begins or joins, and when it is its turn to join.

    Nodes of which none ever had data start together: each has the same first data.
    """

    def __init__(self, settings: Settings, own: Position, told: Set[str]) -> None:
        self._settings = settings
        self._own = own
        self._told = told  # who knows what this node has
        self._fresh = {settings.address} if own.sequence == NO_DATA else set()
        self._runs_since: float | None = None

    def __call__(self) -> Way | None:
        """Return how this node starts; None while that is not known."""
        nodes, here = self._settings.nodes, self._settings.address
        answers = {node: self._ask(node) for node in nodes if node != here}
        up = [node for node, answer in answers.items() if answer == "up"]
        if up:
            before = nodes[: nodes.index(here)]
            turn = self._is_our_turn([answers[node] for node in before])
            return "join" if turn and self._are_complete(up) else None
        if self._own.safe:
            return "begin"
        if self._fresh.issuperset(nodes):
            # One that was not told yet would wait for this node's answer.
            return "together" if self._told >= answers.keys() else None
        known = {node: answer for node, answer in answers.items() if isinstance(answer, Position)}
        if len(known) < len(answers):
            return None
        known[here] = self._own
        newest = max(known.values())
        first = next(node for node in nodes if known[node] == newest)
        # Who does not begin waits until the one that does is up.
        return "begin" if first == here else None

    def _ask(self, node: str) -> Answer:
        """Ask another node; one that never had data may have gone on to start by the next time."""
        answer = ask_position(node, self._settings.port, as_node=self._settings.address)
        if isinstance(answer, Position):
            (self._fresh.add if answer.sequence == NO_DATA else self._fresh.discard)(node)
        return answer

    def _are_complete(self, nodes: Sequence[str]) -> bool:
        """Tell whether a node has its data: the one that begins makes its accounts last.

        While a node joins, the others may refuse what is written.
        """
        return any(takes_queries(self._settings, node, "monitor") for node in nodes)

    def _is_our_turn(self, before: Sequence[Answer]) -> bool:
        """Tell whether to join now: one after the other is quicker than all at once."""
        if self._runs_since is None:
            self._runs_since = time.monotonic()
        waited_s = time.monotonic() - self._runs_since
        return all(answer == "up" for answer in before) or waited_s > _LONGEST_TURN_S
