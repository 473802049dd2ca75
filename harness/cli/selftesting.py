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
from harness.errors import Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.model import Cell, Plan, SelfTest
    from harness.rundir import RunDir


def selftest(
    name: RunName,
    runs: Out = Path("runs"),
    *,
    columns: Annotated[
        bool,
        typer.Option("--columns", help="change every column of every table, and show what names it; takes minutes"),
    ] = False,
    invariants: Annotated[
        Path | None, typer.Option(metavar="DIR", help="try a folder of your own invariants, and nothing else")
    ] = None,
) -> None:
    """
    Plant defects in copies of a run's evidence, and check that the invariants that name them catch them.

    Harmless changes are made there, too. No invariant may report them as a violation.
    """
    from harness import rundir
    from harness.checkers import invariant

    folder = rundir.find(runs, name)
    plan = folder.load_plan()
    drafts = None if invariants is None else invariant.load_own(invariants, (), plan.target.defects)
    raise typer.Exit(_columns(folder, plan, drafts) if columns else _defects(folder, plan, drafts))


def _columns(folder: RunDir, plan: Plan, drafts: Mapping[str, str] | None) -> Exit:
    from rich.progress import track

    from harness.checkers import columns, invariant

    made = list(columns.changes(folder.evidence))
    if drafts is None:
        of_target = invariant.load(folder.invariants) if folder.invariants.is_dir() else {}
        tried = columns.tried(plan, folder.evidence, invariant.load(invariant.GENERAL) | of_target, made)
    else:
        tried = columns.tried(plan, folder.evidence, drafts, made)
    cells = list(track(tried, "changing", total=len(made), console=err, transient=True, disable=not err.is_terminal))
    out.print(_matrix(cells))
    if drafts is not None:
        seen = Counter(cell.named for cell in cells if cell.named is not None)
        for draft in drafts:
            out.print(f"{draft} names {seen[draft]} of {len(cells)} changes")
        return Exit.HOLDS if all(seen[draft] for draft in drafts) else Exit.UNKNOWN
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
    telling = len(cells) - sum(cell.harmless for cell in cells)
    out.print(
        f"{len(cells)} changes: {named} named, {len(cells) - named - len(without)} free with a reason, "
        f"{len(without)} free without"
    )
    out.print(f"{telling} of them contradict what happened; {named / max(1, telling):.1%} of these are named")
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


def _defects(folder: RunDir, plan: Plan, drafts: Mapping[str, str] | None) -> Exit:
    from rich.progress import track

    from harness.checkers.defects import DEFECTS, HARMLESS
    from harness.checkers.selftest import tried
    from harness.model import SelfTest

    made = track(
        tried(plan, folder.evidence, drafts),
        "planting",
        total=len(DEFECTS) + len(HARMLESS),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    try:
        result = SelfTest(defects=tuple(made))
    except ValueError as error:
        raise UsageError(str(error)) from error
    if drafts is None:
        folder.save_selftest(result)
    table = Table("", "defect", "table", "invariants that name it", box=None)
    for one in result.defects:
        if drafts is not None and not one.harmless and not one.expected:
            continue  # none of the drafts speaks of it
        mark = "-" if not one.planted else "✓" if one.caught == one.expected else "✗"
        missed = [f"{name} (missed)" if one.planted and name not in one.caught else name for name in one.expected]
        if one.harmless:
            missed = [f"{name} (false alarm)" for name in one.caught] or ["harmless: none"]
        table.add_row(
            mark, one.defect, one.table, ", ".join(missed) if one.planted else "no row of this run to plant it in"
        )
    out.print(table)
    untried = [] if drafts is None else list(_untried(folder, plan, drafts, result))
    for sentence in untried:
        out.print(sentence)
    out.print(
        f"{len(result.caught)} of {len(result.planted)} planted defects were caught by every invariant that names them"
    )
    out.print(f"{len(result.alarms)} of {len(result.harmless)} harmless changes raised an alarm")
    sound = result.caught == result.planted and not result.alarms
    if not sound:
        return Exit.VIOLATED
    return Exit.HOLDS if result.planted and not untried else Exit.UNKNOWN


def _untried(folder: RunDir, plan: Plan, drafts: Mapping[str, str], result: SelfTest) -> Iterator[str]:
    """
    Return a sentence for each invariant that caught nothing because nothing was planted for it, or it cannot be told.
    """
    from harness.checkers import invariant
    from harness.checkers.selftest import unanswered

    reasons = unanswered(plan, folder.evidence, drafts)
    for name, text in drafts.items():
        if name in reasons:
            yield f"{name} cannot be told: {reasons[name]}"
        elif not any(name in one.expected and one.planted for one in result.defects):
            made = [defect for defect in invariant.parse(text).catches if defect in plan.target.defects]
            way = f"run the target with --defect {made[0]}" if made else "give it `plants`, or `catches`"
            yield f"{name}: nothing was planted for it, so nothing shows that it can fail; {way}"
