"""Makes what nodes begin with before there are any: `python -m mariadb_node.prepare ROLE [FILMS]`.

It is put below the folder LABCTL_CACHE, and stays as it is when it is there. No secret is in it.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence

from mariadb_node.first_data import first_data
from mariadb_node.folders import make_folders
from mariadb_node.options import write_options
from mariadb_node.programs import Programs, ProgramsError
from mariadb_node.server import Server, ServerError
from mariadb_node.settings import Settings, SettingsError

_HERE, _ELSEWHERE = "127.0.0.1", "127.0.0.2"
_SAYING = {
    "standalone": {},
    "primary": {"PRIMARY": _HERE},
    "replica": {"PRIMARY": _ELSEWHERE},
    "cluster": {"NODES": _HERE},
}


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Prepare for nodes of a role; 1 with the reason on standard error when that fails."""
    if not 1 <= len(words) <= 2 or words[0] not in _SAYING:
        sys.stderr.write(f"arguments: {' | '.join(_SAYING)}, and a number of films\n")
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    role, films = words[0], words[1] if len(words) == 2 else "0"
    cache = environment["LABCTL_CACHE"]
    with tempfile.TemporaryDirectory(prefix="work-", dir=cache) as folder:
        place = {"LABCTL_ADDRESS": _HERE, "FOLDER": folder, "FILMS": films, "LABCTL_CACHE": cache}
        try:
            settings = Settings.from_environment({**place, **_SAYING[role]})
            programs = Programs.find(environment)
            make_folders(settings.folder)
            os.chdir(settings.folder)
            first_data(Server(programs, write_options(settings, programs)), settings, programs)
        except (SettingsError, ProgramsError, ServerError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
