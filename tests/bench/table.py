"""
What a section of the bench measured, as it is shown and saved.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table as Drawn


class Table(NamedTuple):
    """
    Rows of text under columns; `figures` are the same as numbers, name -> value with its unit in the name
    (`judge_1m_s`); `notes` say what is missing, or missed a goal, and by how much.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: dict[str, Any]
    notes: tuple[str, ...] = ()

    def show(self, console: Console) -> None:
        drawn = Drawn(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            drawn.add_column(column, justify="left" if number == 0 else "right")
        for row in self.rows:
            drawn.add_row(*row)
        console.print(drawn)
        for note in self.notes:
            console.print(f"  {note}")
