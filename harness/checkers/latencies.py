"""
How long things took: starts until they were accepted, instances until they ended, each activity, each workflow turn; in
the whole run, while faults were in force, outside of them, and during each step of the plan. Figures, and no part of
correctness.

Starts and instances count from the time at which the start was due, as in `levels`, and what was never accepted or
never ended counts as infinitely slow. An activity counts from when the engine recorded that it is to be executed until
it recorded its result, a turn from when the engine began it until it recorded what the turn ordered, both by the
engine's own history; what has no end there is left out. Each is where it began. Percentiles are exact and discrete, of
all rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.database import Database, Row, UnansweredError
from harness.checkers.levels import FOREVER, STARTS
from harness.model import Latencies, Plan, Quantiles


def _quantiles(observed: str) -> str:
    """
    Return the query for all figures of what the query `observed` gives: (measure, name, from_ns, took_ns).
    """
    return f"""
    WITH observed AS (
        SELECT measure, name, from_ns, took_ns
        FROM ({observed}) AS every CROSS JOIN (SELECT load_start_ns FROM run) AS load
        WHERE from_ns >= load_start_ns
    ), nodes AS (
        SELECT step, applied_ns, coalesce(healed_ns, 9000000000000000000) AS healed_ns
        FROM faults
        WHERE applied_ns IS NOT NULL
    ), steps AS (
        SELECT step, min(applied_ns) AS applied_ns, max(healed_ns) AS healed_ns
        FROM nodes
        WHERE step >= 0
        GROUP BY step
    ), spread AS (
        SELECT measure, name, took_ns, 'all' AS span
        FROM observed
        UNION ALL
        SELECT observed.measure, observed.name, observed.took_ns, 'in_faults' AS span
        FROM observed
        SEMI JOIN nodes ON observed.from_ns >= nodes.applied_ns AND observed.from_ns <= nodes.healed_ns
        UNION ALL
        SELECT observed.measure, observed.name, observed.took_ns, 'outside_faults' AS span
        FROM observed
        ANTI JOIN nodes ON observed.from_ns >= nodes.applied_ns AND observed.from_ns <= nodes.healed_ns
        UNION ALL
        SELECT observed.measure, observed.name, observed.took_ns, CAST(steps.step AS VARCHAR) AS span
        FROM observed
        JOIN steps ON observed.from_ns >= steps.applied_ns AND observed.from_ns <= steps.healed_ns
    )
    SELECT
        measure,
        name,
        span,
        count(*) AS number,
        quantile_disc(took_ns, 0.5) / 1e9 AS p50,
        quantile_disc(took_ns, 0.95) / 1e9 AS p95,
        quantile_disc(took_ns, 0.99) / 1e9 AS p99,
        max(took_ns) / 1e9 AS longest
    FROM spread
    GROUP BY measure, name, span
    ORDER BY measure, name, span
"""  # noqa: S608 - made of constants


_CLIENTS = _quantiles(f"""
    SELECT 'start' AS measure, '' AS name, due_ns AS from_ns,
        coalesce(accepted_ns - due_ns, 9000000000000000000) AS took_ns
    FROM ({STARTS}) AS starts
    UNION ALL
    SELECT 'end' AS measure, '' AS name, due_ns AS from_ns,
        coalesce(instances.completed_ns - due_ns, 9000000000000000000) AS took_ns
    FROM ({STARTS}) AS starts LEFT JOIN instances USING (instance_id)
""")  # noqa: S608 - a constant
_ENGINE = _quantiles("""
    SELECT 'activity' AS measure, name, from_ns, until_ns - from_ns AS took_ns
    FROM (
        SELECT
            instance_id,
            task_id,
            max(CASE WHEN event = 'taskScheduled' THEN name END) AS name,
            min(CASE WHEN event = 'taskScheduled' THEN at_ns END) AS from_ns,
            max(CASE WHEN event IN ('taskCompleted', 'taskFailed') THEN at_ns END) AS until_ns
        FROM history
        WHERE event IN ('taskScheduled', 'taskCompleted', 'taskFailed')
        GROUP BY instance_id, task_id
    ) AS tasks
    WHERE until_ns >= from_ns AND name IS NOT NULL
    UNION ALL
    SELECT 'turn' AS measure, instances.workflow AS name, turns.from_ns, turns.until_ns - turns.from_ns AS took_ns
    FROM (
        SELECT
            instance_id,
            turn,
            min(CASE WHEN event = 'workflowStarted' THEN at_ns END) AS from_ns,
            max(at_ns) AS until_ns
        FROM (
            SELECT
                instance_id,
                event,
                at_ns,
                sum(CASE WHEN event = 'workflowStarted' THEN 1 ELSE 0 END)
                    OVER (PARTITION BY instance_id ORDER BY position ROWS UNBOUNDED PRECEDING) AS turn
            FROM history
        ) AS numbered
        GROUP BY instance_id, turn
    ) AS turns
    JOIN instances ON instances.instance_id = turns.instance_id AND instances.workflow IS NOT NULL
    WHERE turns.until_ns > turns.from_ns
""")
_ORDER = ("start", "end", "activity", "turn")


def latencies(database: Database, plan: Plan) -> tuple[Latencies, ...]:
    """
    Return how long each kind of thing took: starts, ends, activities by name, turns by workflow. What the evidence does
    not tell is left out. Of copies of a run (`harness synth`) the engine's rows are not read: they say nothing new.
    """
    asked = (_CLIENTS,) if plan.copies > 1 else (_CLIENTS, _ENGINE)
    found = [each for sql in asked for each in _of(_rows(database, sql))]
    return tuple(sorted(found, key=lambda each: (_ORDER.index(each.measure), each.name)))


def _rows(database: Database, sql: str) -> list[Row]:
    try:
        return database.rows(sql)
    except UnansweredError:
        return []


def _of(rows: list[Row]) -> Iterator[Latencies]:
    spans: dict[tuple[str, str], dict[str, Quantiles]] = {}
    for row in rows:
        times = {name: _finite(row[name]) for name in ("p50", "p95", "p99", "longest")}
        spans.setdefault((row["measure"], row["name"]), {})[row["span"]] = Quantiles(number=row["number"], **times)
    for (measure, name), of in spans.items():
        yield Latencies.model_validate(
            {
                "measure": measure,
                "name": name,
                "all": of["all"],
                "in_faults": of.get("in_faults"),
                "outside_faults": of.get("outside_faults"),
                "steps": {span: each for span, each in of.items() if span.isdigit()},
            }
        )


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or seconds >= FOREVER else seconds
