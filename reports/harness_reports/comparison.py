"""
A comparison of two sets of runs: on the terminal, as JSON, and as one HTML file that works offline.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.comparing.measures import Scale
from harness.comparing.result import Change, Compared, Comparison, Measured, Side
from harness.model import Result
from harness_reports import amounts, page, palette, scale, words
from harness_reports.scale import Axis

DATA = "comparison.json"
PAGE = "comparison.html"

_STYLES = {Change.WORSE: "red", Change.BETTER: "green", Change.NO_DIFFERENCE: "", Change.NOT_ENOUGH: "yellow"}
_TONES = {
    Change.WORSE: Result.VIOLATED,
    Change.BETTER: Result.HOLDS,
    Change.NO_DIFFERENCE: Result.HOLDS,
    Change.NOT_ENOUGH: Result.UNKNOWN,
}
_LEAST_RATIO = math.log(1.3)
_MOST_RATIO = math.log(10)
_MOST_NAMED = 3
_MOST_NOTE = 300


@dataclass(frozen=True)
class Forest:
    """
    One row of the forest plot, in per cent of its width: the interval, its middle, and the margin around no difference.
    `low_end` and `high_end`: what the ends of the axis are. `beyond`: the interval goes on beyond the axis.
    """

    low: float
    middle: float
    high: float
    margin_low: float
    margin_high: float
    low_end: str
    high_end: str
    beyond: tuple[bool, bool]


@dataclass(frozen=True)
class Dots:
    """
    The runs of one side of a measure, in per cent of the width, and their mean with its interval.
    """

    name: str
    dots: tuple[tuple[float, str], ...]
    middle: float | None
    low: float | None
    high: float | None
    told: str


def write(comparison: Comparison, folder: Path) -> Path:
    """
    Write `folder/comparison.json` and `folder/comparison.html`, each completely or not at all. Return the page.
    """
    return page.write(folder, (DATA, comparison), (PAGE, _html(comparison)))


def headline(comparison: Comparison) -> str:
    """
    Return the comparison in a sentence: what is worse, and by how much; else what is better; else what is not told.
    """
    found = comparison.of(comparison.change)
    match comparison.change:
        case Change.WORSE | Change.BETTER:
            return f"{_named(found, comparison)}."
        case Change.NO_DIFFERENCE:
            open_ = len(comparison.of(Change.NOT_ENOUGH))
            rest = f"; the runs are not enough for {words.count(open_, 'other')}" if open_ else ""
            return f"No difference that matters in {words.count(len(found), 'measure')}{rest}."
        case Change.NOT_ENOUGH:
            return "These runs are not enough to tell anything."


def _named(found: list[tuple[str, Measured]], comparison: Comparison) -> str:
    several = len(comparison.scenarios) > 1
    told = [
        f"{each.title} {amounts.effect(each)}" + (f" in {scenario}" if several else "")
        for scenario, each in found[:_MOST_NAMED]
    ]
    more = len(found) - len(told)
    return "; ".join(told) + (f"; and {words.count(more, 'other')}" if more else "")


def terminal(comparison: Comparison, file: Path) -> RenderableType:
    """
    Return the comparison for a terminal, with the path of the page.
    """
    return Group(
        *(part for told in comparison.scenarios for part in _scenario(told)),
        *(Text(f"left out: {name} has runs only in the base") for name in comparison.only_base),
        *(Text(f"left out: {name} has runs only in the candidate") for name in comparison.only_candidate),
        *amounts.unusable(comparison.unusable),
        Text(),
        Text.assemble(
            (f"{comparison.change.value.capitalize()}: ", f"bold {_STYLES[comparison.change]}".strip()),
            headline(comparison),
        ),
        Text(words.printable(str(file)), style="bold"),
    )


def _scenario(told: Compared) -> Iterator[RenderableType]:
    yield Text()
    counts = f"{words.count(len(told.base.used), 'run')} of the base, {len(told.candidate.used)} of the candidate"
    yield Text.assemble((words.printable(told.scenario), "bold"), f": {counts}")
    for note in told.notes:
        yield Text(words.shortened(note, _MOST_NOTE), style="dim")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("measure", "base", "candidate", "difference (95 %)", ""):
        table.add_column(name, no_wrap=name != "measure", min_width=14 if name == "measure" else None)
    for each in told.measures:
        table.add_row(
            words.printable(each.title),
            amounts.value(each.base.mean, each.unit),
            amounts.value(each.candidate.mean, each.unit),
            amounts.effect(each),
            Text(f"{amounts.MARKS[each.change]} {each.change.value}", style=_STYLES[each.change]),
        )
    yield table


def _html(comparison: Comparison) -> str:
    return (
        page.environment()
        .get_template("comparison.html.j2")
        .render(
            comparison=comparison,
            tone=_TONES[comparison.change],
            headline=headline(comparison),
            scenarios=[(told, list(_rows(told))) for told in comparison.scenarios],
            amounts=amounts,
            tones=_TONES,
            palette=palette,
            style=page.style("measures.css"),
            policy=page.policy(),
            words=words,
        )
    )


def _rows(told: Compared) -> Iterator[tuple[Measured, Forest | None, tuple[Dots, ...]]]:
    """
    Return each measure with its row of the forest plot and its runs. All ratios have one axis.
    """
    ends = [_log(end) for each in told.measures if each.scale is Scale.RATIO for end in (each.low, each.high)]
    ratios = scale.symmetric([end for end in ends if end is not None], least=_LEAST_RATIO, most=_MOST_RATIO)
    for each in told.measures:
        yield each, _forest(each, ratios), _dots(each)


def _forest(told: Measured, ratios: Axis) -> Forest | None:
    if told.effect is None or told.low is None or told.high is None:
        return None
    if told.scale is Scale.RATIO:
        axis = ratios
        low, middle, high, margin = (math.log1p(each) for each in (told.low, told.effect, told.high, told.margin))
        ends = (math.expm1(axis.low), math.expm1(axis.high))
    else:
        low, middle, high, margin = told.low, told.effect, told.high, told.margin
        axis = scale.symmetric([low, high], least=2 * margin or 1.0, most=math.inf)
        ends = (axis.low, axis.high)
    return Forest(
        low=axis.place(low),
        middle=axis.place(middle),
        high=axis.place(high),
        margin_low=axis.place(-margin),
        margin_high=axis.place(margin),
        low_end=amounts.difference(ends[0], told),
        high_end=amounts.difference(ends[1], told),
        beyond=(not axis.holds(low), not axis.holds(high)),
    )


def _dots(told: Measured) -> tuple[Dots, ...]:
    every = [value for side in (told.base, told.candidate) for value in side.values]
    if not every:
        return ()
    axis = scale.around(every, logarithmic=told.scale is Scale.RATIO)
    return tuple(_side(name, side, told, axis) for name, side in (("base", told.base), ("candidate", told.candidate)))


def _side(name: str, side: Side, told: Measured, axis: Axis) -> Dots:
    def place(value: float | None) -> float | None:
        return None if value is None else axis.place(value)

    return Dots(
        name=name,
        dots=tuple((axis.place(value), amounts.value(value, told.unit)) for value in side.values),
        middle=place(side.mean),
        low=place(side.low),
        high=place(side.high),
        told=amounts.value(side.mean, told.unit),
    )


def _log(ratio: float | None) -> float | None:
    return None if ratio is None else math.log1p(ratio)
