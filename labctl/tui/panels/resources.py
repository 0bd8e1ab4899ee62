"""Panel `resources`: what the lab consists of, how it stands, and the chosen one's story."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import DataTable

from labctl.engine.vocabulary import kinds
from labctl.text import one_line
from labctl.tui.age import age
from labctl.tui.host import lab_of
from labctl.tui.keyed_table import Cells, KeyedTable
from labctl.tui.machine_view import MachineView
from labctl.tui.panels.base import Panel
from labctl.tui.steady_text import SteadyText
from labctl.tui.view import ResourceView, SessionView

_COLUMNS = (("resource", 18), ("kind", 19), ("state", 11), ("age", 12), ("USD/h", 6))


class ResourcesPanel(Panel):
    """A row a resource, the machines of a role below it; the chosen one's details at the foot."""

    panel = "resources"
    heading = "Resources"
    takes_keys = "DataTable"
    DEFAULT_CSS = """
    ResourcesPanel DataTable { height: 2fr; scrollbar-size-horizontal: 0; }
    ResourcesPanel VerticalScroll { height: 1fr; min-height: 4; border-top: solid $secondary; }
    ResourcesPanel #resources-said { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._view = SessionView()
        self._of_lab: dict[str, tuple[str, float]] = {}  # kind and price an hour

    def compose(self) -> ComposeResult:
        """Lay out the table and the details."""
        yield SteadyText(id="resources-said")
        yield KeyedTable(_COLUMNS, id="resources-table", details="#resources-story")
        with VerticalScroll(id="resources-story", can_focus=False):
            yield SteadyText(id="resources-details")

    def on_mount(self) -> None:
        """Look up what the lab's resources cost."""
        super().on_mount()
        lab = lab_of(self)
        for name, model in lab.resources.items() if lab else ():
            price = kinds()[model.kind].price_per_hour_usd(model)
            self._of_lab[name] = (model.kind, price)

    def show(self, view: SessionView, now: float) -> None:
        """Draw the table and the details."""
        self._view = view
        said = self.query_one("#resources-said", SteadyText)
        said.display = not any(each.state == "up" for each in view.resources.values())
        if said.display:
            busy = f"{view.phase}..." if view.phase else ""
            said.put(busy or "Nothing stands yet: u brings the lab up.")
        self.query_one(KeyedTable).fill(dict(self._rows(now)))
        self._draw_details()

    def _rows(self, now: float) -> Iterator[tuple[str, Cells]]:
        names = dict.fromkeys((*self._of_lab, *self._view.resources))
        for name in names:
            kind, price = self._of_lab.get(name, ("", 0.0))
            view = self._view.resources.get(name) or ResourceView(name, kind, state="not there")
            old = age(now - view.since) if view.since and _stands(view) else "-"
            cells = (name, view.kind or kind, view.state, old, f"{price:.3f}" if price else "-")
            style = "bold" if view.state == "failed" else ""
            yield name, tuple(Text(one_line(cell, limit=60), style) for cell in cells)
            for machine in self._machines(name):
                place = f"{machine.address}:{machine.port}"
                row = (f"  {machine.name}", place, machine.state, "", "")
                yield f"machine/{machine.name}", tuple(Text(_indented(cell)) for cell in row)

    def _machines(self, role: str) -> list[MachineView]:
        machines = self._view.machines.values()
        return [each for each in machines if each.name.rpartition(".")[0] == role]

    @on(DataTable.RowHighlighted, "#resources-table")
    def _chosen(self) -> None:
        self._draw_details()

    def _draw_details(self) -> None:
        chosen = self.query_one(KeyedTable).chosen
        name = (
            chosen.removeprefix("machine/").rpartition(".")[0]
            if chosen.startswith("machine/")
            else chosen
        )
        text = Text("\n").join(Text(line) for line in self._details(name))
        self.query_one("#resources-details", SteadyText).put(text)

    def _details(self, name: str) -> Iterator[str]:
        view = self._view.resources.get(name)
        if view is None:
            yield one_line(f"{name} is not there yet" if name else "")
            return
        yield one_line(f"{view.physical_name or name}  {view.id}", limit=300)
        members = [f"{each.name} {each.id}" for each in self._machines(name)]
        if view.members or members:
            count = view.members or len(members)
            how_many = "1 machine" if count == 1 else f"{count} machines"
            yield one_line(f"{how_many}: {', '.join(members)}" if members else how_many)
        for at, line in reversed(view.recent):
            yield f"{time.strftime('%H:%M:%S', time.localtime(at))} {one_line(line, limit=300)}"


def _stands(view: ResourceView) -> bool:
    return view.state not in ("planned", "deleted", "not there", "failed")


def _indented(cell: str) -> str:
    return f"  {one_line(cell, limit=60)}" if cell.startswith(" ") else one_line(cell, limit=60)
