"""Starts a node of a Galera cluster: as the one that begins, or to join those that run."""

from __future__ import annotations

from mariadb_node.positions import Position, ask_position, telling_position
from mariadb_node.programs import Programs
from mariadb_node.server import Server
from mariadb_node.settings import Settings
from mariadb_node.state import NO_DATA, allow_beginning, make_first_state, read_state
from mariadb_node.telling import say
from mariadb_node.waiting import wait_for

_SYNCED = "4"


def start_in_cluster(server: Server, settings: Settings, programs: Programs) -> bool:
    """Start the server once it is clear how; returns whether it is the one that begins.

    The others have to be asked each time: that this node has no data does not mean that no
    other has, nor that they are down.
    """
    state = read_state(server)
    position = Position(state.sequence, state.safe)
    if state.sequence == NO_DATA:
        state = make_first_state(server, settings, programs)
    with telling_position(settings.address, settings.port, position):
        begins = wait_for(lambda: _decided(settings, position), "the other nodes of the cluster")
    say("cluster", begins="yes" if begins else "no", sequence=state.sequence)
    if begins:
        allow_beginning()
    server.start(*(["--wsrep-new-cluster"] if begins else []), *state.start)
    return begins


def wait_synced(server: Server) -> None:
    """Wait until this node takes part in the cluster."""
    wait_for(lambda: _is_synced(server), "the state of the cluster")


def _is_synced(server: Server) -> bool | None:
    server.check()
    on = server.variable("STATUS", "wsrep_ready") == "ON"
    return True if on and server.variable("STATUS", "wsrep_local_state") == _SYNCED else None


def _decided(settings: Settings, own: Position) -> bool | None:
    """Tell whether this node begins; None while that is not known."""
    others = [node for node in settings.nodes if node != settings.address]
    answers = {node: ask_position(node, settings.port) for node in others}
    if "up" in answers.values():
        return False
    if own.safe:
        return True
    known = {node: answer for node, answer in answers.items() if isinstance(answer, Position)}
    if len(known) < len(others):
        return None
    known[settings.address] = own
    newest = max(known.values())
    first = next(node for node in settings.nodes if known[node] == newest)
    # Who does not begin waits until the one that does is up.
    return True if first == settings.address else None
