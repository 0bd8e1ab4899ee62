"""How many statements database servers have run, by their own counters, asked on their machines.

As root over the socket there: no account of the network is needed, and no port has to be open. On a
machine without a database server nothing is counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

from labctl.benchmarks.base import BenchContext
from labctl.benchmarks.topology import Counters
from labctl.errors import LabctlError
from labctl.text import one_line
from labctl.transport.base import Machine
from labctl.transport.parallel import each
from labctl.transport.scripts import script

READS, WRITES = ("Com_select",), ("Com_insert", "Com_update", "Com_delete")
_MOST_MISSING = 0.1  # of what the answers say: a server may have been started anew
_IF_ANY = '[ -d "$HOME/.labctl/agents/mariadb_node" ] || exit 0\n'
_TIMEOUT_S = 60.0


def statements(context: BenchContext, roles: Sequence[str]) -> dict[str, Counters]:
    """Return the counters of each database server of some roles, by machine.

    Raises `LabctlError` when one does not answer.
    """
    machines = [host.machine for role in roles for host in context.hosts(role)]
    found: dict[str, Counters] = {}
    for name, counts in each(machines, partial(_counts, context)).items():
        if isinstance(counts, LabctlError):
            raise counts
        if counts:
            found[name] = counts
    return found


def _counts(context: BenchContext, machine: Machine) -> Counters:
    names = ", ".join(f"'{name}'" for name in (*READS, *WRITES))
    statement = f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})"
    asking = _IF_ANY + script("ask-database.sh")
    done = context.transport.run(machine, asking, stdin=statement.encode(), timeout_s=_TIMEOUT_S)
    if done.status != 0:
        said = one_line(done.stderr.decode(errors="replace"), limit=300)
        raise LabctlError(f"{machine.name} does not tell its counters: {said}", "labctl logs LAB")
    rows = json.loads(done.stdout or b"[]")
    return {str(row["Variable_name"]): int(row["Value"]) for row in rows}


def not_counted(answers: Mapping[str, int], grown: Mapping[str, Counters]) -> str:
    """Return which server did not count the answers that are said to be its own; "" when none.

    `answers` are those that name a machine, by its name. Where no machine of its role has a
    database server, there is nothing to hold them to.
    """
    roles = {server.partition(".")[0] for server in grown}
    for server, told in answers.items():
        if server.partition(".")[0] not in roles:
            continue
        counters = grown.get(server, {})
        most = max(sum(counters.get(name, 0) for name in kinds) for kinds in (READS, WRITES))
        if most < told * (1 - _MOST_MISSING):
            return f"{told} answers say that {server} served them, and it counted {most} statements"
    return ""
