"""Reads systemd unit files: the part of `[Unit]`, `[Service]` and `[Install]` that labs use."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_IGNORED = frozenset(["Description", "Documentation"])
_KILL_MODES = ("control-group", "mixed", "process", "none")
_RESTARTS = ("no", "always", "on-failure")
_TYPES = ("simple", "exec")
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}
_MAPPED = ("/etc/", "/opt/", "/var/", "/home/", "/srv/")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_NUMBERED = (
    (re.compile(r"x([0-9a-fA-F]{2})"), 16),
    (re.compile(r"u([0-9a-fA-F]{4})"), 16),
    (re.compile(r"([0-7]{3})"), 8),
)


class UnitError(Exception):
    """The unit cannot be run; the message says why."""


@dataclass
class Unit:
    """One service as its unit file describes it; times in seconds."""

    name: str
    user: str = ""
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    environment_files: list[str] = field(default_factory=list)
    working_directory: str = ""
    restart: str = "no"
    restart_s: float = 0.1
    stop_timeout_s: float = 90.0
    kill_mode: str = "control-group"
    kill_signal: int = signal.SIGTERM
    stdout: str = ""  # path to append to; empty: the journal
    stderr: str = ""  # path to append to; empty: like stdout
    start_limit_burst: int = 5
    start_limit_interval_s: float = 10.0
    wanted_by: list[str] = field(default_factory=list)
    # Services by their names, without `.service`; targets and the like have no part here.
    after: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    wants: list[str] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def mapped(root: Path, path: str) -> str:
    """Return where a machine's own path (`/etc`, `/opt`, `/var`, `/home`, `/srv`) lies here."""
    whole = root == Path("/")  # the instance has a root of its own
    if whole or path.startswith(f"{root}/") or not path.startswith(_MAPPED):
        return path
    return f"{root}{path}"


def read_unit(name: str, text: str, *, root: Path, specifiers: Mapping[str, str]) -> Unit:
    """Return the unit of a file's text; raises `UnitError` when it cannot be run.

    A directive that has no meaning here becomes a warning.
    """
    unit = Unit(name)
    for section, key, value in _entries(text):
        _apply(unit, section, key, value, specifiers)
    if not unit.command:
        raise UnitError(f"{name}.service has no ExecStart= setting")
    if unit.user not in ("", specifiers["u"]):
        unit.warnings.append(f"User={unit.user}: it runs as {specifiers['u']} like everything here")
    unit.stdout, unit.stderr = mapped(root, unit.stdout), mapped(root, unit.stderr)
    unit.working_directory = mapped(root, unit.working_directory)
    unit.environment_files = [
        ("-" if path.startswith("-") else "") + mapped(root, path.lstrip("-"))
        for path in unit.environment_files
    ]
    here = mapped(root, unit.command[0])
    if Path(here).exists():
        unit.command[0] = here
    return unit


def _entries(text: str) -> list[tuple[str, str, str]]:
    joined = re.sub(r"\\\n", " ", text.replace("\r\n", "\n"))
    section = ""
    found = []
    for line in map(str.strip, joined.split("\n")):
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line:
            key, value = line.split("=", 1)
            found.append((section, key.strip(), value.strip()))
        else:
            raise UnitError(f"not an assignment: {line!r}")
    return found


def _expanded(value: str, specifiers: Mapping[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        if match[1] not in specifiers:
            raise UnitError(f"the specifier %{match[1]} is not supported here")
        return specifiers[match[1]]

    return re.sub(r"%(.)", one, value)


def _apply(unit: Unit, section: str, key: str, value: str, specifiers: Mapping[str, str]) -> None:
    if (section, key) in _WORDS:
        _WORDS[section, key](unit, [_expanded(word, specifiers) for word in split_words(value)])
    elif (section, key) in _SETTERS:
        _SETTERS[section, key](unit, _expanded(value, specifiers))
    elif key == "Type":
        if value not in _TYPES:
            raise UnitError(f"Type={value} is not supported here; use {' or '.join(_TYPES)}")
    elif key not in _IGNORED:
        unit.warnings.append(f"{section}.{key}= has no effect on a local instance")


def _services(attribute: str) -> Callable[[Unit, list[str]], None]:
    def add(unit: Unit, words: list[str]) -> None:
        names = [word.removesuffix(".service") for word in words if word.endswith(".service")]
        getattr(unit, attribute).extend(names)

    return add


def _set_command(unit: Unit, words: list[str]) -> None:
    if unit.command and words:
        raise UnitError("more than one ExecStart= setting")
    while words and words[0][:1] in ("-", ":", "@", "+", "!"):
        if words[0][0] == "@":
            raise UnitError("ExecStart=@ is not supported here")
        words[0] = words[0][1:]
    unit.command = words


def _set_environment(unit: Unit, words: list[str]) -> None:
    if not words:
        unit.environment.clear()
    for word in words:
        name, equals, content = word.partition("=")
        if not equals:
            raise UnitError(f"Environment= needs NAME=value, not {word!r}")
        unit.environment[name] = content


def _set_output(unit: Unit, attribute: str, value: str) -> None:
    kind, _, path = value.partition(":")
    if kind == "append" and path.startswith("/"):
        setattr(unit, attribute, path)
    elif value in ("journal", "inherit", ""):
        setattr(unit, attribute, "")
    else:
        unit.warnings.append(f"output to {value!r} is not supported here; it goes to the journal")


def _one_of(attribute: str, allowed: tuple[str, ...]) -> Callable[[Unit, str], None]:
    def put(unit: Unit, value: str) -> None:
        if value not in allowed:
            raise UnitError(f"{value!r} is not supported here; use one of {', '.join(allowed)}")
        setattr(unit, attribute, value)

    return put


def _set_kill_signal(unit: Unit, value: str) -> None:
    name = value if value.startswith("SIG") else f"SIG{value}"
    if not hasattr(signal, name):
        raise UnitError(f"KillSignal={value} is no signal")
    unit.kill_signal = int(getattr(signal, name))


def _set_burst(unit: Unit, value: str) -> None:
    if not value.isdigit():
        raise UnitError(f"StartLimitBurst={value} is no number")
    unit.start_limit_burst = int(value)


def _timed(attribute: str) -> Callable[[Unit, str], None]:
    return lambda unit, value: setattr(unit, attribute, seconds(value))


def seconds(value: str) -> float:
    """Return a systemd time span (`5`, `2min 200ms`, `infinity`) in seconds."""
    if value == "infinity":
        return float("inf")
    parts = re.findall(r"([0-9.]+)\s*([a-z]*)", value)
    if not parts or re.sub(r"[0-9.]+\s*[a-z]*|\s", "", value):
        raise UnitError(f"{value!r} is no time span")
    try:
        return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    except (KeyError, ValueError) as error:
        raise UnitError(f"{value!r} is no time span") from error


_WORDS: dict[tuple[str, str], Callable[[Unit, list[str]], None]] = {
    ("Service", "ExecStart"): _set_command,
    ("Service", "Environment"): _set_environment,
    ("Install", "WantedBy"): lambda unit, words: unit.wanted_by.extend(words),
    ("Unit", "After"): _services("after"),
    ("Unit", "Before"): _services("before"),
    ("Unit", "Wants"): _services("wants"),
    ("Unit", "Requires"): _services("requires"),
}
_SETTERS: dict[tuple[str, str], Callable[[Unit, str], None]] = {
    ("Service", "User"): lambda unit, value: setattr(unit, "user", value),
    ("Service", "EnvironmentFile"): lambda unit, value: unit.environment_files.append(value),
    ("Service", "WorkingDirectory"): lambda unit, value: setattr(unit, "working_directory", value),
    ("Service", "Restart"): _one_of("restart", _RESTARTS),
    ("Service", "RestartSec"): _timed("restart_s"),
    ("Service", "TimeoutStopSec"): _timed("stop_timeout_s"),
    ("Service", "KillMode"): _one_of("kill_mode", _KILL_MODES),
    ("Service", "KillSignal"): _set_kill_signal,
    ("Service", "StandardOutput"): lambda unit, value: _set_output(unit, "stdout", value),
    ("Service", "StandardError"): lambda unit, value: _set_output(unit, "stderr", value),
    ("Unit", "StartLimitBurst"): _set_burst,
    ("Unit", "StartLimitIntervalSec"): _timed("start_limit_interval_s"),
    ("Service", "StartLimitBurst"): _set_burst,  # the older place, still read by systemd
}


def split_words(text: str) -> list[str]:
    """Split as systemd does: blanks between words, quotes around, C escapes within."""
    words: list[str] = []
    word: list[str] = []
    quote, within, position = "", False, 0
    while position < len(text):
        letter = text[position]
        position += 1
        if letter == "\\":
            letter, position = _escape(text, position)
        elif letter == quote:
            quote = ""
            continue
        elif not quote and letter in "\"'":
            quote, within = letter, True
            continue
        elif not quote and letter.isspace():
            if within:
                words.append("".join(word))
            word, within = [], False
            continue
        word.append(letter)
        within = True
    if quote:
        raise UnitError(f"a quote without its end: {text}")
    return [*words, "".join(word)] if within else words


def _escape(text: str, position: int) -> tuple[str, int]:
    letter = text[position : position + 1]
    if not letter:
        raise UnitError(f"a backslash at the end: {text}")
    if letter in _ESCAPES:
        return _ESCAPES[letter], position + 1
    for pattern, base in _NUMBERED:
        match = pattern.match(text, position)
        if match:
            return chr(int(match[1], base)), match.end()
    return letter, position + 1


def expanded_command(command: list[str], environment: Mapping[str, str]) -> list[str]:
    """Return the words of a command with `$NAME`, `${NAME}` and `$$` replaced, as systemd does."""
    words: list[str] = []
    for word in command:
        whole = re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word)
        if whole:
            words += environment.get(whole[1], "").split()
        else:
            words.append(
                re.sub(
                    r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\})",
                    lambda found: environment.get(found[1], "") if found[1] else "$",
                    word,
                )
            )
    return words


def environment_file(text: str) -> dict[str, str]:
    """Return the assignments of an `EnvironmentFile=`: NAME=value lines, quotes allowed."""
    found = {}
    for line in map(str.strip, text.splitlines()):
        if not line or line[0] in "#;" or "=" not in line:
            continue
        name, value = line.split("=", 1)
        value = value.strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        found[name.strip()] = value
    return found
