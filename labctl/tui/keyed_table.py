"""A table whose rows have keys: drawn again and again, it changes only what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable
from textual.widgets.data_table import RowKey

Cells = tuple[Text, ...]


class KeyedTable(DataTable[Text]):
    """Columns have fixed widths: measuring every cell is what makes a table slow.

    `details` is the selector of what tells of the chosen row and scrolls beside the table.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+up", "scroll_details(-1)", "Details up", show=False),
        Binding("shift+down", "scroll_details(1)", "Details down", show=False),
    ]

    def __init__(self, columns: Sequence[tuple[str, int]], *, id: str, details: str = "") -> None:
        super().__init__(id=id, cursor_type="row")
        self._wanted_columns, self._details = columns, details
        self._shown: dict[str, Cells] = {}

    def on_mount(self) -> None:
        """Make the columns."""
        for label, width in self._wanted_columns:
            self.add_column(label, width=width, key=label)

    @property
    def chosen(self) -> str:
        """The key of the row under the cursor; empty without rows."""
        keys = list(self._shown)
        return keys[self.cursor_row] if self.cursor_row < len(keys) else ""

    def fill(self, rows: Mapping[str, Cells]) -> None:
        """Show these rows; the cursor stays on its row, or at the top when it was there."""
        if list(rows) == list(self._shown):
            self._mend(rows)
        else:
            chosen = self.chosen if self.cursor_row else ""
            self.clear()
            for key, cells in rows.items():
                self.add_row(*cells, key=key)
            if chosen in rows:
                self.move_cursor(row=self.get_row_index(chosen))
        self._shown = dict(rows)

    def action_scroll_details(self, lines: int) -> None:
        """Scroll what tells of the chosen row."""
        if self._details:
            self.screen.query_one(self._details).scroll_relative(y=lines, animate=False)

    def _update_dimensions(self, new_rows: Iterable[RowKey]) -> None:
        # Textual measures every cell of a new row even where widths are fixed, for nothing: with
        # some hundred rows that alone is longer than a key may wait.
        super()._update_dimensions(())

    def _mend(self, rows: Mapping[str, Cells]) -> None:
        for key, cells in rows.items():
            pairs = zip(self._wanted_columns, cells, self._shown[key], strict=True)
            for (column, _), cell, before in pairs:
                if cell != before or cell.style != before.style:
                    self.update_cell(key, column, cell)
