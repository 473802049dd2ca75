"""
Runs over time: on the terminal, as JSON, and as one HTML file that works offline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.comparing.history import History, Point, Step, Track, Trend
from harness.comparing.measures import Unit
from harness.model import Result
from harness_reports import amounts, page, palette, scale, words

DATA = "history.json"
PAGE = "history.html"

_HEIGHT = 108
_TOP = 16
_COLOURS = ("blue", "violet", "amber", "grey")
"""One for each Dapr release, in the order in which they came; then again from the first."""
_MOST_NOTE = 300


@dataclass(frozen=True)
class Dot:
    """
    One run: where it lies (across in per cent, down in pixels), and what the pointer reads there.
    """

    x: float
    y: float
    colour: str
    violated: bool
    told: str


@dataclass(frozen=True)
class Level:
    """
    The mean between two change points: from where to where, and at which height.
    """

    left: float
    right: float
    y: float


@dataclass(frozen=True)
class Mark:
    """
    A line across: where, and its label.
    """

    x: float
    label: str
    colour: str


@dataclass(frozen=True)
class Drawing:
    """
    One measure over the runs of a track.
    """

    title: str
    told: str
    low: str
    high: str
    dots: tuple[Dot, ...]
    levels: tuple[Level, ...]
    steps: tuple[Mark, ...]


def write(history: History, folder: Path) -> Path:
    """
    Write `folder/history.json` and `folder/history.html`, each completely or not at all. Return the page.
    """
    return page.write(folder, (DATA, history), (PAGE, _html(history)))


def terminal(history: History, file: Path) -> RenderableType:
    """
    Return the tracks for a terminal, with the path of the page.
    """
    return Group(
        *(part for track in history.tracks for part in _track(track)),
        *amounts.unusable(history.unusable),
        Text(),
        Text(words.printable(str(file)), style="bold"),
    )


def day(point: Point) -> str:
    """
    Return when a run began, to the minute, UTC.
    """
    if point.began_ns is None:
        return words.NOTHING
    return f"{datetime.fromtimestamp(point.began_ns / 1e9, UTC):%Y-%m-%d %H:%M}"


def changed(step: Step, unit: Unit) -> str:
    """
    Return a change in words: `+35 %, 83 ms to 112 ms`.
    """
    if step.before <= 0 or unit is Unit.COUNT:
        return f"{amounts.value(step.before, unit)} to {amounts.value(step.after, unit)}"
    part = amounts.part(step.after / step.before - 1)
    return f"{part}, {amounts.value(step.before, unit)} to {amounts.value(step.after, unit)}"


def _track(track: Track) -> Iterator[RenderableType]:
    yield Text()
    yield Text.assemble((words.printable(track.scenario), "bold"), f": {_span(track)}")
    if track.apart:
        yield Text(f"apart from the others: {words.shortened('; '.join(track.apart), _MOST_NOTE)}", style="dim")
    if track.left_out:
        yield Text(f"left out: {words.count(len(track.left_out), 'run')}, UNKNOWN or interrupted", style="dim")
    for each in track.releases:
        share = f"{100 * each.low:.0f} % to {100 * each.high:.0f} %"
        yield Text(
            f"Dapr {words.printable(each.dapr_version)}: {each.violated} of {words.count(each.runs, 'run')} violated "
            f"(95 % interval: {share})"
        )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("measure", "now", "changes"):
        table.add_column(name)
    for trend in track.trends:
        if trend.segments:
            steps = Text("\n").join(
                Text(
                    f"{changed(step, trend.unit)}, since {words.printable(track.points[step.first].run)}",
                    style="green" if step.is_better else "red",
                )
                for step in trend.steps
            )
            table.add_row(words.printable(trend.title), amounts.value(trend.segments[-1].mean, trend.unit), steps)
    yield table


def _span(track: Track) -> str:
    runs = words.count(len(track.points), "run")
    return f"{runs}, {day(track.points[0])} to {day(track.points[-1])}" if track.points else runs


def _html(history: History) -> str:
    return (
        page.environment()
        .get_template("history.html.j2")
        .render(
            tracks=[
                (track, _releases(track), [_drawing(track, trend) for trend in track.trends if trend.segments])
                for track in history.tracks
            ],
            history=history,
            height=_HEIGHT,
            span=_span,
            day=day,
            changed=changed,
            palette=palette,
            style=page.style("measures.css"),
            policy=page.policy(),
            words=words,
        )
    )


def _colours(track: Track) -> dict[str, str]:
    return {each.dapr_version: _COLOURS[number % len(_COLOURS)] for number, each in enumerate(track.releases)}


def _releases(track: Track) -> list[Mark]:
    """
    Return where another Dapr release begins.
    """
    colours, marks = _colours(track), []
    before = None
    for number, point in enumerate(track.points):
        if point.dapr_version != before:
            before = point.dapr_version
            marks.append(Mark(_left(number, track), f"Dapr {before}", colours[before]))
    return marks


def _drawing(track: Track, trend: Trend) -> Drawing:
    known = [value for value in trend.values if value is not None]
    axis = scale.around(known, logarithmic=trend.unit is not Unit.COUNT)
    colours = _colours(track)

    def down(value: float) -> float:
        return round(_TOP + (_HEIGHT - _TOP) * (1 - axis.place(value) / 100), 1)

    return Drawing(
        title=trend.title,
        told=amounts.value(trend.segments[-1].mean, trend.unit),
        low=amounts.value(min(known), trend.unit),
        high=amounts.value(max(known), trend.unit),
        dots=tuple(
            Dot(
                x=_middle(number, track),
                y=down(value),
                colour=colours[point.dapr_version],
                violated=point.result is Result.VIOLATED,
                told=f"{_named(point)}: {amounts.value(value, trend.unit)}",
            )
            for number, (point, value) in enumerate(zip(track.points, trend.values, strict=True))
            if value is not None
        ),
        levels=tuple(
            Level(_left(each.first, track), _left(each.end, track), down(each.mean)) for each in trend.segments
        ),
        steps=tuple(
            Mark(
                _left(step.first, track),
                changed(step, trend.unit).partition(",")[0],
                "holds" if step.is_better else "violated",
            )
            for step in trend.steps
        ),
    )


def _named(point: Point) -> str:
    return f"{point.run}, Dapr {point.dapr_version}, {point.result.value}"


def _left(number: int, track: Track) -> float:
    return round(100 * number / len(track.points), 2)


def _middle(number: int, track: Track) -> float:
    return round(100 * (number + 0.5) / len(track.points), 2)
