"""Units: every value must come back from systemd's reading as it went in."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labctl.errors import TransportError
from labctl.transport.base import Bundle
from labctl.transport.units import Login, Service, unit_text

LOGIN = Login(home="/home/ubuntu", user="ubuntu", root="")
TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from(list("%$\"'\\ ;#="))
)
VARIABLES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
CONTROLS = st.sampled_from(["\n", "\r", "\0", "\x1b", "\x7f", "\ud800"])


def service(**changes: object) -> Service:
    values: dict[str, object] = {
        "name": "numbers",
        "bundle": Bundle("numbers_worker", {}, "d" * 64),
        "module": "numbers_worker",
    }
    return Service(**{**values, **changes})  # type: ignore[arg-type]  # a test names any field


def settings(unit: str, key: str) -> list[str]:
    """Return a key's values; a line that goes on would be read as another setting."""
    assert "\\\n" not in unit
    return [line.split("=", 1)[1] for line in unit.splitlines() if line.startswith(f"{key}=")]


def words(value: str, *, variables: bool) -> list[str]:
    """Split as systemd.syntax(7) and systemd.service(5) say, written from those pages alone."""
    found: list[str] = []
    for match in re.finditer(r'"((?:[^"\\]|\\.)*)"|(\S+)', value):
        text = match[1] if match[1] is not None else match[2]
        text = re.sub(r"\\(.)", lambda escape: _unescaped(escape[1]), text)
        text = re.sub(r"%(.?)", lambda specifier: _specifier(specifier[1]), text)
        if variables and found:
            text = re.sub(r"\$(.?)", lambda dollar: _dollar(dollar[1]), text)
        found.append(text)
    return found


def _unescaped(letter: str) -> str:
    assert letter in '\\"', f"systemd would read \\{letter} as something else"
    return letter


def _specifier(letter: str) -> str:
    assert letter == "%", f"systemd would expand %{letter}"
    return "%"


def _dollar(letter: str) -> str:
    assert letter == "$", f"systemd would expand ${letter}"
    return "$"


@example(arguments=["$HOME", "100%h", 'a"b\\'], environment={"A": '$HOME %h "\\'})
@given(
    arguments=st.lists(TEXT, max_size=4), environment=st.dictionaries(VARIABLES, TEXT, max_size=4)
)
def test_arguments_and_variables_survive(arguments: list[str], environment: dict[str, str]) -> None:
    unit = unit_text(service(arguments=tuple(arguments), environment=environment), LOGIN)
    [command] = settings(unit, "ExecStart")
    python = "/home/ubuntu/.labctl/venv/bin/python3"
    wanted = [python, "-u", "-m", "numbers_worker", *arguments]
    assert words(command, variables=True) == wanted
    given = [words(value, variables=False) for value in settings(unit, "Environment")]
    assert given == [[f"{name}={value}"] for name, value in sorted(environment.items())]
    # A simpler reader, that knows shell words and doubled signs, reads the same.
    simple = [w.replace("$$", "$").replace("%%", "%") for w in shlex.split(command)]
    assert simple == wanted


@given(TEXT.filter(lambda text: "/" not in text and text not in ("", ".", "..")))
def test_a_home_folder_of_any_name_survives(name: str) -> None:
    unit = unit_text(service(), Login(home=f"/home/{name}", user="u", root=f"/srv/{name}"))
    assert words(settings(unit, "ExecStart")[0], variables=True)[0] == (
        f"/home/{name}/.labctl/venv/bin/python3"
    )
    for key, path in (
        ("WorkingDirectory", f"/home/{name}/.labctl/agents/numbers_worker"),
        ("StandardOutput", f"append:/srv/{name}/var/log/labctl/numbers.log"),
    ):
        [value] = settings(unit, key)
        assert re.sub(r"%(.?)", lambda found: _specifier(found[1]), value) == path


@given(TEXT, CONTROLS, TEXT)
def test_line_breaks_and_control_characters_are_refused(head: str, bad: str, tail: str) -> None:
    value = head + bad + tail
    for changes in ({"arguments": (value,)}, {"environment": {"A": value}}):
        with pytest.raises(TransportError) as told:
            unit_text(service(**changes), LOGIN)
        assert bad not in told.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a b"},
        {"name": "../x"},
        {"name": ""},
        {"name": "a\n"},
        {"module": "a;b"},
        {"module": "-c"},
        {"module": "a/b"},
        {"environment": {"A B": ""}},
        {"environment": {"A=B": ""}},
        {"environment": {"": ""}},
        {"requirements": ("-e .",)},
        {"requirements": ("--index-url=x",)},
        {"requirements": ("boto3\nrequests",)},
    ],
)
def test_names_that_no_unit_can_carry_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(TransportError) as told:
        unit_text(service(**changes), LOGIN)
    assert told.value.hint


def test_the_unit_changes_with_the_bundle_and_is_marked_as_ours() -> None:
    unit = unit_text(service(stop_timeout_s=2.5, restart="on-failure"), LOGIN)
    assert unit.startswith("# Written by labctl")
    assert "d" * 64 in unit.splitlines()[0]
    assert settings(unit, "TimeoutStopSec") == ["2.5"]
    assert settings(unit, "Restart") == ["on-failure"]
    assert settings(unit, "User") == ["ubuntu"]
