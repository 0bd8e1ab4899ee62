"""How nodes of a cluster agree on their start: real sockets, and no server."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from mariadb_node.decision import Decision, Way
from mariadb_node.positions import Position, telling_position
from mariadb_node.settings import Settings
from mariadb_node.waiting import wait_for

NEVER, SOME, MORE = Position(-1, False), Position(49, False), Position(70, False)


@dataclass(frozen=True)
class Place:
    """Addresses of a network that nobody else is likely to use."""

    nodes: tuple[str, ...]
    port: int

    @staticmethod
    def of(count: int) -> Place:
        chance = random.SystemRandom()
        network = f"127.{chance.randrange(100, 250)}.{chance.randrange(1, 255)}"
        nodes = tuple(f"{network}.{10 + index}" for index in range(count))
        return Place(nodes, chance.randrange(20_000, 30_000))

    def settings(self, node: str) -> Settings:
        nodes = ",".join(self.nodes)
        environment = {"LABCTL_ADDRESS": node, "NODES": nodes, "PORT": str(self.port)}
        return Settings.from_environment({**environment, "FOLDER": str(Path("/nowhere"))})


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_nodes_that_never_had_data_start_together(count: int) -> None:
    place = Place.of(count)

    def decide(node: str) -> Way:
        # Its port is closed as soon as it has decided: nobody may be left asking.
        with telling_position(node, place.port, NEVER) as told:
            return wait_for(Decision(place.settings(node), NEVER, told), "the others")

    with ThreadPoolExecutor(count) as pool:
        assert list(pool.map(decide, place.nodes)) == ["together"] * count


@pytest.mark.parametrize(
    ("positions", "begins"),
    [([NEVER, MORE, SOME], 1), ([SOME, MORE, MORE], 1), ([NEVER, NEVER, SOME], 2)],
)
def test_where_there_is_data_the_newest_begins(positions: Sequence[Position], begins: int) -> None:
    place = Place.of(len(positions))
    with ExitStack() as ends:
        told = [
            ends.enter_context(telling_position(node, place.port, position))
            for node, position in zip(place.nodes, positions, strict=True)
        ]
        ways = [
            Decision(place.settings(node), position, heard)()
            for node, position, heard in zip(place.nodes, positions, told, strict=True)
        ]
    assert ways == ["begin" if index == begins else None for index in range(len(positions))]


def test_a_node_that_nobody_asked_yet_waits_with_the_start() -> None:
    place = Place.of(2)
    here, other = place.nodes
    with telling_position(here, place.port, NEVER) as told:
        decision = Decision(place.settings(here), NEVER, told)
        with telling_position(other, place.port, NEVER) as heard:
            assert decision() is None
            later = Decision(place.settings(other), NEVER, heard)
            assert wait_for(later, "that it was asked") == "together"
        # The other one has started by now, and its port is closed.
        assert wait_for(decision, "that it was asked") == "together"
