"""
What one evidence table is, and one column of it.
"""

from __future__ import annotations

from dataclasses import dataclass

NEVER_NS = 7_258_118_400 * 10**9
"""
The beginning of the year 2200. No time in the evidence is later: for a wait without a time-out, the SDKs set a timer in
the year 9999, which does not fit into 64 bits.
"""


@dataclass(frozen=True)
class Free:
    """
    Why no invariant needs to name these changes of a column or a table (`harness.checkers.columns`); all changes if
    none is given. A change is `harmless` if what happened is told as truly as before: another name, other words.
    """

    reason: str
    changes: tuple[str, ...] = ()
    harmless: bool = False


@dataclass(frozen=True)
class Column:
    """
    One column: its name, its DuckDB type, and its meaning with its unit. `free` says which wrong values of it nobody
    names, and why.
    """

    name: str
    type: str
    meaning: str
    later: bool = False
    free: tuple[Free, ...] = ()
    least: int = 0
    most: int | None = None

    @property
    def nullable(self) -> bool:
        """
        Return whether a value may be NULL: in files of older versions, and where the meaning says so.
        """
        return self.later or "NULL" in self.meaning

    @property
    def range(self) -> tuple[int, int]:
        """
        Return the smallest and the largest number that the column can have. A time lies between 2001 and 2200.
        """
        if self.name.endswith("_ns"):
            return 10**18, NEVER_NS
        return self.least, (10**9 if self.type == "INTEGER" else 10**15) if self.most is None else self.most


@dataclass(frozen=True)
class Table:
    """
    One evidence table: its name, the meaning of one row, and its columns in order.
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    free: tuple[Free, ...] = ()

    @property
    def types(self) -> dict[str, str]:
        """
        Return column name -> DuckDB type, in the order of the columns.
        """
        return {column.name: column.type for column in self.columns}
