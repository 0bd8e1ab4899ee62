"""Asks a gatekeeper on its own machine: `python -m gatekeeper.ask`, one JSON request a line.

labctl runs it over SSH, so that no port has to be open to whoever asks.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

_WITHIN_S = 15.0
_JSON = {"Content-Type": "application/json"}


def answers(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield for each request its answer, with `status` and `ms`, what it took in all.

    A request is what the gatekeeper takes, and `url`, and `times`, how often it is sent.
    """
    connections: dict[str, HTTPConnection] = {}
    for line in filter(str.strip, lines):
        asked = json.loads(line)
        place = urlsplit(asked.pop("url")).netloc
        times = asked.pop("times", 1)
        for _ in range(times):
            connection = connections.setdefault(place, HTTPConnection(place, timeout=_WITHIN_S))
            yield _answer(connection, json.dumps(asked))


def _answer(connection: HTTPConnection, body: str) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        connection.request("POST", "/query", body, _JSON)
        response = connection.getresponse()
        status, text = response.status, response.read()
        found: dict[str, Any] = json.loads(text)
    except (OSError, HTTPException, ValueError) as error:
        connection.close()
        status, found = 0, {"error": f"the gatekeeper does not answer ({type(error).__name__})"}
    return {**found, "status": status, "ms": round((time.perf_counter() - began) * 1000, 3)}


def main() -> None:
    """Answer what stands on the standard input, one line each."""
    for answer in answers(sys.stdin):
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
