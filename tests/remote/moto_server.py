"""moto's server, quick enough for a crowd, and otherwise as it is.

For every request it reads the list of its modules, a hundred and fifty looks at the disk under
one lock, and logs a line under another. For every message received it counts all others of the
queue three times, only to learn for how long the queue keeps them. It asks what time it is for
every message of a queue, by way of two dates.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from moto import backends
from moto.server import main
from moto.sqs import models as sqs

_MODULES = tuple(backends.list_of_moto_modules())


def _modules() -> tuple[str, ...]:
    return _MODULES


def _is_kept(backend: Any, queue_name: str, message: Any) -> bool:  # noqa: ANN401 - moto ships no types
    kept_s = float(backend.get_queue(queue_name).message_retention_period)
    return kept_s + float(message.sent_timestamp) / 1000 > time.time()


def _milliseconds() -> float:
    return time.time() * 1000


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    backends.list_of_moto_modules = _modules
    sqs.unix_time, sqs.unix_time_millis = time.time, _milliseconds
    sqs.SQSBackend.is_message_valid_based_on_retention_period = _is_kept
    main(sys.argv[1:])
