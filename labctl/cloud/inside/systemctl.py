"""`systemctl` on a local instance: the verbs that labs use, answered by the instance's init."""

from __future__ import annotations

import signal
import sys
from collections import deque
from pathlib import Path

from labctl.cloud.inside.control import ask, fail, say, warn
from labctl.cloud.wire import Message

_FLAGS = (
    "--now",
    "--no-pager",
    "--quiet",
    "-q",
    "--value",
    "--no-block",
    "--system",
    "--full",
    "-l",
)
_SIGNAL = "--signal="
_NOT_ACTIVE, _NO_SUCH_UNIT, _NOT_SUPPORTED = 3, 4, 78
_SHOWN_LINES = 10


def main() -> None:
    """Run the command line."""
    words, flags, properties = _parsed(sys.argv[1:])
    if not words:
        fail("list-units is not supported here; name a verb and a unit", _NOT_SUPPORTED)
    verb, units = words[0], [word.removesuffix(".service") for word in words[1:]]
    if verb in ("daemon-reload", "daemon-reexec"):
        return  # unit files are read afresh at every start
    if verb in ("poweroff", "reboot", "halt"):
        _checked(ask({"op": "power", "name": "reboot" if verb == "reboot" else "off"}))
        return
    if verb not in _VERBS:
        fail(f"the verb {verb!r} is not supported on a local instance", _NOT_SUPPORTED)
    if not units:
        fail(f"{verb} needs a unit")
    raise SystemExit(max(_VERBS[verb](unit, flags, properties) for unit in units))


def _parsed(arguments: list[str]) -> tuple[list[str], set[str], list[str]]:
    words: list[str] = []
    flags: set[str] = set()
    properties: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-p", "--property"):
            properties += next(rest, "").split(",")
        elif argument.startswith("--property="):
            properties += argument.removeprefix("--property=").split(",")
        elif argument.startswith("-p") and len(argument) > 2:
            properties += argument[2:].split(",")
        elif argument in ("-s", "--signal"):
            flags.add(f"{_SIGNAL}{next(rest, '')}")
        elif argument in _FLAGS or argument.startswith(_SIGNAL):
            flags.add(argument)
        elif argument.startswith("-"):
            fail(f"the option {argument} is not supported on a local instance", _NOT_SUPPORTED)
        else:
            words.append(argument)
    return words, flags, properties


def _checked(answer: Message) -> int:
    for warning in answer.get("warnings", []):
        warn(f"warning: {warning}")
    if answer.get("error"):
        warn(answer["error"])
        return 5 if answer.get("missing") else 1
    return 0


def _act(verb: str, unit: str) -> int:
    if verb != "stop":
        shown = ask({"op": "show", "name": unit})
        for warning in shown.get("warnings", []):
            warn(f"warning: {warning}")
    return _checked(ask({"op": verb, "name": unit}))


def _start(unit: str, flags: set[str], properties: list[str]) -> int:
    return _act("start", unit)


def _stop(unit: str, flags: set[str], properties: list[str]) -> int:
    return _act("stop", unit)


def _restart(unit: str, flags: set[str], properties: list[str]) -> int:
    if unit in ("ssh", "sshd"):
        return _checked(ask({"op": "restart", "name": unit}))
    return _act("restart", unit)


def _try_restart(unit: str, flags: set[str], properties: list[str]) -> int:
    return _restart(unit, flags, properties) if _state(unit) == "active" else 0


def _kill(unit: str, flags: set[str], properties: list[str]) -> int:
    named = [flag.removeprefix(_SIGNAL) for flag in flags if flag.startswith(_SIGNAL)]
    name = f"SIG{named[0].removeprefix('SIG')}" if named else "SIGTERM"
    if name not in signal.Signals.__members__:
        fail(f"there is no signal {name}")
    return _checked(ask({"op": "kill", "name": unit, "signal": signal.Signals[name].value}))


def _enable(unit: str, flags: set[str], properties: list[str]) -> int:
    answer = ask({"op": "enable", "name": unit})
    for link in answer.get("links", []):
        warn(f"created symlink {link}")
    if "links" in answer and not answer["links"]:
        warn("the unit has no WantedBy= setting: nothing to enable")
    return _checked(answer) or (_act("start", unit) if "--now" in flags else 0)


def _disable(unit: str, flags: set[str], properties: list[str]) -> int:
    return _checked(ask({"op": "disable", "name": unit})) or (
        _act("stop", unit) if "--now" in flags else 0
    )


def _state(unit: str) -> str:
    if unit in ("ssh", "sshd"):
        return "active"
    answer = ask({"op": "show", "name": unit})
    return str(answer["properties"]["ActiveState"]) if "properties" in answer else ""


def _is_active(unit: str, flags: set[str], properties: list[str]) -> int:
    state = _state(unit)
    if not flags & {"--quiet", "-q"}:
        say(state or "inactive")
    return 0 if state == "active" else _NOT_ACTIVE if state else _NO_SUCH_UNIT


def _is_enabled(unit: str, flags: set[str], properties: list[str]) -> int:
    answer = ask({"op": "show", "name": unit})
    if "properties" not in answer:
        return _checked(answer)
    state = answer["properties"]["UnitFileState"]
    if not flags & {"--quiet", "-q"}:
        say(state)
    return 0 if state == "enabled" else 1


def _show(unit: str, flags: set[str], properties: list[str]) -> int:
    answer = ask({"op": "show", "name": unit})
    missing = {"Id": f"{unit}.service", "LoadState": "not-found", "ActiveState": "inactive"}
    missing |= {"SubState": "dead", "MainPID": "0", "NRestarts": "0"}
    values: dict[str, str] = answer.get("properties", missing)
    for name in properties or values:
        if name in values:
            say(values[name] if "--value" in flags else f"{name}={values[name]}")
        else:
            warn(f"the property {name} is not supported on a local instance")
    return 0


def _status(unit: str, flags: set[str], properties: list[str]) -> int:
    answer = ask({"op": "show", "name": unit})
    if "properties" not in answer:
        return _checked(answer) and _NO_SUCH_UNIT
    values = answer["properties"]
    say(f"{unit}.service (local instance, run by labctl's init)")
    say(f"     Loaded: {values['FragmentPath']}; {values['UnitFileState']}")
    say(f"     Active: {values['ActiveState']} ({values['SubState']}); result {values['Result']}")
    say(f"   Main PID: {values['MainPID']}; restarts {values['NRestarts']}")
    say(f"        Log: {answer['log']}")
    log = Path(answer["log"])
    if log.exists():
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in deque(lines, _SHOWN_LINES):
                say(line.rstrip("\n"))
    return 0 if values["ActiveState"] == "active" else _NOT_ACTIVE


_VERBS = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "reload-or-restart": _restart,
    "try-restart": _try_restart,
    "kill": _kill,
    "enable": _enable,
    "disable": _disable,
    "is-active": _is_active,
    "is-enabled": _is_enabled,
    "show": _show,
    "status": _status,
}
