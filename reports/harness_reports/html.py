"""
The HTML report: one file that works offline and loads nothing.

Everything that comes from outside is escaped, and only the two scripts that are inserted here can run
(`harness_reports.page`).
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from harness.checkers.database import Row, UnansweredError
from harness.checkers.gate import Decision
from harness.files import write_whole
from harness.model import Plan, Result, Verdict
from harness.rundir import RunDir
from harness_reports import acceptance, beside, charts, costs, latencies, page, palette, series, stories, words
from harness_reports.evidence import Evidence, open_evidence
from harness_reports.series import Missing, Series
from harness_reports.stories import Limits

MOST_BYTES = 2_000_000
"""No report is larger. The first of LIMITS with which it fits is taken."""

LIMITS = (Limits(10, 60, 12, 80), Limits(3, 20, 6, 60), Limits(1, 8, 2, 40), Limits(0, 0, 0, 0))
_MOST_FAULTS = 200

_LIBRARY = files("bokeh").joinpath("server/static/js/bokeh.min.js")
"""BokehJS without widgets and tables. Not by bokeh.resources, which the environment can send to a network."""


@dataclass(frozen=True)
class Phase:
    """
    One phase of the run. `length` is in seconds, None if the run ended in the middle of it.
    """

    name: str
    length: float | None


def write(plan: Plan, verdict: Verdict, run: Path, decision: Decision, base: RunDir | None = None) -> Path:
    """
    Write `run/report.html` from a verdict and the evidence in `run/evidence`, beside the figures of the run `base` if
    one is given. Return its path. Raises EvidenceError if the base was not judged by this version.
    """
    folder = RunDir(run)
    base_beside = None if base is None else beside.read(folder, base)
    with open_evidence(folder.evidence) as evidence:
        summed = series.read(evidence, plan, verdict)
        text = _template(plan, verdict, folder, decision, summed, tuple(_phases(evidence)), _versions(plan, evidence))
        for limits in LIMITS:
            told = text(beside=base_beside, cases=stories.of(evidence, plan, verdict, summed.axis.origin_ns, limits))
            if len(told.encode()) <= MOST_BYTES:
                break
    file = run / "report.html"
    write_whole(file, told)
    return file


def _template(
    plan: Plan,
    verdict: Verdict,
    run: RunDir,
    decision: Decision,
    summed: Series,
    phases: tuple[Phase, ...],
    versions: Mapping[str, str],
) -> Callable[..., str]:
    """
    Return what makes the page of its `cases`.
    """
    drawing = charts.draw(summed, verdict.faults)
    selftest = run.load_selftest()
    script = page.TEMPLATES.joinpath("report.js").read_text(encoding="utf-8")
    library = _LIBRARY.read_text(encoding="utf-8")
    return partial(
        page.environment().get_template("report.html.j2").render,
        plan=plan,
        verdict=verdict,
        decision=decision,
        accepted=acceptance.of(plan, verdict, decision, selftest),
        phases=phases,
        faults=verdict.faults[:_MOST_FAULTS],
        stall=run.load_stall(),
        selftest=selftest,
        backend=run.backend,
        drawing=drawing,
        figures=_figures(summed),
        models={chart.name: chart.model for chart in drawing.charts if chart.model is not None},
        palette=palette,
        style=page.style(),
        script=script,
        library=library,
        policy=page.policy(script, library),
        versions=versions,
        words=words,
        costs=costs,
        latencies=latencies,
        Result=Result,
        zip=zip,
    )


def _phases(evidence: Evidence) -> Iterator[Phase]:
    try:
        rows: list[Row] = evidence.rows(
            "SELECT phase, (ended_ns - started_ns) / 1e9 AS length FROM phases ORDER BY started_ns"
        )
    except UnansweredError:
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


def _versions(plan: Plan, evidence: Evidence) -> Mapping[str, str]:
    """
    Return the versions of what ran and of what drew the report. The application's SDK is what its worker calls itself.
    """
    try:
        rows: list[Row] = evidence.rows(
            "SELECT DISTINCT sdk FROM deliveries WHERE sdk IS NOT NULL ORDER BY sdk LIMIT 5"
        )
    except UnansweredError:
        rows = []
    return {
        "Dapr": plan.dapr_version,
        **({"application's worker, by its own words": ", ".join(row["sdk"] for row in rows)} if rows else {}),
        "harness": metadata.version("durable-workflow-harness"),
        "Python": platform.python_version(),
        "DuckDB": metadata.version("duckdb"),
        "Bokeh": metadata.version("bokeh"),
    }
