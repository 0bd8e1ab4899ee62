"""The YAML reader keeps every value as it was written, and knows where each one stood."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import Mistake, SpecError
from labctl.spec.yaml_text import DEEPEST, Document, Place, Route, load_file, load_text

PRINTABLE = st.text(
    st.characters(
        exclude_categories=("Cc", "Cs", "Co", "Cn"),
        exclude_characters="\u061c\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff",
    ),
    max_size=12,
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    PRINTABLE,
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
    max_leaves=12,
).filter(lambda data: data is not None)


class Writer:
    """Writes data as block YAML, noting the place of every key and value as it goes."""

    def __init__(self) -> None:
        self.text = ""
        self.keys: dict[Route, Place] = {}
        self.values: dict[Route, Place] = {}

    def here(self) -> Place:
        return Place(self.text.count("\n") + 1, len(self.text) - self.text.rfind("\n"))

    def value(self, data: object, route: Route = (), indent: int = 0) -> None:
        """Write a value where the text ends; in a block its entries begin on new lines."""
        if isinstance(data, dict | list) and data:
            if route:
                self.text += "\n" + " " * indent
            self.values[route] = self.here()
            self._entries(data, route, indent)
        else:
            self.text += " " if route else ""
            self.values[route] = self.here()
            self.text += json.dumps(data, ensure_ascii=False)

    def _entries(self, data: dict[str, object] | list[object], route: Route, indent: int) -> None:
        pairs: list[tuple[str | int, object]] = [
            *(data.items() if isinstance(data, dict) else enumerate(data))
        ]
        for position, (step, item) in enumerate(pairs):
            self.text += "\n" + " " * indent if position else ""
            if isinstance(data, dict):
                self.keys[(*route, step)] = self.here()
                self.text += f"{json.dumps(step, ensure_ascii=False)}:"
            else:
                self.text += "-"
            self.value(item, (*route, step), indent + 2)


def mistakes_of(read: Callable[[], Document]) -> tuple[Mistake, ...]:
    """Return what a reading finds wrong; one that fails finds something."""
    try:
        return read().mistakes
    except SpecError as error:
        return error.mistakes or pytest.fail("failed without a mistake")


@given(DATA)
def test_any_data_comes_back_with_every_place(data: object) -> None:
    writer = Writer()
    writer.value(data)
    document = load_text(writer.text, file="x.yaml")
    assert document.data == data
    assert document.keys == writer.keys
    assert document.values == writer.values
    assert document.mistakes == ()


@given(DATA)
def test_any_json_is_read_as_json(data: object) -> None:
    assert load_text(json.dumps(data, ensure_ascii=False), file="x.json").data == data


@given(st.text(max_size=200) | st.text(alphabet="[]{}:,-?&*!|>'\"%@`#\n\t $aё1~<", max_size=60))
def test_any_text_is_data_or_a_mistake_with_a_place(text: str) -> None:
    lines = text.count("\n") + text.count("\r") + 1
    for mistake in mistakes_of(lambda: load_text(text, file="x.yaml")):
        assert mistake.column >= 1
        assert 1 <= mistake.line <= lines + 1


@given(st.binary(max_size=100))
def test_any_file_is_data_or_a_mistake(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "lab.yaml"
    path.write_bytes(raw)
    mistakes_of(lambda: load_file(path))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("y", "y"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("+5", 5),
        ("-0", 0),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("2026-01-02", "2026-01-02"),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ('"1"', "1"),
        ("'true'", "true"),
        ('"~"', "~"),
        ("=", "="),
        ("${a.b}", "${a.b}"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, read: object) -> None:
    data = load_text(f"key: {written}\n", file="x").data
    assert isinstance(data, dict)
    assert data["key"] == read
    assert type(data["key"]) is type(read)


def test_a_key_that_yaml_1_1_takes_for_a_boolean_is_text() -> None:
    assert load_text("{on: 1, off: 2, yes: 3, no: 4}", file="x").data == {
        "on": 1,
        "off": 2,
        "yes": 3,
        "no": 4,
    }


def test_every_duplicate_key_is_a_mistake_and_the_first_one_counts() -> None:
    document = load_text("a: 1\nb: {c: 1, c: 2}\na: [3]\n", file="x")
    assert document.data == {"a": 1, "b": {"c": 1}}
    assert [str(mistake) for mistake in document.mistakes] == [
        "x:2:11: the key 'c' is there twice (first on line 2)",
        "x:3:1: the key 'a' is there twice (first on line 1)",
    ]


def test_a_merge_key_is_a_mistake_and_a_quoted_one_is_a_key() -> None:
    assert load_text("<<: {a: 1}", file="x").mistakes[0].message.startswith("merge keys")
    assert load_text("'<<': 1", file="x").data == {"<<": 1}


@pytest.mark.parametrize("key", ["1", "1.5", "true", "null", "[a]", "{a: b}", ""])
def test_a_key_that_is_not_text_is_a_mistake(key: str) -> None:
    document = load_text(f"? {key}\n: value\nb: 2\n", file="x")
    assert document.data == {"b": 2}
    assert [mistake.message for mistake in document.mistakes] == ["a key must be text"]


def test_depth_is_counted() -> None:
    assert load_text("[" * DEEPEST + "]" * DEEPEST, file="x").data
    with pytest.raises(SpecError, match="deeper than 40 levels"):
        load_text("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), file="x")


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\r\ntitle: y\r\n")
    document = load_file(path)
    assert document.data == {"name": "x", "title": "y"}
    assert document.keys[("name",)] == Place(1, 1)
    assert document.keys[("title",)] == Place(2, 1)


def test_a_reference_without_quotes_in_braces_gets_the_hint() -> None:
    with pytest.raises(SpecError) as caught:
        load_text("workload: {jobs: ${params.jobs}}\n", file="x")
    assert str(caught.value) == (
        "x:1:19: this is not valid YAML: did not find expected ',' or '}' "
        '(put quotes around a reference between braces: "${...}")'
    )


def test_a_mistake_without_a_place_of_its_own_has_that_of_what_holds_it() -> None:
    document = load_text("a:\n  b: [1, 2]\n", file="x")
    assert (document.mistake(("a", "b", 7, "c"), "m").line) == 2
    assert document.mistake(("a", "zz"), "m").column == 3
    assert document.mistake(("a", "b"), "m", at="key").column == 3
    assert document.mistake(("zz",), "m").line == 1


def test_what_is_no_file_is_said_plainly(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    for path, message in (
        (tmp_path, "this is a folder"),
        (missing, "cannot be read: No such file or directory"),
        (Path("/dev/zero"), "this is not a regular file"),
        (Path("a\0b"), "cannot be read: "),
        (Path("a" * 5000), "cannot be read: "),
    ):
        with pytest.raises(SpecError) as caught:
            load_file(path)
        (mistake,) = caught.value.mistakes
        assert mistake.message.startswith(message)
        assert (mistake.line, mistake.column) == (1, 1)
        assert set(mistake.file).isdisjoint(set(string.whitespace) - {" "} | {"\0"})
