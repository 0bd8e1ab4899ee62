"""The parts of the screen that need no lab: the head, forms, results, what may be opened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from labctl.actions.base import Chosen, Fact, Form, Words
from labctl.actions.picture_cells import Cells
from labctl.spec.params import Param
from labctl.tui.screens.form import ActionForm
from labctl.tui.screens.jump import jump_keys
from labctl.tui.screens.lab_head import Part, head_line
from labctl.tui.screens.results import Results
from labctl.tui.works import pages
from tests.tui.flows import house
from tests.tui.picturing import text_of

__all__ = ["house"]

PARTS = [
    Part(0, "numbers: up"),
    Part(1, "run jobs..."),
    Part(3, "0.10 of 1.00 USD"),
    Part(2, "5 min"),
]


def test_the_head_drops_what_matters_least() -> None:
    assert head_line(PARTS, 200) == "numbers: up  run jobs...  0.10 of 1.00 USD  5 min"
    assert head_line(PARTS, 40) == "numbers: up  run jobs...  5 min"
    assert head_line(PARTS, 14) == "numbers: up"
    assert head_line(PARTS, 8) == "numbe..."


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8), st.integers(3, 200))
def test_the_head_is_never_wider_than_the_screen(texts: list[str], width: int) -> None:
    parts = [Part(rank, text) for rank, text in enumerate(["lab", *texts])]
    assert len(head_line(parts, width)) <= width


@given(st.lists(st.text(max_size=12), max_size=9))
def test_every_panel_has_a_key_of_its_own(headings: list[str]) -> None:
    assert set(jump_keys(headings).values()) == set(range(len(headings)))


def test_only_web_pages_may_be_opened() -> None:
    given = {
        "page": "http://127.0.0.1:80/x",
        "secure": "https://example.org",
        "script": "javascript:alert(1)",
        "file": "file:///etc/passwd",
        "bare": "http://",
        "split": "http://a\nb",
    }
    assert [name for name, _ in pages(given.items())] == ["page", "secure"]


class _Bare(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("bare")


FORM = Form(
    Words("name", "Names."),
    {
        "count": Param(type="integer", default=3, min=1, max=5, help="How many."),
        "ratio": Param(type="number", default=0.5),
        "loud": Param(type="boolean", default=False),
        "op": Param(type="choice", default="gray", choices=("bw", "gray")),
    },
)


async def test_a_form_gives_what_was_chosen_with_its_types() -> None:
    app, got = _Bare(), list[Chosen | None]()
    async with app.run_test(size=(80, 40)) as pilot:
        app.push_screen(ActionForm("[b]do[/b]", FORM), got.append)
        await pilot.press(*"one", "space", *"'two three'", "enter")
        await pilot.pause()
    words = ("one", "two three")
    assert got == [Chosen(words, {"count": 3, "ratio": 0.5, "loud": False, "op": "gray"})]


async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_done() -> None:
    app, got = _Bare(), list[Chosen | None]()
    async with app.run_test(size=(80, 40)) as pilot:
        app.push_screen(ActionForm("do", FORM), got.append)
        await pilot.press("a", "tab", "home", "shift+end", *"many", "enter")
        await pilot.pause()
        wrong = app.screen.query_one("#wrong-0", Static)
        assert wrong.display
        assert "is not a whole number" in str(wrong.render())
        assert got == []
        await pilot.press("home", "shift+end", "2", "tab", "tab")
        assert "no" in chosen_in(pilot)
        await pilot.press("space", "down", "enter")
        await pilot.pause()
        assert "yes" in chosen_in(pilot)  # in words, not by a colour
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert got == [Chosen(("a",), {"count": 2, "ratio": 0.5, "loud": True, "op": "gray"})]


def chosen_in(pilot: Pilot[None]) -> str:
    """Return the line of the field that has the focus, as it is drawn."""
    assert pilot.app.focused is not None
    return text_of(pilot).splitlines()[pilot.app.focused.region.y]


async def test_escape_gives_nothing() -> None:
    app, got = _Bare(), list[Chosen | None]()
    async with app.run_test() as pilot:
        app.push_screen(ActionForm("do", FORM, one_word=True), got.append)
        await pilot.press("escape")
        await pilot.pause()
    assert got == [None]


async def test_results_show_hostile_text_and_pictures_harmlessly() -> None:
    cell = ((255, 255, 255), (0, 0, 0))
    facts = [
        Fact(True, "\x1b]0;title\x07[red]fine[/red]\u202e", {}),
        Fact(False, "gone", {}, Cells(((cell, None), (cell, cell)), (2, 4))),
    ]
    app = _Bare()
    async with app.run_test(size=(60, 20)) as pilot:
        app.push_screen(Results("what", facts))
        await pilot.pause()
        texts = [str(each.render()) for each in app.screen.query(Static)]
        said = "\n".join(texts)
        assert "[red]fine[/red]" in said
        assert "FAILED  gone" in said
        assert "\u2580" in said
        assert "\x1b" not in said
        assert "\u202e" not in said
        await pilot.press("enter")
        await pilot.pause()
        assert not isinstance(app.screen, Results)
