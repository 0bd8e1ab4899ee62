"""Panel `machines`: where each machine is, what runs on it, its load and its last words."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable

from labctl.text import one_line
from labctl.tui.age import age
from labctl.tui.host import lab_of, shell_of
from labctl.tui.keyed_table import Cells, KeyedTable
from labctl.tui.machine_view import MachineView
from labctl.tui.panels.base import Panel
from labctl.tui.steady_text import SteadyText
from labctl.tui.view import SessionView

_COLUMNS = (
    ("machine", 12),
    ("state", 7),
    ("address", 18),
    ("CPU", 5),
    ("memory", 7),
    ("heard", 6),
    ("services", 60),
)
_MIB = 2**20


class MachinesPanel(Panel):
    """A row a machine; the log of the chosen one's agents at the foot."""

    panel = "machines"
    heading = "Machines"
    takes_keys = "DataTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "shell", "Shell", tooltip="A shell on the machine; its end leads back here"),
    ]
    DEFAULT_CSS = """
    MachinesPanel DataTable { height: 1fr; min-height: 3; scrollbar-size-horizontal: 0; }
    MachinesPanel VerticalScroll { height: 2fr; border-top: solid $secondary; }
    MachinesPanel #machines-said { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._view = SessionView()

    def compose(self) -> ComposeResult:
        """Lay out the table and the log."""
        yield SteadyText(id="machines-said")
        yield KeyedTable(_COLUMNS, id="machines-table", details="#machines-log")
        with VerticalScroll(id="machines-log", can_focus=False):
            yield SteadyText(id="machines-lines")

    def on_mount(self) -> None:
        """Keep the end of the log in sight, until someone scrolls."""
        super().on_mount()
        self.query_one("#machines-log", VerticalScroll).anchor()

    def show(self, view: SessionView, now: float) -> None:
        """Draw the machines and the chosen one's log."""
        self._view = view
        said = self.query_one("#machines-said", SteadyText)
        said.display = not view.machines
        if said.display:
            said.put(self._why_none())
        rows = {each.name: _cells(each, now) for each in view.machines.values()}
        self.query_one(KeyedTable).fill(rows)
        self._draw_log()

    def action_shell(self) -> None:
        """Open a shell on the chosen machine."""
        chosen, open_shell = self.query_one(KeyedTable).chosen, shell_of(self)
        if chosen and open_shell is not None:
            open_shell(chosen)

    def _why_none(self) -> str:
        lab = lab_of(self)
        if (
            lab is not None
            and not lab.hosts
            and not any(model.kind == "ec2.instance" for model in lab.resources.values())
        ):
            return "This lab has no machines."
        if self._view.phase:
            return f"No machine is known yet: {one_line(self._view.phase)} goes on."
        return "No machine is up: u brings the lab up."

    @on(DataTable.RowHighlighted, "#machines-table")
    def _chosen(self) -> None:
        self._draw_log()

    def _draw_log(self) -> None:
        machine = self._view.machines.get(self.query_one(KeyedTable).chosen)
        text = Text("\n").join(Text(line) for line in _log(machine)) if machine else Text("")
        self.query_one("#machines-lines", SteadyText).put(text)


def _cells(machine: MachineView, now: float) -> Cells:
    services = [
        name if state == "active" else f"{state} {name}" for name, state in machine.agents.items()
    ]
    cpu = machine.cpu_percent
    cells = (
        machine.name,
        machine.state,
        f"{machine.address}:{machine.port}" if machine.address else "-",
        f"{cpu:.0f} %" if cpu is not None else "-",
        f"{machine.memory_bytes / _MIB:.0f} MiB" if machine.memory_bytes else "-",
        _heard(machine, now),
        ", ".join(services) or "-",
    )
    failing = machine.state == "silent" or any(" " in service for service in services)
    return tuple(Text(one_line(cell, limit=80), "bold" if failing else "") for cell in cells)


def _heard(machine: MachineView, now: float) -> str:
    if not machine.heard:
        return "never"
    return age(now - machine.heard)


def _log(machine: MachineView) -> list[str]:
    lines = [one_line(line, limit=500) for line in machine.log]
    if machine.why:
        lines.append(f"It does not answer: {one_line(machine.why, limit=300)}")
    return lines or ["Its log is empty, or was not read yet."]
