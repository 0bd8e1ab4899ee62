"""Panel `checks`: what a student must make true, beside the lab's instructions."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll

from labctl.errors import LabctlError
from labctl.text import harmless, one_line
from labctl.tui.age import ago
from labctl.tui.background import in_background
from labctl.tui.host import lab_of
from labctl.tui.instructions import Instructions, prepare
from labctl.tui.panels.base import Panel
from labctl.tui.steady_text import SteadyText
from labctl.tui.view import CheckView, SessionView

_LONGEST_README = 100_000
_STATES = {True: "holds", False: "FAILS", None: "skipped"}
_SIDE_BY_SIDE = 90  # columns from which both fit beside each other


class ChecksPanel(Panel):
    """Each check with its state, and why it fails; the instructions scroll."""

    panel = "checks"
    heading = "Checks"
    takes_keys = "#checks-readme"
    DEFAULT_CSS = """
    ChecksPanel #checks-parts { layout: vertical; }
    ChecksPanel #checks-list { height: auto; max-height: 40%; }
    ChecksPanel #checks-readme { height: 1fr; border-top: solid $secondary; }
    ChecksPanel .-beside#checks-parts { layout: horizontal; }
    ChecksPanel .-beside #checks-list { width: 2fr; height: 1fr; max-height: 100%; }
    ChecksPanel .-beside #checks-readme {
        width: 3fr; height: 1fr; border-top: none; border-left: solid $secondary;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._instructed = False

    def compose(self) -> ComposeResult:
        """Lay out the checks and the instructions."""
        with Container(id="checks-parts"):
            with VerticalScroll(id="checks-list", can_focus=False):
                yield SteadyText(id="checks-lines")
            with VerticalScroll(id="checks-readme"):
                yield Instructions(id="checks-text")

    def on_resize(self) -> None:
        """Put both beside each other where there is room."""
        self.query_one("#checks-parts").set_class(self.size.width >= _SIDE_BY_SIDE, "-beside")

    def show(self, view: SessionView, now: float) -> None:
        """Draw the checks, and the instructions once the panel is seen at all."""
        if not self._instructed:
            self._instructed = True
            in_background(self, self._read, self._instruct, name="instructions")
        text = Text("\n").join(self._lines(view, now))
        self.query_one("#checks-lines", SteadyText).put(text)

    def _read(self) -> str:
        prepare()
        lab = lab_of(self)
        readme = lab.path.with_name("README.md") if lab else None
        if readme is None or not readme.exists():
            return "This lab has no instructions (no `README.md` beside its lab file)."
        with readme.open(encoding="utf-8", errors="replace") as file:
            return harmless(file.read(_LONGEST_README), limit=_LONGEST_README)

    def _instruct(self, text: str | LabctlError) -> None:
        said = text if isinstance(text, str) else f"The instructions cannot be read: {text}"
        self.query_one("#checks-text", Instructions).put(said)

    def _lines(self, view: SessionView, now: float) -> Iterator[Text]:
        lab = lab_of(self)
        said = {check.id: check.say for check in lab.checks} if lab else {}
        said |= {name: check.say for name, check in view.checks.items() if name not in said}
        if not said:
            yield Text("This lab has no checks.")
            return
        if view.phase == "checks":
            yield Text("checking...")
        elif not view.checks:
            yield Text("Not run yet: c runs the checks.")
        for name, say in said.items():
            yield from _check(name, say, view.checks.get(name), now)


def _check(name: str, say: str, check: CheckView | None, now: float) -> Iterator[Text]:
    state = "not run" if check is None else _STATES[check.ok]
    line = Text(f"{state:8}", "bold" if state == "FAILS" else "")
    line.append(f"{one_line(name, limit=40)}: {one_line(say)}", "")
    line.append(f" ({ago(now - check.at)})" if check else "", "dim")
    yield line
    if check is not None and not check.ok:
        yield Text(f"        {one_line(check.why, limit=400)}", "bold")
