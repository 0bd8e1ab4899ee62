"""Writes the commands that an instance finds first on its PATH."""

from __future__ import annotations

import json
import shlex
import site
import sys
from pathlib import Path

from labctl.cloud.beneath import write_bytes

_SUDO = """#!/bin/sh
# There is no root on a local instance: the command runs as the same user.
while [ $# -gt 0 ]; do
  case "$1" in
    -n|-E|-H|-S|-k|-b|--non-interactive|--preserve-env|--set-home) shift ;;
    -i|-s|--login|--shell) shift; [ $# -gt 0 ] || exec "${SHELL:-/bin/sh}" -l ;;
    -u|--user)
      case "$2" in
        root|"$USER") shift 2 ;;
        *) echo "sudo: there is no user $2 on a local instance" >&2; exit 1 ;;
      esac ;;
    -l|-v|--list|--validate) exit 0 ;;
    --) shift; break ;;
    -*) echo "sudo: the option $1 is not supported on a local instance" >&2; exit 78 ;;
    [A-Za-z_]*=*) export "$1"; shift ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { echo "usage: sudo command" >&2; exit 1; }
# /sbin/shutdown and the like would reach the real machine: what is replaced stays replaced.
name=${1##*/}
own=FOLDER/$name
if [ -x "$own" ]; then shift; set -- "$own" "$@"; fi
exec "$@"
"""
_NO_PACKAGES = """#!/bin/sh
echo "${0##*/}: a local instance installs no packages: it would change the real machine." >&2
echo "${0##*/}: install what is missing on this machine yourself, or run the lab on AWS." >&2
exit 100
"""
_PACKAGES = ("site-packages", "dist-packages")
_PACKAGE_MANAGERS = ("apt", "apt-get", "dnf", "dpkg", "yum", "rpm", "snap")
_INSIDE = {"systemctl": "systemctl", "journalctl": "journalctl"} | dict.fromkeys(
    ("shutdown", "poweroff", "halt", "reboot"), "shutdown"
)


def start_of(module: str, call: str = "main()") -> list[str]:
    """Return the command line that runs one of the inside programs with few imports."""
    parent = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.insert(0, {parent!r}); from {module} import main; {call}"
    return [sys.executable, "-I", "-S", "-c", code]


def command_of(module: str, prelude: str = "") -> list[str]:
    """Return the command line that runs a module's `main` with this process's import path.

    Whatever could import labctl here can there, however it was installed.
    """
    path = json.dumps([entry for entry in sys.path if entry])
    code = f"{prelude}import sys; sys.path[:] = {path}; from {module} import main; main()"
    return [sys.executable, "-I", "-c", code]


def write_programs(folder: Path, *, seen_as: str | None = None) -> None:
    """Put the commands into a folder, which instances see under another path if one is given."""
    _write(folder / "sudo", _SUDO.replace("FOLDER", shlex.quote(seen_as or str(folder))))
    for name in _PACKAGE_MANAGERS:
        _write(folder / name, _NO_PACKAGES)
    for name, module in _INSIDE.items():
        call = f"sys.argv[0] = {name!r}; main()"
        words = shlex.join(start_of(f"labctl.cloud.inside.{module}", call))
        _write(folder / name, f'#!/bin/sh\nexec {words} "$@"\n')
    _write(folder / "python3", python_wrapper())


def names() -> list[str]:
    """Return the names of the commands that take the place of the system's."""
    return ["sudo", *_PACKAGE_MANAGERS, *_INSIDE]


def provide_python(disk: Path, home: str, wrapper: str) -> None:
    """Put labctl's own interpreter, by a script that runs it, where agents look for theirs."""
    folder = f"{home}/.labctl/venv"
    note = b"This is labctl's own Python; nothing is installed here.\n"
    write_bytes(disk, f"{folder}/bin/python3", wrapper.encode(), mode=0o755)
    write_bytes(disk, f"{folder}/PROVIDED", note, mode=0o644)


def shell() -> str:
    """Return the login shell of instances."""
    return "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"


def python_wrapper() -> str:
    """Return a script that runs labctl's own Python, whose packages the agents use."""
    # Those of a user's own folder, and those that the environment named, it finds only when told.
    more = [path for path in package_folders() if path not in site.getsitepackages()]
    told = f'export PYTHONPATH={shlex.quote(":".join(more))}"${{PYTHONPATH:+:$PYTHONPATH}}"\n'
    return f'#!/bin/sh\n{told if more else ""}exec {shlex.quote(sys.executable)} "$@"\n'


def package_folders() -> list[str]:
    """Return where the packages lie that labctl could import."""
    return [path for path in sys.path if Path(path).name in _PACKAGES and Path(path).is_dir()]


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
