"""
What happened when: DuckDB sums up the evidence of a run over time, into a bounded number of values for any run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from harness.checkers.database import Parameters, Row, UnansweredError
from harness.model import Plan, Target, Verdict
from harness_reports.evidence import Evidence

_MOST_BINS = 400
_MOST_LINES = 12
_OTHERS = "all others"
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Missing:
    """
    What cannot be drawn, and why.
    """

    reason: str


Lines = Mapping[str, Values] | Missing
"""Name of a line -> its value in each bin (None if there is none); or why there are no lines."""


@dataclass(frozen=True)
class Axis:
    """
    The time axis: it begins with the load (`origin_ns`, since the epoch), and has `bins` bins of `width` seconds each.
    """

    origin_ns: int
    width: int
    bins: int

    @property
    def end(self) -> float:
        """
        Where the axis ends, in seconds.
        """
        return float(self.width * self.bins)

    @property
    def lefts(self) -> list[float]:
        """
        Where each bin begins, in seconds.
        """
        return [float(number * self.width) for number in range(self.bins)]

    @property
    def parameters(self) -> Mapping[str, object]:
        """
        For SQL: a time t, since the epoch, is in bin `floor((t - $origin_ns) / $width_ns)`.
        """
        return {"origin_ns": self.origin_ns, "width_ns": self.width * 1_000_000_000}

    def values(self, rows: Iterable[Row], empty: float | None) -> Mapping[str, Values]:
        """
        Rows of (line, bin, value) as lines. Values of one line and bin are added, bins off the axis are left out,
        and `empty` is the value of a bin without a row. If there are very many lines, the small ones are one.
        """
        lines: dict[str, list[float | None]] = {}
        for row in rows:
            number = -1 if row["bin"] is None else int(row["bin"])  # a row without a time is in no bin
            if 0 <= number < self.bins:
                line = lines.setdefault(row["line"] or "nothing", [empty] * self.bins)
                line[number] = (line[number] or 0) + row["value"]
        largest = sorted(lines, key=lambda name: -sum(value or 0 for value in lines[name]))
        for name in largest[_MOST_LINES:]:
            others = lines.setdefault(_OTHERS, [empty] * self.bins)
            for number, value in enumerate(lines.pop(name)):
                others[number] = (others[number] or 0) + (value or 0)
        return {name: tuple(lines[name]) for name in sorted(lines)}


@dataclass(frozen=True)
class Series:
    """
    A run over time.

    starts: client calls per bin by outcome, each at the time at which it was due.
    ended: instances per bin that the engine ended, by the outcome that they named.
    in_flight: instances that the engine had begun and not ended, at the end of each bin.
    latency: seconds from the time at which an accepted start was due to its answer, in three percentiles.
    """

    axis: Axis
    starts: Lines
    ended: Lines
    in_flight: Lines
    latency: Lines


def read(evidence: Evidence, plan: Plan, verdict: Verdict) -> Series:
    """
    Sum up a run. If evidence is missing, only the lines that need it are Missing.
    """
    axis = _axis(evidence, verdict)
    return Series(
        axis=axis,
        starts=_lines(lambda: _starts(evidence, axis)),
        ended=_lines(lambda: _ended(evidence, axis, plan.target)),
        in_flight=_lines(lambda: _in_flight(evidence, axis)),
        latency=_lines(lambda: _latency(evidence, axis)),
    )


def origin_ns(evidence: Evidence, verdict: Verdict) -> int:
    """
    Return time 0 of all charts and timelines, in nanoseconds since the epoch: the time from which the verdict counts
    its faults; without faults the first arrival; without arrivals the load phase. 0 if the evidence has none of them.
    """
    for fault in verdict.faults:
        applied = _one(
            evidence,
            "SELECT applied_ns FROM faults WHERE step = $step AND node = $node",
            {"step": fault.step, "node": fault.node},
        )
        if applied is not None and fault.at is not None:
            return applied - round(fault.at * 1e9)
    return (
        _one(evidence, "SELECT min(intended_ns) FROM operations WHERE client <> 'canary'")
        or _one(evidence, "SELECT min(started_ns) FROM phases WHERE phase = 'load'")
        or _one(evidence, "SELECT min(created_ns) FROM instances")
        or 0
    )


def _axis(evidence: Evidence, verdict: Verdict) -> Axis:
    origin = origin_ns(evidence, verdict)
    end = (
        _one(evidence, "SELECT max(ended_ns) FROM phases WHERE phase IN ('load', 'heal', 'settle')")
        or _one(evidence, "SELECT max(coalesce(completed_ns, invoked_ns)) FROM operations")
        or _one(evidence, "SELECT max(coalesce(completed_ns, created_ns)) FROM instances")
        or origin
    )
    seconds = max(1.0, (end - origin) / 1e9)
    width = next((width for width in _WIDTHS if seconds <= width * _MOST_BINS), math.ceil(seconds / _MOST_BINS))
    return Axis(origin, width, math.ceil(seconds / width))


def _one(evidence: Evidence, sql: str, parameters: Parameters = ()) -> int | None:
    """
    The one value of a query; None if there is none, or the evidence for it is missing.
    """
    try:
        rows = evidence.rows(sql, parameters)
    except UnansweredError:
        return None
    return next(iter(rows[0].values())) if rows else None


def _lines(read: Callable[[], Mapping[str, Values]]) -> Lines:
    try:
        return read() or Missing("the evidence has nothing of it")
    except UnansweredError as error:
        return Missing(str(error))


def _starts(evidence: Evidence, axis: Axis) -> Mapping[str, Values]:
    rows = evidence.rows(
        """
        SELECT floor((intended_ns - $origin_ns) / $width_ns) AS bin, outcome AS line, count(*) AS value
        FROM operations
        WHERE client <> 'canary'
        GROUP BY ALL
        """,
        axis.parameters,
    )
    return axis.values(rows, empty=0)


def _ended(evidence: Evidence, axis: Axis, target: Target) -> Mapping[str, Values]:
    rows = evidence.rows(
        """
        SELECT floor((completed_ns - $origin_ns) / $width_ns) AS bin, workflow, status, outcome, count(*) AS value
        FROM instances
        WHERE completed_ns IS NOT NULL
        GROUP BY ALL
        """,
        axis.parameters,
    )

    def line(row: Row) -> str:
        workflow = target.workflows.get(row["workflow"])
        meaning = workflow.meaning(row["status"], row["outcome"]) if workflow is not None else None
        if meaning is not None:
            return meaning.ends
        return "undeclared" if row["status"] == "COMPLETED" else str(row["status"]).lower()

    return axis.values(({**row, "line": line(row)} for row in rows), empty=0)


def _in_flight(evidence: Evidence, axis: Axis) -> Mapping[str, Values]:
    rows = evidence.rows(
        """
        SELECT greatest(floor((at_ns - $origin_ns) / $width_ns), 0) AS bin, 'in flight' AS line, sum(change) AS value
        FROM (
            SELECT created_ns AS at_ns, 1 AS change FROM instances WHERE created_ns IS NOT NULL
            UNION ALL
            SELECT completed_ns, -1 FROM instances WHERE created_ns IS NOT NULL AND completed_ns IS NOT NULL
        )
        GROUP BY ALL
        """,
        axis.parameters,
    )
    changes = axis.values(rows, empty=0)
    return {name: tuple(accumulate(float(value or 0) for value in values)) for name, values in changes.items()}


def _latency(evidence: Evidence, axis: Axis) -> Mapping[str, Values]:
    rows = evidence.rows(
        """
        WITH percentiles AS (
            SELECT
                floor((intended_ns - $origin_ns) / $width_ns) AS bin,
                quantile_cont((completed_ns - intended_ns) / 1e9, 0.5) AS p50,
                quantile_cont((completed_ns - intended_ns) / 1e9, 0.95) AS p95,
                quantile_cont((completed_ns - intended_ns) / 1e9, 0.99) AS p99
            FROM operations
            WHERE client <> 'canary' AND outcome = 'ok'
            GROUP BY ALL
        )
        UNPIVOT percentiles ON p50, p95, p99 INTO NAME line VALUE value
        """,
        axis.parameters,
    )
    return axis.values(rows, empty=None)
