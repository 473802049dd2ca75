"""
The capacity of a system: runs at growing rates, on the terminal, as JSON, and as one HTML file that works offline.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.capacity.measure import FULL
from harness.capacity.result import Capacity, Curve, RateStep
from harness.capacity.series import in_order
from harness.errors import Exit
from harness.model import Result
from harness_reports import capacity_charts, page, palette, words
from harness_reports.capacity_charts import named, rate, told

DATA = "capacity.json"
PAGE = "capacity.html"

_STYLES = {Result.HOLDS: "green", Result.VIOLATED: "red", Result.UNKNOWN: "yellow"}
_MOST_NOTE = 300
_MOST_OTHERS = 25.0
"""Percent of one core."""


def write(capacity: Capacity, folder: Path) -> Path:
    """
    Write `folder/capacity.json` and `folder/capacity.html`, each completely or not at all. Return the page.
    """
    return page.write(folder, (DATA, capacity), (PAGE, _html(capacity)))


def in_brief(curve: Curve) -> str:
    """
    The newest run of a curve in one line.
    """
    step = curve.steps[-1]
    of = step.measured
    end = "" if of.end is None else f", p50 {_time(of.end.p50)}, p99 {_time(of.end.p99)}"
    why = f"; {'; '.join(step.saturated)}" if step.saturated else ""
    return f"{named(curve)}, {step.rate:g} starts/s: {rate(of.throughput)} ended{end}, {told(step)}{why}"


def sentences(curve: Curve) -> Iterator[str]:
    """
    What a curve shows, in sentences.
    """
    if curve.knee is not None:
        yield f"Knee at {curve.knee.rate:g} starts/s, where {curve.knee.throughput:.1f} instances/s ended."
    elif curve.steps:
        few = "" if curve.saturated is None else "; more of them may show one (--step, --refine)"
        yield f"These runs have no knee{few}."
    if curve.saturated is None and curve.kept_up is not None:
        yield f"The system kept up with every rate, up to {curve.kept_up:g} starts/s: its capacity is higher."
    elif curve.saturated is not None:
        kept_up = "no rate" if curve.kept_up is None else f"{curve.kept_up:g} starts/s"
        yield f"The system kept up with {kept_up}, and not with {curve.saturated:g} starts/s."
        yield f"What was full at {curve.saturated:g} starts/s: {curve.exhausted}."
    others = max((step.measured.machine.others_percent for step in curve.steps if step.measured.machine), default=0.0)
    if others >= _MOST_OTHERS:
        yield (
            f"Others used the machine, too: up to {others:.0f} % of one core was not of a run, so this is the capacity "
            "of what was left over."
        )
    violated = [f"{step.rate:g} starts/s" for step in in_order(curve) if step.code == Exit.VIOLATED]
    if violated:
        yield f"VIOLATED at {', '.join(violated)}: see the reports of these runs."
    if curve.ended:
        yield f"No more runs, because {curve.ended}."


def terminal(capacity: Capacity, folder: Path) -> RenderableType:
    """
    Return the runs for one screen, with what they show, and the path of the whole report.
    """
    return Group(
        Text(),
        Text(
            words.printable(
                f"{capacity.scenario} on {capacity.target}, {capacity.store}, seed {capacity.seed}, Dapr "
                f"{capacity.dapr_version}; {capacity.duration:g} s of load a run"
            ),
            style="bold",
        ),
        *(part for curve in capacity.curves if curve.steps for part in _curve(curve)),
        Text(),
        Text(words.printable(str(folder / PAGE)), style="bold"),
    )


def _curve(curve: Curve) -> Iterator[RenderableType]:
    yield Text()
    table = Table(title=named(curve), title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for name in ("starts/s", "ended/s", "p50", "p99", "machine", "verdict"):
        table.add_column(name, justify="left" if name == "verdict" else "right")
    for step in in_order(curve):
        of = step.measured
        at_knee = curve.knee is not None and curve.knee.rate == step.rate
        table.add_row(
            Text(f"{step.rate:g}" + (" <- knee" if at_knee else ""), style="bold" if at_knee else ""),
            Text(_digits(of.throughput), style="yellow" if step.saturated else ""),
            "-" if of.end is None else _time(of.end.p50),
            "-" if of.end is None else _time(of.end.p99),
            _machine(step),
            Text(words.shortened(told(step), 60), style=_STYLES[step.result]),
        )
    yield table
    for sentence in sentences(curve):
        yield Text(words.shortened(sentence, _MOST_NOTE))


def _machine(step: RateStep) -> str:
    """
    How busy all cores of the machine were together.
    """
    machine = step.measured.machine
    return words.NOTHING if machine is None else f"{machine.cpu_percent / machine.cores:.0f} %"


def _html(capacity: Capacity) -> str:
    return (
        page.environment()
        .get_template("capacity.html.j2")
        .render(
            capacity=capacity,
            curves=[(curve, list(sentences(curve)), in_order(curve)) for curve in capacity.curves if curve.steps],
            drawings=list(capacity_charts.drawings(capacity)),
            height=capacity_charts.HEIGHT,
            named=named,
            told=told,
            time=_time,
            digits=_digits,
            full=FULL,
            palette=palette,
            style=page.style("measures.css"),
            policy=page.policy(),
            words=words,
        )
    )


def _time(seconds: float | None) -> str:
    return "never" if seconds is None else words.took(seconds)


def _digits(number: float | None) -> str:
    return words.NOTHING if number is None else f"{number:.1f}"
