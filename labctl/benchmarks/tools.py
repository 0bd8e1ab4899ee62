"""Runs measuring tools on a machine of the lab: their private files, their output, their end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from labctl.benchmarks.base import BenchContext, Host
from labctl.errors import ChecksFailed, Interrupted, TransportError
from labctl.figures.records import Node
from labctl.paths import shipped
from labctl.text import one_line
from labctl.transport.bundles import bundle, requirements_of

PROGRAM = "load_generator"
_LONGER_S = 60.0  # than a tool was told to take; then it hangs
_FACTS = """\
nproc 2>/dev/null || getconf _NPROCESSORS_ONLN
awk '/^MemTotal/ {printf "%.1f GiB\\n", $2 / 1048576}' /proc/meminfo
sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1
uname -m
"""
# A local instance brings an environment that has what the program needs.
_PYTHON = """\
set -eu
venv=$HOME/.labctl/venv
if ! [ -e "$venv/PROVIDED" ] && ! "$venv/bin/python3" -c 'import pymysql' 2>/dev/null; then
  [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
  "$venv/bin/python3" -m pip install -q --disable-pip-version-check $requirements
fi >&2
"""


def folder(context: BenchContext) -> str:
    """Return the folder of this run on a machine, as a shell there knows it."""
    return f"$HOME/.labctl/bench-{context.run}"


def put_private(context: BenchContext, host: Host, name: str, content: str) -> str:
    """Write a file that only the login user can read; return its path for a shell there."""
    path = f"~/.labctl/bench-{context.run}/{name}"
    context.transport.write_file(host.machine, path, content.encode(), mode=0o600)
    return f"{folder(context)}/{name}"


def forget(context: BenchContext, host: Host) -> None:
    """Delete the files of this run on a machine."""
    context.transport.run(host.machine, f'rm -rf -- "{folder(context)}"')


def run_tool(
    context: BenchContext, host: Host, script: str, *, private: str, within_s: float
) -> tuple[int, str]:
    """Run a script and return its status and all that it wrote; its private file goes with it.

    Raises `Interrupted` when the user stops it: it is killed then.
    """
    lines: list[str] = []
    # What ends the tool reaches this shell too, maybe twice: the file must be gone all the same.
    whole = (
        f"trap 'rm -f -- \"{private}\"' EXIT\n"
        f"trap '' TERM HUP INT\n(trap - TERM HUP INT\n{script}\n)"
    )
    bounded = f"timeout -k 5 {within_s + _LONGER_S:.0f} bash -c {shlex.quote(whole)}"
    status = context.transport.follow(
        host.machine, bounded, lines.append, cancelled=context.cancelled
    )
    if context.cancelled.is_set():
        raise Interrupted("the benchmark was stopped", "labctl bench measures anew")
    if status == 124:
        lines.append(f"it did not end within {within_s + _LONGER_S:.0f} s")
    return status, "".join(f"{line}\n" for line in lines)


def failed(host: Host, what: str, status: int, output: str) -> ChecksFailed:
    """Return the error for a tool that ended badly, with its own last words."""
    said = [line for line in output.splitlines() if line.strip()]
    telling = [line for line in said if "FATAL" in line or "rror" in line] or said
    last = one_line(" / ".join(telling[-3:]), limit=400) or "it said nothing"
    return ChecksFailed(
        f"{host.name}: {what} ended with status {status}: {last}",
        f"look at the machine: labctl ssh LAB {host.name}",
    )


def ask_program(
    context: BenchContext, host: Host, request: Mapping[str, Any], *, within_s: float
) -> dict[str, Any]:
    """Run the load generator on a machine with a request and return its answer.

    The request, which may hold a password, goes there in a file that only the login user reads.
    """
    gathered = bundle(shipped("remote", PROGRAM))
    context.transport.push(host.machine, gathered)
    path = put_private(context, host, "request.json", json.dumps(request))
    requirements = shlex.quote(" ".join(requirements_of(gathered)))
    script = (
        f"requirements={requirements}\n{_PYTHON}"
        f'cd "$HOME/.labctl/agents/{PROGRAM}"\n'
        f'"$venv/bin/python3" -m {PROGRAM} "{path}"\n'
    )
    status, output = run_tool(context, host, script, private=path, within_s=within_s)
    try:
        answer = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        answer = None
    if not isinstance(answer, dict) or (status and "error" not in answer):
        raise failed(host, "the load generator", status, output)
    if "error" in answer:
        raise ChecksFailed(f"{host.name}: {one_line(str(answer['error']), limit=400)}")
    return answer


def describe(context: BenchContext, hosts: Sequence[Host]) -> list[Node]:
    """Return what each machine is: cores, memory, processor, and where it stands."""
    return [_described(context, host) for host in hosts]


def _described(context: BenchContext, host: Host) -> Node:
    done = context.transport.run(host.machine, _FACTS)
    said = [one_line(line, limit=80) for line in done.stdout.decode(errors="replace").splitlines()]
    facts = [f"{said[0]} cores", *said[1:]] if said else []
    return Node(name=host.name, machine=", ".join(facts), place=host.place)


def only_host(context: BenchContext, role: str) -> Host:
    """Return the first machine of a role; raises `TransportError` when none is up."""
    hosts = context.hosts(role)
    if not hosts:
        raise TransportError(f"no machine of role '{role}' is up", "labctl up brings it up")
    return hosts[0]
