"""
The command that tests the judge on the evidence of a run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from harness.cli.console import err, out
from harness.cli.options import Out, RunName
from harness.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.model import Cell
    from harness.rundir import RunDir


def selftest(
    name: RunName,
    runs: Out = Path("runs"),
    *,
    columns: Annotated[
        bool,
        typer.Option("--columns", help="change every column of every table, and show what names it; takes minutes"),
    ] = False,
) -> None:
    """
    Plant defects in copies of a run's evidence, and check that the invariants that name them catch them.

    Harmless changes are made there, too. No invariant may report them as a violation.
    """
    from harness import rundir

    folder = rundir.find(runs, name)
    raise typer.Exit(_columns(folder) if columns else _defects(folder))


def _columns(folder: RunDir) -> Exit:
    from rich.progress import track

    from harness.checkers import columns

    made = list(columns.changes(folder.evidence))
    tried = columns.tried(folder.load_plan(), folder.evidence, folder.invariants, made)
    cells = list(track(tried, "changing", total=len(made), console=err, transient=True, disable=not err.is_terminal))
    out.print(_matrix(cells))
    without = [cell for cell in cells if cell.named is None and cell.free is None]
    reasons: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.free is not None:
            reasons[cell.free].append(cell)
    for reason, free in reasons.items():
        out.print(f"free: {_told(free)}: {reason}")
    for cell in without:
        out.print(f"free without a reason: {_told([cell])}")
    named = sum(cell.named is not None for cell in cells)
    out.print(
        f"{len(cells)} changes: {named} named ({named / max(1, len(cells)):.1%}), "
        f"{len(cells) - named - len(without)} free with a reason, {len(without)} free without"
    )
    return Exit.UNKNOWN if not cells else Exit.VIOLATED if without else Exit.HOLDS


def _matrix(cells: Sequence[Cell]) -> Table:
    """
    Return a table with a row for each column of the evidence: what names most of its changes, and how many are free.
    """
    table = Table("table", "column", "changes", "free", "named by", box=None)
    rows: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        rows[cell.table or "all", cell.column].append(cell)
    for (of, column), changed in rows.items():
        named = Counter(cell.named for cell in changed if cell.named is not None)
        free = len(changed) - named.total()
        by = ", ".join(f"{who} {count}" for who, count in named.most_common())
        table.add_row(of, column, str(len(changed)), str(free) if free else "", by)
    return table


def _told(cells: Sequence[Cell]) -> str:
    """
    Return which changes these are, those of one column together.
    """
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for cell in cells:
        found[f"{cell.table or 'all'}.{cell.column}"][f"{cell.change}{f' ({cell.kind})' if cell.kind else ''}"] = None
    return "; ".join(f"{where} {', '.join(which)}" for where, which in found.items())


def _defects(folder: RunDir) -> Exit:
    from rich.progress import track

    from harness.checkers.defects import DEFECTS, HARMLESS
    from harness.checkers.selftest import tried
    from harness.model import SelfTest

    plan = folder.load_plan()
    result = SelfTest(
        defects=tuple(
            track(
                tried(plan, folder.evidence),
                "planting",
                total=len(DEFECTS) + len(HARMLESS),
                console=err,
                transient=True,
                disable=not err.is_terminal,
            )
        )
    )
    folder.save_selftest(result)
    table = Table("", "defect", "table", "invariants that name it", box=None)
    for one in result.defects:
        mark = "-" if not one.planted else "✓" if one.caught == one.expected else "✗"
        missed = [f"{name} (missed)" if one.planted and name not in one.caught else name for name in one.expected]
        if one.harmless:
            missed = [f"{name} (false alarm)" for name in one.caught] or ["harmless: none"]
        table.add_row(
            mark, one.defect, one.table, ", ".join(missed) if one.planted else "no row of this run to plant it in"
        )
    out.print(table)
    out.print(
        f"{len(result.caught)} of {len(result.planted)} planted defects were caught by every invariant that names them"
    )
    out.print(f"{len(result.alarms)} of {len(result.harmless)} harmless changes raised an alarm")
    sound = result.caught == result.planted and not result.alarms
    return Exit.UNKNOWN if not result.planted else Exit.HOLDS if sound else Exit.VIOLATED
