"""References read, write, escape and resolve without ever taking one text for another."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labctl.spec.fields import StrictModel
from labctl.spec.references import (
    Reference,
    escaped,
    read_text,
    references_in,
    resolve,
    write_text,
)

# Made of what could be confused: dollars, braces and pieces of names.
LITERALS = st.text(alphabet="$${}{}ab.-_1 \n", max_size=12)
REFERENCES = st.builds(
    Reference,
    st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,5}", fullmatch=True),
)
PIECES = st.lists(LITERALS | REFERENCES, max_size=8)


def merged(pieces: list[str | Reference]) -> list[str | Reference]:
    result: list[str | Reference] = []
    for piece in pieces:
        if isinstance(piece, str) and result and isinstance(result[-1], str):
            result[-1] += piece
        else:
            result.append(piece)
    return [piece for piece in result if piece != ""]


@given(PIECES)
def test_what_is_written_is_read(pieces: list[str | Reference]) -> None:
    assert read_text(write_text(pieces)) == merged(pieces)


@given(LITERALS)
def test_an_escaped_text_stands_for_itself(text: str) -> None:
    assert read_text(escaped(text)) == ([text] if text else [])
    assert resolve(escaped(text), lambda scope, attribute: pytest.fail("looked up")) == text


@given(PIECES)
@example(["$\n", Reference("a", "b")])
def test_resolving_replaces_references_and_nothing_else(pieces: list[str | Reference]) -> None:
    expected = "".join(
        piece if isinstance(piece, str) else f"<{piece.scope}|{piece.attribute}>"
        for piece in pieces
    )
    text = write_text(pieces)
    assert resolve(text, lambda scope, attribute: f"<{scope}|{attribute}>") == expected


@given(PIECES, st.text(alphabet="${}a.b", max_size=8))
def test_what_a_reference_stands_for_is_not_read_again(
    pieces: list[str | Reference], value: str
) -> None:
    expected = "".join(piece if isinstance(piece, str) else value for piece in pieces)
    assert resolve(write_text(pieces), lambda scope, attribute: value) == expected


@given(st.text(max_size=60) | st.text(alphabet="${}ab.-", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        pieces = read_text(text)
    except ValueError:
        return
    assert read_text(write_text(pieces)) == pieces


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("${a.b}", [Reference("a", "b")]),
        ("$${a.b}", ["${a.b}"]),
        ("$$${a.b}", ["$", Reference("a", "b")]),
        ("$$$${a.b}", ["$${a.b}"]),
        ("$5 and $a", ["$5 and $a"]),
        ("$$", ["$$"]),
        ("x${a.b}y${c.d}", ["x", Reference("a", "b"), "y", Reference("c", "d")]),
        ("{a.b}", ["{a.b}"]),
    ],
)
def test_dollars_before_a_brace_count_in_pairs(text: str, pieces: list[str | Reference]) -> None:
    assert read_text(text) == pieces


@pytest.mark.parametrize(
    "text", ["${", "${}", "${a}", "${a.}", "${.b}", "${ a.b }", "${A.b}", "${a.b.c}", "x ${a.b"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^\$\{"):
        read_text(text)


class Inner(StrictModel):
    text: str
    number: int = 3


class Outer(StrictModel):
    inner: Inner
    items: tuple[str, ...]
    texts: list[str]
    pairs: dict[str, str]
    nothing: str | None = None


def test_resolving_goes_through_models_and_leaves_the_original() -> None:
    model = Outer(
        inner=Inner(text="${a.b}"),
        items=("${a.c}", "x"),
        texts=["$${"],
        pairs={"k": "${a.d}!"},
    )
    values = {"b": "B", "c": ["1", "2"], "d": True}
    resolved = resolve(model, lambda scope, attribute: values[attribute])
    assert resolved == Outer(
        inner=Inner(text="B"), items=("1,2", "x"), texts=["${"], pairs={"k": "true!"}
    )
    assert model.inner.text == "${a.b}"
    assert [(route, str(found)) for route, found in references_in(model)] == [
        (("inner", "text"), "${a.b}"),
        (("items", 0), "${a.c}"),
        (("pairs", "k"), "${a.d}"),
    ]
