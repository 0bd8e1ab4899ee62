"""Compares labctl's proxy and trusted host with the original way: requests per second and p95.

    .venv/bin/pip install -r benchmarks/requirements.txt
    PYTHONPATH=.:remote .venv/bin/python benchmarks/proxy.py

The original: a development server at each hop, a new connection for each query. Both ask the same
servers for films by number, and take turns in each round. Then the trusted host's price: one
client that asks with and without it by turns, no query like another.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.databases.nodes import Node, replicated
from tests.patterns.services import Chain, chain
from tests.remote.waiting import eventually

ROUNDS, CLIENTS, FILMS, PAIRS = 5, 16, 200, 500
REQUESTS, FEW = 2000, 200  # in each round; few of those that are slow
ORIGINAL = Path(__file__).parent / "contenders" / "original_proxy.py"


@dataclass
class Way:
    """One way to the servers, and what was measured of it: a figure for each round."""

    url: str
    requests: int
    programs: tuple[str, ...]  # that serve it, as their command lines name them
    fresh: bool = False  # no two queries are alike: nothing can be remembered of them
    rates: list[float] = field(default_factory=list)
    p95_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)  # of these programs, for each request


def main() -> None:
    """Run everything and print the figures."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        nodes = ends.enter_context(replicated(Path(folder) / "n", replicas=2, FILMS=str(FILMS)))
        ours = ends.enter_context(chain(nodes))
        proxy, trusted = ends.enter_context(original(nodes))
        one, both = ("db_proxy",), ("db_proxy", "trusted_host")
        their_one, their_both = ("_proxy.py\0proxy",), ("_proxy.py\0",)
        hops = {
            "proxy -> server": (Way(ours.proxy, REQUESTS, one), Way(proxy, FEW, their_one)),
            "trusted -> proxy -> server": (
                Way(ours.trusted, REQUESTS, both),
                Way(trusted, FEW, their_both),
            ),
            "the same, no query like another": (
                Way(ours.trusted, REQUESTS, both, fresh=True),
                Way(trusted, FEW, their_both, fresh=True),
            ),
        }
        for _ in range(ROUNDS):
            for pair in hops.values():
                for way in pair:
                    asyncio.run(load(way))
        for name, pair in hops.items():
            show(name, *pair)
        asyncio.run(price(ours))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def show(name: str, ours: Way, theirs: Way) -> None:
    say(f"== {name}, {CLIENTS} clients, {ROUNDS} rounds")
    for label, way in (("labctl", ours), ("original", theirs)):
        low, high = min(way.rates), max(way.rates)
        rate, p95 = statistics.median(way.rates), statistics.median(way.p95_ms)
        cpu = statistics.median(way.cpu_ms)
        say(
            f"{label:9} {rate:7.0f} requests/s ({low:.0f} to {high:.0f}), p95 {p95:7.1f} ms,"
            f" CPU {cpu:.2f} ms for each"
        )
    rates = [a / b for a, b in zip(ours.rates, theirs.rates, strict=True)]
    p95s = [b / a for a, b in zip(ours.p95_ms, theirs.p95_ms, strict=True)]
    cpus = [b / a for a, b in zip(ours.cpu_ms, theirs.cpu_ms, strict=True)]
    say(
        f"labctl is {spread(rates)} x as fast, its p95 is {spread(p95s)} x as short,"
        f" and it takes {spread(cpus)} x less CPU"
    )


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


@contextmanager
def original(nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """Run the original's proxy and trusted host; give their URLs."""
    settings = {
        "SERVER": f"{nodes[1].address}:{nodes[1].port}",
        "SECRETS": str(nodes[0].secrets),
    }
    with ExitStack() as ends:
        proxy = ends.enter_context(development_server("proxy", settings))
        yield proxy, ends.enter_context(development_server("trusted", {"PROXY": proxy}))


@contextmanager
def development_server(role: str, settings: dict[str, str]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(ORIGINAL), role, "127.0.0.1", str(port)],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: listens(port), f"the original {role} listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Client:
    """A client that costs little; it keeps its connection where the server does."""

    def __init__(self, url: str) -> None:
        self._host, _, self._port = url.removeprefix("http://").partition(":")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, film: int, *, fresh: bool = False) -> float:
        """Ask for one film and return the seconds it took; the answer must be right."""
        query = f"SELECT film_id, title FROM film WHERE film_id = {film}"
        if fresh:
            query += f" AND film_id < {random.randrange(10**6, 10**9)}"
        body = json.dumps({"mode": "random", "query": query}).encode()
        head = (
            f"POST /query HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, int(self._port))
        reader, writer = self._streams
        writer.write(head.encode() + body)
        told = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(told.partition(b"content-length:")[2].split(b"\r\n")[0])
        answer = json.loads(await reader.readexactly(size))
        if b"connection: close" in told or told.startswith(b"http/1.0"):
            self.close()
        took = time.perf_counter() - began
        assert answer["rows"][0][0] == film, answer
        return took

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def load(way: Way) -> None:
    """Ask as many clients at once can, and note the rate and p95 of this round."""
    films = iter(random.choices(range(1, FILMS + 1), k=way.requests))
    taken: list[float] = []

    async def client() -> None:
        asking = Client(way.url)
        for film in films:
            taken.append(await asking.ask(film, fresh=way.fresh))
        asking.close()

    began, before = time.perf_counter(), cpu_ms(way.programs)
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    way.cpu_ms.append((cpu_ms(way.programs) - before) / way.requests)
    way.rates.append(way.requests / (time.perf_counter() - began))
    way.p95_ms.append(statistics.quantiles(taken, n=20)[18] * 1000)


def cpu_ms(programs: tuple[str, ...]) -> float:
    """Return the CPU that our children of these names have taken so far."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_text()
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        if int(stat[1]) == os.getpid() and any(name in command for name in programs):
            ticks += int(stat[11]) + int(stat[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


async def price(ours: Chain) -> None:
    """Tell what the trusted host adds to a query, one at a time."""
    with_it, without = Client(ours.trusted), Client(ours.proxy)
    taken: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(PAIRS):
        film = random.randrange(1, FILMS + 1)
        for name, client in (("with", with_it), ("without", without)):
            taken[name].append(await client.ask(film, fresh=True) * 1000)
    median: Callable[[Sequence[float]], float] = statistics.median
    added = [a - b for a, b in zip(taken["with"], taken["without"], strict=True)]
    say(
        f"== one query at a time: {median(taken['without']):.2f} ms by the proxy, "
        f"{median(taken['with']):.2f} ms by the trusted host too, which adds {median(added):.2f} ms"
        f" at the median (p95 {statistics.quantiles(added, n=20)[18]:.2f} ms)"
    )


if __name__ == "__main__":
    main()
