"""The life of a node: prepare, start, take its place among the others, run until told to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from types import FrameType

import pymysql

from mariadb_node.accounts import make_accounts
from mariadb_node.cluster import start_in_cluster, wait_synced
from mariadb_node.first_data import fill_databases, make_first_data
from mariadb_node.folders import make_folders
from mariadb_node.neighbours import takes_queries
from mariadb_node.options import write_options
from mariadb_node.programs import Programs, ProgramsError
from mariadb_node.replication import follow
from mariadb_node.server import Server, ServerError
from mariadb_node.settings import Settings, SettingsError
from mariadb_node.telling import say
from mariadb_node.transfer import provide_transfer
from mariadb_node.waiting import wait_for

READY = "ready"


class _Stopped(BaseException):
    """Somebody asked for the end."""


def run(environment: Mapping[str, str]) -> int:
    """Run a node until it is told to stop; returns the exit status."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    server: Server | None = None
    try:
        settings = Settings.from_environment(environment)
        programs = Programs.find(environment)
        make_folders(settings.folder)
        os.chdir(settings.folder)
        if settings.role == "cluster":
            programs = provide_transfer(settings.folder, programs)
        server = Server(programs, write_options(settings, programs))
        say("starting", role=settings.role, server=programs.version(), address=settings.address)
        _start(server, settings, programs)
        say(READY, role=settings.role)
        server.wait()
    except _Stopped:
        say("stopping")
    except (SettingsError, ProgramsError, ServerError) as error:
        say("failed", error=str(error))
        return 1
    except pymysql.err.MySQLError as error:
        say("failed", error=_words(error))
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if server is not None:
            server.stop()
    return 0


def _start(server: Server, settings: Settings, programs: Programs) -> None:
    if settings.role == "cluster":
        writes = start_in_cluster(server, settings, programs)
    else:
        make_first_data(server, settings, programs)
        server.start()
        writes = settings.role != "replica"
    server.wait_answer()
    if settings.role == "cluster":
        wait_synced(server)
    if writes:
        wait_for(lambda: _filled(server, settings), "the databases to be filled")
    # Last: others wait until they can ask as one of them.
    if settings.role != "cluster" or writes:
        make_accounts(settings)
    else:
        wait_for(lambda: takes_queries(settings, settings.address, "monitor") or None, "accounts")
    if settings.role == "replica":
        follow(server, settings)


def _filled(server: Server, settings: Settings) -> bool | None:
    """Fill the databases; None when a cluster refused that, as it may while a node joins."""
    try:
        fill_databases(settings)
    except pymysql.err.OperationalError as error:
        if settings.role != "cluster":
            raise
        say("refused", error=_words(error))
        wait_synced(server)
        return None
    return True


def _words(error: pymysql.err.MySQLError) -> str:
    """Return an error's number and text; a statement, and what it says, is in neither."""
    return ": ".join(map(str, error.args[:2]))


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stopped
