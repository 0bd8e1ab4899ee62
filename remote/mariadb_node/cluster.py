"""Starts a node of a Galera cluster: as the one that begins, with all others, or to join them."""

from __future__ import annotations

import pymysql

from mariadb_node.decision import Decision, Way
from mariadb_node.first_data import make_first_data
from mariadb_node.positions import Position, telling_position
from mariadb_node.programs import Programs
from mariadb_node.server import Server
from mariadb_node.settings import Settings
from mariadb_node.state import (
    NO_DATA,
    State,
    allow_beginning,
    forget_view,
    read_state,
    write_common_view,
)
from mariadb_node.telling import say
from mariadb_node.waiting import wait_for

_SYNCED = "4"
_TOGETHER_S = 20.0  # one that was going to start with the others may have died


def start_in_cluster(server: Server, settings: Settings, programs: Programs) -> bool:
    """Start the server once it is clear how; returns whether this node makes what all have.

    The others have to be asked each time: that this node has no data does not mean that no
    other has, nor that they are down.
    """
    state = read_state(server)
    position = Position(state.sequence, state.safe)
    if state.sequence == NO_DATA:
        make_first_data(server, settings, programs)
        state = read_state(server)
    way = _start(server, settings, position, state)
    if way == "together" and not server.answers_within(_TOGETHER_S):
        say("alone", waited_s=_TOGETHER_S)
        server.kill()
        state = read_state(server)
        way = _start(server, settings, Position(state.sequence, state.safe), state)
    return way == "begin" or way == "together" and settings.address == settings.nodes[0]


def _start(server: Server, settings: Settings, position: Position, state: State) -> Way:
    """Start the server as the others' answers have it; they are told a position until then."""
    with telling_position(settings.address, settings.port, position) as told:
        way: Way = wait_for(Decision(settings, position, told), "the other nodes of the cluster")
    say("cluster", way=way, sequence=state.sequence)
    if way == "begin":
        allow_beginning()
    if way == "together":
        write_common_view(settings.nodes, settings.address)
    else:
        forget_view()
    server.start(*(["--wsrep-new-cluster"] if way == "begin" else []), *state.start)
    return way


def wait_synced(server: Server) -> None:
    """Wait until this node takes part in the cluster."""
    wait_for(lambda: _is_synced(server), "the state of the cluster")


def _is_synced(server: Server) -> bool | None:
    server.check()
    try:
        on = server.variable("STATUS", "wsrep_ready") == "ON"
        return True if on and server.variable("STATUS", "wsrep_local_state") == _SYNCED else None
    except pymysql.err.OperationalError:  # it may just be ending: the next look tells why
        return None
