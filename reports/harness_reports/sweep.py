"""
A sweep: its matrix of point x fault on the terminal, as JSON, and as one HTML file that works offline.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.model import Point, Result
from harness.sweep import FAULTS, Cell, Judged, Matrix, Outcome
from harness_reports import page, palette, words

DATA = "sweep.json"
PAGE = "sweep.html"

_MARKS = {Outcome.HOLDS: "✓", Outcome.VIOLATED: "✗", Outcome.UNKNOWN: "?", Outcome.NOT_EXERCISED: "○"}
_STYLES = {
    Outcome.HOLDS: "green",
    Outcome.VIOLATED: "red",
    Outcome.UNKNOWN: "yellow",
    Outcome.NOT_EXERCISED: "yellow",
}
_MOST_REASON = 150
_UNSEEN = "not seen"


def write(matrix: Matrix, folder: Path) -> None:
    """
    Write `folder/sweep.json` and `folder/sweep.html`, each completely or not at all.
    """
    page.write(folder, (DATA, matrix), (PAGE, _html(matrix)))


def _html(matrix: Matrix) -> str:
    return (
        page.environment()
        .get_template("sweep.html.j2")
        .render(
            matrix=matrix,
            overall=_overall(matrix),
            rows={activity: dict(points) for activity, points in _rows(matrix)},
            faults=FAULTS,
            others=_others(matrix),
            palette=palette,
            style=page.style(),
            policy=page.policy(),
            words=words,
        )
    )


def _overall(matrix: Matrix) -> Result:
    """
    Return the worst result of the cells. Cells that were not run or not exercised count as UNKNOWN.
    """
    found = {told.outcome for told in matrix.judged}
    if Outcome.VIOLATED in found:
        return Result.VIOLATED
    return Result.HOLDS if found == {Outcome.HOLDS} and len(matrix.judged) == len(matrix.cells) else Result.UNKNOWN


def _rows(matrix: Matrix) -> Iterator[tuple[str, list[tuple[str, list[Judged | None]]]]]:
    """
    Return the rows of the matrix: activity by activity, its points, each with the results of its cells; none of a point
    that nobody sees.
    """
    seen = dict.fromkeys((cell.activity, cell.point) for cell in matrix.cells)
    there = {*seen, *((each.activity, each.point) for each in matrix.unseen)}
    for activity in dict.fromkeys(activity for activity, _ in seen):
        yield (
            activity,
            [
                (
                    point,
                    [matrix.of(Cell(activity=activity, point=point, fault=fault)) for fault in FAULTS]
                    if (activity, point) in seen
                    else [],
                )
                for point in get_args(Point)
                if (activity, point) in there
            ],
        )


def _others(matrix: Matrix) -> list[Judged]:
    """
    Return the results that are not HOLDS, the violated first.
    """
    order = list(Outcome)
    others = (told for told in matrix.judged if told.outcome is not Outcome.HOLDS)
    return sorted(others, key=lambda told: (order.index(told.outcome), matrix.cells.index(told.cell)))


def in_brief(told: Judged) -> str:
    """
    Return the result of a cell in one line.
    """
    where = f" on {told.node}" if told.node else ""
    why = "" if told.outcome is Outcome.HOLDS else f": {words.shortened(_why(told), _MOST_REASON)}"
    return f"{told.outcome.value}  {told.cell}{where}, {words.took(told.took)}{why}"


def terminal(matrix: Matrix, folder: Path) -> RenderableType:
    """
    Return the matrix for one screen, with the results that are not HOLDS below it, and the path of the whole report.
    """
    table = Table("activity", *FAULTS, box=None, padding=(0, 2, 0, 0))
    for activity, points in _rows(matrix):
        table.add_row(Text(activity, style="bold"))
        for point, cells in points:
            table.add_row(f"  {point}", *(map(_told, cells) if cells else (Text(_UNSEEN, style="dim") for _ in FAULTS)))
    return Group(
        Text(),
        Text(f"{matrix.workflow} of {matrix.target}, seed {matrix.seed}, Dapr {matrix.dapr_version}"),
        Text(),
        table,
        Text(),
        *(Text(f"{_MARKS[told.outcome]} {in_brief(told)}", style=_STYLES[told.outcome]) for told in _others(matrix)),
        *(
            Text(words.printable(f"{_UNSEEN}: {each.point} of {each.activity}: {each.why}"), style="dim")
            for each in matrix.unseen
        ),
        Text(words.counts(matrix.counts())),
        Text(words.printable(str(folder / PAGE)), style="bold"),
    )


def _told(told: Judged | None) -> Text:
    if told is None:
        return Text(words.NOTHING, style="dim")
    return Text(f"{_MARKS[told.outcome]} {told.outcome.value}", style=_STYLES[told.outcome], no_wrap=True)


def _why(told: Judged) -> str:
    return ", ".join(told.violated) or "; ".join(told.reasons)
