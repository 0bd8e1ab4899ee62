"""moto's server, quick enough for a crowd: the list of its modules is read once.

moto reads it for every request, a hundred and fifty looks at the disk under one lock.
"""

from __future__ import annotations

import sys

from moto import backends
from moto.server import main

_MODULES = tuple(backends.list_of_moto_modules())


def _modules() -> tuple[str, ...]:
    return _MODULES


if __name__ == "__main__":
    backends.list_of_moto_modules = _modules
    main(sys.argv[1:])
