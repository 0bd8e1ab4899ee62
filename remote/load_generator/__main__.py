"""Does what the request in the file named on the command line asks; the answer is the last line.

Without a file it is an agent that only stands by: its machine has then got what measuring needs.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql

from load_generator import http_load, oltp, servers

ASKED: dict[str, Callable[..., dict[str, Any]]] = {
    "state": servers.state,
    "prepare": oltp.prepare,
    "oltp": oltp.run,
    "clean_up": oltp.clean_up,
    "http": http_load.run,
    "sql": http_load.run_sql,
}


def main(path: str) -> int:
    """Answer in one line of JSON; with `error` in it when it could not be done."""
    request: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    try:
        answer = ASKED[request.pop("ask")](**request)
    except pymysql.err.MySQLError as error:
        answer = {"error": ": ".join(map(str, error.args[:2]))}
    except OSError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


def stand_by() -> int:
    """Say that the machine is ready to measure, and wait to be stopped."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if sys.argv[1:] else stand_by())
