"""Asks for what an action takes: a form made from the action's own `Form`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from labctl.actions.base import Chosen, Form, Words
from labctl.spec.params import Param, Scalar, read_setting
from labctl.text import one_line

_WORDS = "words"


class ActionForm(ModalScreen[Chosen]):
    """Gives what was chosen, or None; what is wrong is told beside its field.

    With `one_word` the typed line is one word as it stands and may be empty; without it the line
    is split as a shell would and must not be empty.
    """

    CSS_PATH = "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Cancel"),
        Binding("ctrl+s", "go", "Go", priority=True),
    ]

    def __init__(self, title: str, form: Form, *, one_word: bool = False) -> None:
        super().__init__()
        self._title, self._form, self._one_word = title, form, one_word

    def compose(self) -> ComposeResult:
        """Lay out a field for the words, one for each option, and the buttons."""
        with Vertical(classes="dialog"):
            yield Static(one_line(self._title), classes="question", markup=False)
            with VerticalScroll(can_focus=False):
                if self._form.words is not None:
                    yield from _words_field(self._form.words)
                for index, (name, param) in enumerate(self._form.options.items()):
                    yield from _field(index, name, param)
            with Horizontal(classes="buttons"):
                yield Button("Go (Enter)", id="go", variant="primary", compact=True)
                yield Button("Cancel (esc)", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Put the keyboard into the first field."""
        fields = list(self.query("Input, Select"))
        (fields[0] if fields else self.query_one("#go")).focus()

    @on(Button.Pressed, "#go")
    @on(Input.Submitted)
    def action_go(self) -> None:
        """Read every field; with nothing wrong, that is the answer."""
        words = self._read_words()
        options = {
            name: self._read(index, param)
            for index, (name, param) in enumerate(self._form.options.items())
        }
        read = {name: value for name, value in options.items() if value is not None}
        if words is not None and len(read) == len(options):
            self.dismiss(Chosen(words, read))

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Do nothing."""
        self.dismiss(None)

    def _read_words(self) -> tuple[str, ...] | None:
        words = self._form.words
        if words is None:
            return ()
        typed = self.query_one(f"#field-{_WORDS}", Input).value
        if self._one_word:
            return (typed,) if typed.strip() else ()
        try:
            split = shlex.split(typed)
        except ValueError as error:
            self._wrong(_WORDS, str(error))
            return None
        self._wrong(_WORDS, "" if split else f"at least one {words.name}")
        if words.files:
            split = [str(Path(word).expanduser()) for word in split]
        return tuple(split) or None

    def _read(self, index: int, param: Param) -> Scalar | None:
        field = self.query_one(f"#field-{index}")
        if isinstance(field, Select):
            return _choices(param)[str(field.value)]
        assert isinstance(field, Input), "a form has no other fields"
        try:
            value = read_setting(param, field.value)
        except ValueError as error:
            self._wrong(str(index), str(error))
            field.focus()
            return None
        self._wrong(str(index), "")
        return value

    def _wrong(self, field: str, why: str) -> None:
        told = self.query_one(f"#wrong-{field}", Static)
        told.update(one_line(why))
        told.display = bool(why)


def _words_field(words: Words) -> Iterator[Widget]:
    yield from _label(words.name, words.help)
    kind = "paths, with a space between" if words.files else words.name
    yield Input(placeholder=one_line(kind), id=f"field-{_WORDS}", compact=True)
    yield _complaint(_WORDS)


def _field(index: int, name: str, param: Param) -> Iterator[Widget]:
    yield from _label(name, param.help)
    choices = _choices(param)
    if choices:
        options = [(one_line(said), said) for said in choices]
        chosen = next(said for said, value in choices.items() if value == param.default)
        yield Select(options, value=chosen, allow_blank=False, id=f"field-{index}", compact=True)
    else:
        yield Input(value=str(param.default), id=f"field-{index}", compact=True)
    yield _complaint(str(index))


def _choices(param: Param) -> dict[str, Scalar]:
    """Return what can be chosen, by how it is said; a switch would say it by colour alone."""
    if param.type == "boolean":
        return {"no": False, "yes": True}
    return {str(each): each for each in param.choices or ()}


def _label(name: str, help: str) -> Iterator[Widget]:
    text = f"{name}: {help}" if help else name
    yield Static(one_line(text), classes="field-label", markup=False)


def _complaint(field: str) -> Static:
    told = Static("", id=f"wrong-{field}", classes="wrong", markup=False)
    told.display = False
    return told
