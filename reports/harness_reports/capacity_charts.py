"""
The charts of a capacity, as inline SVG: throughput against latency, and starts against throughput.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.capacity.result import Capacity, Curve, RateStep
from harness.capacity.series import in_order
from harness.errors import Exit
from harness.model import Result
from harness_reports import scale, words
from harness_reports.chart import Key
from harness_reports.scale import Axis

HEIGHT = 260
_TOP = 14
_COLOURS = {False: "blue", True: "fault"}
_MOST_TICKS = 7


@dataclass(frozen=True)
class Tick:
    """
    A value on an axis: where it lies (across in per cent, down in pixels), and its label.
    """

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """
    From one point to the next one.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    dash: str


@dataclass(frozen=True)
class Dot:
    """
    One run: where it lies, and what the pointer reads there.
    """

    x: float
    y: float
    colour: str
    saturated: bool
    told: str


@dataclass(frozen=True)
class Drawing:
    """
    One chart. `knees` are lines across it.
    """

    name: str
    title: str
    caption: str
    across: str
    keys: tuple[Key, ...]
    xticks: tuple[Tick, ...]
    yticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    knees: tuple[tuple[float, str, str], ...]


def named(curve: Curve) -> str:
    """
    `with faults` or `without faults`.
    """
    return "with faults" if curve.faults else "without faults"


def told(step: RateStep) -> str:
    """
    The verdict of a run in half a line: what it is, and what it violates.
    """
    accepted = " (its gate allows it)" if step.result is Result.VIOLATED and step.code != Exit.VIOLATED else ""
    return step.result.value + (f" {', '.join(step.violated)}" if step.violated else "") + accepted


def rate(number: float | None) -> str:
    """
    Return a rate with its unit: `41.3/s`.
    """
    return "not told how many" if number is None else f"{number:.1f}/s"


def drawings(capacity: Capacity) -> Iterator[Drawing]:
    """
    Return the charts; none if no run has anything to draw.
    """
    measured = [
        (curve, [step for step in in_order(curve) if step.measured.throughput is not None]) for curve in capacity.curves
    ]
    steps = [step for _, of in measured for step in of]
    if not steps:
        return
    yield _latency(measured, steps)
    yield _throughput(measured, steps)


_Drawn = list[tuple[Curve, list[RateStep]]]


def _latency(measured: _Drawn, steps: list[RateStep]) -> Drawing:
    times = [
        each
        for step in steps
        if step.measured.end is not None
        for each in (step.measured.end.p50, step.measured.end.p99)
        if each
    ] or [1.0]
    across = scale.around([0.0, *(step.measured.throughput or 0.0 for step in steps)])
    across = Axis(0.0, across.high)
    down = scale.around(times, logarithmic=True)
    lines: list[Line] = []
    dots: list[Dot] = []
    for curve, of in measured:
        for name, dash in (("p50", ""), ("p99", "5 4")):
            points = [
                (step, step.measured.throughput or 0.0, value, f"{name} {words.took(value)}")
                for step in of
                if step.measured.end is not None and (value := getattr(step.measured.end, name))
            ]
            drawn = _points(curve, points, across, down)
            dots += drawn
            lines += _joined(drawn, dash)
    return Drawing(
        name="latency",
        title="Throughput against latency",
        caption="From when a start was due until its instance ended; one dot is one run, joined by growing rates. "
        "Hollow: the system did not keep up. The axis of time is logarithmic. A percentile that nobody reached has no "
        "dot.",
        across="instances ended per second",
        keys=tuple(
            Key(f"{name} {named(curve)}", _COLOURS[curve.faults], stroke)
            for curve, of in measured
            if of
            for name, stroke in (("p50", "solid"), ("p99", "dashed"))
        ),
        xticks=_across(across),
        yticks=tuple(Tick(_down(each, down), words.took(each)) for each in _ticks(down)),
        lines=tuple(lines),
        dots=tuple(dots),
        knees=tuple(
            (across.place(curve.knee.throughput), _COLOURS[curve.faults], f"knee: {curve.knee.throughput:.1f}/s")
            for curve, _ in measured
            if curve.knee is not None
        ),
    )


def _throughput(measured: _Drawn, steps: list[RateStep]) -> Drawing:
    high = max(max(step.measured.offered or 0.0, step.measured.throughput or 0.0) for step in steps) or 1.0
    both = Axis(0.0, scale.around([0.0, high]).high)
    lines = [Line(0.0, _down(0.0, both), 100.0, _down(both.high, both), "muted", "2 4")]
    dots: list[Dot] = []
    for curve, of in measured:
        points = [
            (step, step.measured.offered or 0.0, step.measured.throughput or 0.0, f"{rate(step.measured.offered)} due")
            for step in of
        ]
        drawn = _points(curve, points, both, both)
        dots += drawn
        lines += _joined(drawn, "")
    return Drawing(
        name="throughput",
        title="Starts against throughput",
        caption="On the dotted line every start that is due has an end. The knee is where a curve leaves it.",
        across="starts that were due per second",
        keys=tuple(Key(named(curve), _COLOURS[curve.faults], "solid") for curve, of in measured if of),
        xticks=_across(both),
        yticks=tuple(Tick(_down(each, both), f"{each:g}/s") for each in _ticks(both) if each),
        lines=tuple(lines),
        dots=tuple(dots),
        knees=tuple(
            (both.place(_offered(curve)), _COLOURS[curve.faults], f"knee: {curve.knee.rate:g} starts/s")
            for curve, _ in measured
            if curve.knee is not None
        ),
    )


def _offered(curve: Curve) -> float:
    return next(
        step.measured.offered or step.rate
        for step in curve.steps
        if curve.knee is not None and step.rate == curve.knee.rate
    )


def _points(curve: Curve, points: Iterable[tuple[RateStep, float, float, str]], across: Axis, down: Axis) -> list[Dot]:
    """
    Return a dot for each (run, value across, value up, what is told besides).
    """
    return [
        Dot(
            x=across.place(x),
            y=_down(y, down),
            colour=_COLOURS[curve.faults],
            saturated=bool(step.saturated),
            told=f"{named(curve)}, {step.rate:g} starts/s: {rate(step.measured.throughput)} ended; {also}; "
            f"{told(step)}",
        )
        for step, x, y, also in points
    ]


def _joined(dots: list[Dot], dash: str) -> list[Line]:
    return [Line(one.x, one.y, other.x, other.y, one.colour, dash) for one, other in itertools.pairwise(dots)]


def _down(value: float, axis: Axis) -> float:
    """
    Return how many pixels down a value lies.
    """
    return round(_TOP + (HEIGHT - _TOP) * (1 - axis.place(value) / 100), 1)


def _across(axis: Axis) -> tuple[Tick, ...]:
    return tuple(Tick(axis.place(each), f"{each:g}") for each in _ticks(axis))


def _ticks(axis: Axis) -> list[float]:
    """
    Return round values on an axis, seven at most.
    """
    if axis.logarithmic:
        powers = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
        every = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        found = [each for each in every if axis.low <= each <= axis.high]
        return found if len(found) <= _MOST_TICKS else [each for each in found if f"{each:e}"[0] == "1"]
    steps = (digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5))
    step = next(each for each in steps if (axis.high - axis.low) / each <= _MOST_TICKS)
    first, last = math.ceil(axis.low / step), math.floor(axis.high / step)
    return [number * step for number in range(first, last + 1)]
