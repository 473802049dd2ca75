"""
The HTML report: one file that works offline and loads nothing.

Everything that comes from outside is escaped, and only the two scripts that are inserted here can run
(`harness_reports.page`).
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.checkers.gate import Decision
from harness.model import Finding, Plan, Result, Verdict, Witness
from harness.rundir import RunDir
from harness_reports import charts, page, palette, series, timeline, words
from harness_reports.evidence import Evidence, MissingError, Row, open_evidence
from harness_reports.series import Missing, Series
from harness_reports.timeline import Timeline

_MOST_WITNESSES = 10
_MOST_TIMELINES = 40

_LIBRARY = files("bokeh").joinpath("server/static/js/bokeh.min.js")
"""BokehJS without widgets and tables. Not by bokeh.resources, which the environment can send to a network."""


@dataclass(frozen=True)
class Shown:
    """
    One witness on the page: its number, its row as text, and the timeline of its instance. If an earlier witness
    already shows this timeline, `same_as` is the number of that witness.
    """

    number: int
    witness: Witness
    row: Mapping[str, str]
    timeline: Timeline | None
    same_as: int | None


@dataclass(frozen=True)
class Case:
    """
    One invariant that did not hold, with as many of its witnesses as are shown.
    """

    number: int
    finding: Finding
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Phase:
    """
    One phase of the run. `length` is in seconds, None if the run ended in the middle of it.
    """

    name: str
    length: float | None


def write(plan: Plan, verdict: Verdict, run: Path, decision: Decision) -> Path:
    """
    Write `run/report.html` from a verdict and the evidence in `run/evidence`. Return its path.
    """
    with open_evidence(run / "evidence") as evidence:
        summed = series.read(evidence, plan, verdict)
        cases = tuple(_cases(evidence, verdict, summed.axis.origin_ns))
        phases = tuple(_phases(evidence))
    drawing = charts.draw(summed, verdict.faults)
    script = page.TEMPLATES.joinpath("report.js").read_text(encoding="utf-8")
    library = _LIBRARY.read_text(encoding="utf-8")
    text = (
        page.environment()
        .get_template("report.html.j2")
        .render(
            plan=plan,
            verdict=verdict,
            decision=decision,
            cases=cases,
            phases=phases,
            stall=RunDir(run).load_stall(),
            selftest=RunDir(run).load_selftest(),
            backend=RunDir(run).backend,
            drawing=drawing,
            figures=_figures(summed),
            models={chart.name: chart.model for chart in drawing.charts if chart.model is not None},
            palette=palette,
            style=page.style(),
            script=script,
            library=library,
            policy=page.policy(script, library),
            versions=_versions(plan),
            words=words,
            Result=Result,
            zip=zip,
        )
    )
    file = run / "report.html"
    file.write_text(text, encoding="utf-8")
    return file


def _cases(evidence: Evidence, verdict: Verdict, origin_ns: int) -> Iterator[Case]:
    """
    Return the invariants that do not hold, the violated ones first. A timeline is shown with the first witness of its
    instance.
    """
    broken = [finding for finding in words.findings(verdict) if finding.result is not Result.HOLDS]
    named = dict.fromkeys(
        witness.instance_id
        for finding in broken
        for witness in finding.witnesses[:_MOST_WITNESSES]
        if witness.instance_id is not None
    )
    timelines = timeline.read(evidence, list(named)[:_MOST_TIMELINES], origin_ns, verdict.faults)
    numbers: dict[str | None, int] = {}
    count = 0
    for number, finding in enumerate(broken, start=1):
        shown = []
        for witness in finding.witnesses[:_MOST_WITNESSES]:
            count += 1
            same_as = numbers.get(witness.instance_id)
            of_instance = timelines.get(witness.instance_id or "") if same_as is None else None
            if of_instance is not None:
                numbers[witness.instance_id] = count
            shown.append(Shown(count, witness, _row(witness, origin_ns), of_instance, same_as))
        yield Case(number, finding, tuple(shown))


def _row(witness: Witness, origin_ns: int) -> dict[str, str]:
    """
    Return the row of a witness as text. Times are also shown as seconds after the load began.
    """
    told = {}
    for column, value in witness.row.items():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        if column.endswith("_ns") and isinstance(value, int):
            text = f"{words.at((value - origin_ns) / 1e9)} ({value})"
        told[column] = words.NOTHING if value is None else text
    return told


def _phases(evidence: Evidence) -> Iterator[Phase]:
    try:
        rows: list[Row] = evidence.rows(
            "SELECT phase, (ended_ns - started_ns) / 1e9 AS length FROM phases ORDER BY started_ns"
        )
    except MissingError:
        return
    for row in rows:
        yield Phase(row["phase"], row["length"])


def _figures(summed: Series) -> Mapping[str, tuple[str, ...]]:
    """
    Return the numbers from which the charts are drawn, column by column, as text.
    """
    columns: dict[str, tuple[str, ...]] = {"from, s": tuple(f"{left:,.0f}" for left in summed.axis.lefts)}
    for title, lines in (("starts", summed.starts), ("ended", summed.ended), ("", summed.in_flight)):
        if not isinstance(lines, Missing):
            for name, values in lines.items():
                columns[f"{title} {name}".strip()] = tuple(f"{value or 0:,.0f}" for value in values)
    if not isinstance(summed.latency, Missing):
        for name, values in summed.latency.items():
            columns[f"latency {name}"] = tuple(map(words.took, values))
    return columns


def _versions(plan: Plan) -> dict[str, Any]:
    """
    Return the versions of what ran and of what drew the report.
    """
    return {
        "Dapr": plan.dapr_version,
        "harness": metadata.version("durable-workflow-harness"),
        "Python": platform.python_version(),
        "DuckDB": metadata.version("duckdb"),
        "Bokeh": metadata.version("bokeh"),
    }
