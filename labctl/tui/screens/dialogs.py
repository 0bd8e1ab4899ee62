"""Asks and tells on the app, not on a screen: that may be left before the answer comes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from labctl.actions.base import Chosen, Form
from labctl.tui.screens.choose import Choice, Choose
from labctl.tui.screens.confirm import Confirm
from labctl.tui.screens.form import ActionForm

if TYPE_CHECKING:
    from labctl.tui.app import LabctlApp

_Given = TypeVar("_Given")


class Dialogs(ABC):
    """Each way to ask goes on only with an answer; each way to tell returns at once."""

    @property
    @abstractmethod
    def _app(self) -> LabctlApp: ...

    def _choose(self, title: str, choices: Sequence[Choice], go: Callable[[str], None]) -> None:
        self._app.push_screen(Choose(title, choices), _unless_none(go))

    def _fill(
        self, title: str, form: Form, go: Callable[[Chosen], None], *, one_word: bool = False
    ) -> None:
        self._app.push_screen(ActionForm(title, form, one_word=one_word), _unless_none(go))

    def _confirm(self, question: str, names: Sequence[str], go: Callable[[], object]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                go()

        self._app.push_screen(Confirm(question, names), answered)

    def _tell(self, said: object) -> None:
        self._say(str(said))

    def _say(self, message: str, *, ok: bool = True) -> None:
        self._app.tell(message, severity="information" if ok else "error")

    def _warn(self, message: str) -> None:
        self._app.tell(message, severity="warning")


def _unless_none(go: Callable[[_Given], None]) -> Callable[[_Given | None], None]:
    """Return what takes a dialog's answer and does nothing for none."""

    def taken(answer: _Given | None) -> None:
        if answer is not None:
            go(answer)

    return taken
