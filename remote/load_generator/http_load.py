"""Sends the same request over and over, each thread on a connection that it keeps, and times it.

`run_sql` does the same with a statement, straight to the database: what the way costs beside it.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pymysql

from load_generator.latencies import summary
from load_generator.servers import Account, connect

_ANSWER_S = 30
_KEPT = 300  # characters of an answer that was no success
_AGAIN_S = 0.05

Send = Callable[[], "tuple[bool, str]"]
"""Sends one request; returns whether it succeeded, and who served or what was wrong."""


@dataclass
class Tally:
    """What one thread saw after its warm-up."""

    latencies_ms: list[float] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    took_s: float = 0.0


def run(
    url: str,
    method: str,
    headers: Mapping[str, str],
    body: str,
    served: str,
    **load: Any,  # noqa: ANN401 - threads, warm_up_s, seconds
) -> dict[str, Any]:
    """Send a request to a URL; `served` is a pattern whose group in the answer is the node."""
    parts = urlsplit(url)
    pattern = re.compile(served)

    def open_way() -> tuple[Send, Callable[[], None]]:
        way = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_ANSWER_S)

        def send() -> tuple[bool, str]:
            try:
                way.request(method, parts.path or "/", body.encode(), dict(headers))
                answer = way.getresponse()
                text = answer.read().decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                way.close()
                time.sleep(_AGAIN_S)
                return False, f"{type(error).__name__}: {error}"
            node = pattern.search(text)
            if answer.status != 200:
                return False, f"{answer.status}: {text[:_KEPT]}"
            return True, node[1] if node else ""

        return send, way.close

    return _load(open_way, **load)


def run_sql(
    server: str,
    name: str,
    account: Account,
    statement: str,
    **load: Any,  # noqa: ANN401 - as above
) -> dict[str, Any]:
    """Send a statement to a server and commit it."""

    def open_way() -> tuple[Send, Callable[[], None]]:
        connection = connect(server, account, autocommit=True)

        def send() -> tuple[bool, str]:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                    cursor.fetchall()
            except pymysql.err.MySQLError as error:
                return False, ": ".join(map(str, error.args[:2]))[:_KEPT]
            return True, name

        return send, connection.close

    return _load(open_way, **load)


def _load(
    open_way: Callable[[], tuple[Send, Callable[[], None]]],
    *,
    threads: int,
    warm_up_s: float,
    seconds: float,
) -> dict[str, Any]:
    tallies = [Tally() for _ in range(threads)]
    ways = [open_way() for _ in range(threads)]
    running = [
        threading.Thread(target=_work, args=(send, tally, warm_up_s, seconds))
        for (send, _), tally in zip(ways, tallies, strict=True)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for _, close in ways:
        close()
    latencies = [latency for tally in tallies for latency in tally.latencies_ms]
    took = max(tally.took_s for tally in tallies)
    wrong = sum((tally.wrong for tally in tallies), Counter())
    if not latencies:
        ((why, _),) = wrong.most_common(1) or [("nothing was answered", 0)]
        return {"error": f"no request succeeded: {why}"}
    return {
        "per_s": len(latencies) / took,
        "seconds": took,
        "latency_ms": summary(latencies),
        "counts": {"requests": len(latencies), "errors": sum(wrong.values())},
        "served": dict(sum((tally.served for tally in tallies), Counter())),
        "wrong": dict(wrong.most_common(3)),
    }


def _work(send: Send, tally: Tally, warm_up_s: float, seconds: float) -> None:
    warm_until = time.perf_counter() + warm_up_s
    while time.perf_counter() < warm_until:
        send()
    began = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        ok, said = send()
        if ok:
            tally.latencies_ms.append((time.perf_counter() - now) * 1000)
            tally.served[said] += 1
        else:
            tally.wrong[said] += 1
    tally.took_s = time.perf_counter() - began
