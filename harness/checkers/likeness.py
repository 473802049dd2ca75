"""
Comparing two evidence folders of one plan: whether a synthetic run is like the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.checkers.database import UnansweredError, open_database
from harness.errors import EvidenceError
from harness.model import Plan

_LASTING = """(
    SELECT 'answer of a start' AS what, completed_ns - invoked_ns AS ns FROM operations WHERE outcome = 'ok'
    UNION ALL SELECT 'instance', completed_ns - created_ns FROM instances
    UNION ALL SELECT 'body', ended_ns - started_ns FROM attempts
    UNION ALL SELECT 'timer', fire_at_ns - at_ns FROM history WHERE event = 'timerCreated'
)"""
_QUANTILES = f"""
    SELECT what, unnest(quantile_disc(ns, [0.5, 0.9, 0.99])) AS ns
    FROM {_LASTING}
    WHERE ns IS NOT NULL
    GROUP BY what
"""
_MEASURES = f"""
    WITH limits AS (SELECT unnest($what) AS what, unnest($ns) AS limit_ns)
    SELECT 'class ' || class AS name, 'share' AS unit, count(*) / (SELECT count(*) FROM classes) AS value
    FROM classes
    GROUP BY class
    UNION ALL
    SELECT 'kind ' || coalesce(kind, 'of nobody'), 'share', count(*) / (SELECT count(*) FROM classes)
    FROM classes
    GROUP BY kind
    UNION ALL
    SELECT 'calls ' || outcome, 'share', count(*) / (SELECT count(*) FROM operations) FROM operations GROUP BY outcome
    UNION ALL
    SELECT 'bodies run again', 'share', sum(executions - tasks) / sum(executions) FROM bodies
    UNION ALL
    SELECT what || ' within ' || round(limit_ns / 1e9, 3) || ' s', 'share', count_if(ns <= limit_ns) / count(ns)
    FROM {_LASTING}
    JOIN limits USING (what)
    GROUP BY what, limit_ns
    UNION ALL
    SELECT name, 'rows an instance', rows / (SELECT count(*) FROM classes)
    FROM (
        SELECT 'operations' AS name, count(*) AS rows FROM operations
        UNION ALL SELECT 'attempts', count(*) FROM attempts
        UNION ALL SELECT 'effects', count(*) FROM effects
        UNION ALL SELECT 'instances', count(*) FROM instances
        UNION ALL SELECT 'history', count(*) FROM history
    )
"""


@dataclass(frozen=True)
class Measure:
    """
    One number by which the real run and the synthetic run are compared; 0 if a run does not have it.

    `unit` is `share` (of 1) or `rows an instance`. `allowed` is the largest allowed difference: for shares the
    difference itself, otherwise the difference divided by the number of the real run.
    """

    name: str
    unit: str
    real: float
    synthetic: float
    allowed: float

    @property
    def fits(self) -> bool:
        """
        Whether the two numbers are close enough.
        """
        scale = 1.0 if self.unit == "share" else self.real
        return abs(self.synthetic - self.real) <= self.allowed * scale


def compare(plan: Plan, real: Path, synthetic: Path, allowed: float) -> tuple[Measure, ...]:
    """
    Compare two evidence folders of one plan. Return the measures, sorted by unit and name. Durations are compared by
    the shares that lie within the median, the 90th and the 99th percentile of the real run.

    Raises EvidenceError if one of them cannot be read.
    """
    found: list[Mapping[tuple[str, str], float]] = []
    limits: Mapping[str, object] | None = None
    for evidence in (real, synthetic):
        with open_database(plan, evidence) as database:
            try:
                if limits is None:
                    rows = database.rows(_QUANTILES)
                    limits = {column: [row[column] for row in rows] for column in ("what", "ns")}
                rows = database.rows(_MEASURES, limits)
                found.append({(row["unit"], row["name"]): row["value"] or 0.0 for row in rows})
            except UnansweredError as error:
                raise EvidenceError(f"{evidence} cannot be measured: {error}") from error
    return tuple(
        Measure(name, unit, found[0].get((unit, name), 0.0), found[1].get((unit, name), 0.0), allowed)
        for unit, name in sorted(found[0].keys() | found[1].keys())
    )
