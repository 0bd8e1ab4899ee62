"""Unit files: quoting, specifiers, times, paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.cloud.inside.ordering import starting_order
from labctl.cloud.inside.units import (
    Unit,
    UnitError,
    environment_file,
    expanded_command,
    mapped,
    read_unit,
    seconds,
    split_words,
)

ROOT = Path("/state/i-1")
SPECIFIERS = {"u": "ubuntu", "h": "/state/i 1/home", "n": "a.service"}


def read(text: str) -> object:
    return read_unit("a", text, root=ROOT, specifiers=SPECIFIERS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        (r"a\ b a\sb", ["a b", "a b"]),
        (r'"\"\\\n\x41\101\u00e9"', ['"\\\nAAé']),
        ("'' \"\"", ["", ""]),
        ("NAME='x y'z", ["NAME=x yz"]),
        ("", []),
    ],
)
def test_words_are_cut_as_systemd_cuts_them(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("text", ["'open", '"open', "end\\"])
def test_what_does_not_end_is_an_error(text: str) -> None:
    with pytest.raises(UnitError):
        split_words(text)


quoted = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])))


@given(quoted)
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    line = " ".join('"' + w.replace("\\", "\\\\").replace('"', '\\"') + '"' for w in words)
    assert split_words(line) == words


@given(quoted.filter(lambda words: all("\n" not in word for word in words)))
def test_a_command_survives_the_unit_file(words: list[str]) -> None:
    def escape(word: str) -> str:
        for letter in "\\", '"':
            word = word.replace(letter, "\\" + letter)
        return '"' + word.replace("%", "%%").replace("$", "$$") + '"'

    line = " ".join(map(escape, ["/bin/x", *words]))
    unit = read_unit("a", f"[Service]\nExecStart={line}\n", root=ROOT, specifiers=SPECIFIERS)
    assert expanded_command(unit.command, {}) == ["/bin/x", *words]


@given(st.text())
def test_no_text_does_anything_but_raise_its_own_error(text: str) -> None:
    try:
        read(text)
    except UnitError:
        return


def test_specifiers_do_not_split_words() -> None:
    unit = read_unit(
        "a",
        "[Service]\nExecStart=%h/run 100%%\nEnvironment=HERE=%h\nWorkingDirectory=%h\n",
        root=ROOT,
        specifiers=SPECIFIERS,
    )
    assert unit.command == ["/state/i 1/home/run", "100%"]
    assert unit.environment == {"HERE": "/state/i 1/home"}
    assert unit.working_directory == "/state/i 1/home"
    with pytest.raises(UnitError, match="%q"):
        read("[Service]\nExecStart=/bin/x %q\n")


def test_variables_are_replaced_in_the_command() -> None:
    environment = {"TWO": "a b", "ONE": "x"}
    command = ["/bin/x", "$TWO", "${TWO}", "pre-${ONE}-post", "$$ONE", "pre$ONE", "$NONE"]
    assert expanded_command(command, environment) == [
        *("/bin/x", "a", "b", "a b", "pre-x-post", "$ONE", "pre$ONE")
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("300ms", 0.3), ("2min 200ms", 120.2), ("1.5s", 1.5), ("infinity", float("inf"))],
)
def test_times(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "-1", "1..2s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        seconds(text)


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/etc/x", "/state/i-1/etc/x"),
        ("/home/ubuntu", "/state/i-1/home/ubuntu"),
        ("/state/i-1/etc/x", "/state/i-1/etc/x"),
        ("/usr/bin/x", "/usr/bin/x"),
        ("/etcetera", "/etcetera"),
    ],
)
def test_a_machines_own_paths_lie_under_its_root(path: str, here: str) -> None:
    assert mapped(ROOT, path) == here


def test_the_order_is_that_of_the_units() -> None:
    texts = {
        "app": "Requires=store.service\nAfter=store.service cache.service\nWants=cache.service",
        "store": "After=disk.service",  # not started by that
        "cache": "Before=store.service",
    }

    def read(name: str) -> Unit:
        if name not in texts:
            raise UnitError(name)
        text = f"[Unit]\n{texts[name]}\n[Service]\nExecStart=/bin/true\n"
        return read_unit(name, text, root=Path("/"), specifiers={"u": "ubuntu"})

    assert starting_order(["app"], read) == ["cache", "store", "app"]
    assert starting_order(["store"], read) == ["store"]
    texts["cache"] = "After=app.service"
    with pytest.raises(UnitError, match="circle"):
        starting_order(["app"], read)
    texts["app"] = "Requires=gone.service"
    with pytest.raises(UnitError, match="gone"):
        starting_order(["app"], read)


def test_environment_files() -> None:
    text = "# no\n; no\nA=1\nB='two words'\nC=\"x\"\nbroken\nD=a=b\n"
    assert environment_file(text) == {"A": "1", "B": "two words", "C": "x", "D": "a=b"}


def test_lines_may_be_continued_and_a_list_emptied() -> None:
    text = "[Service]\nExecStart=/bin/x \\\n  y\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\n"
    unit = read_unit("a", text, root=ROOT, specifiers=SPECIFIERS)
    assert unit.command == ["/bin/x", "y"]
    assert unit.environment == {"B": "2"}
