"""
What the instances of each workflow took, where a load has several: time, rows and bytes of the engine, executions. So
two ways to write the same workflow can be compared in one run. Figures, and no part of correctness.

Times count from when the first start was due, as in `levels`. Percentiles are discrete. Canaries are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.checkers.database import Database, UnansweredError
from harness.model import Plan, WorkflowCost

_COSTS = """
    WITH ended AS (
        SELECT
            calls.workflow,
            calls.instance_id,
            (instances.completed_ns - due.due_ns) / 1e9 AS took,
            instances.history_rows,
            bodies.executions,
            bodies.tasks
        FROM calls
        JOIN instances ON instances.instance_id = calls.instance_id AND instances.completed_ns IS NOT NULL
        JOIN (SELECT instance_id, min(intended_ns) AS due_ns FROM operations GROUP BY instance_id) AS due
            ON due.instance_id = calls.instance_id
        LEFT JOIN bodies ON bodies.instance_id = calls.instance_id
        WHERE calls.client <> 'canary'
    ), sizes AS (
        SELECT instance_id, sum(strlen(payload)) AS payload_bytes
        FROM history
        GROUP BY instance_id
    )
    SELECT
        ended.workflow,
        count(*) AS instances,
        quantile_disc(ended.took, 0.5) AS median,
        quantile_disc(ended.took, 0.99) AS p99,
        avg(coalesce(ended.history_rows, 0)) AS history_rows,
        avg(coalesce(sizes.payload_bytes, 0)) AS payload_bytes,
        coalesce(sum(ended.executions), 0)::BIGINT AS attempts,
        coalesce(sum(ended.executions - ended.tasks), 0)::BIGINT AS repeated_attempts
    FROM ended
    LEFT JOIN sizes ON sizes.instance_id = ended.instance_id
    GROUP BY ended.workflow
    ORDER BY ended.workflow
"""


def costs(database: Database, plan: Plan) -> Mapping[str, WorkflowCost]:
    """
    Return what the ended instances of each workflow of the load took, by workflow; none if the load has one workflow,
    or if evidence is missing.
    """
    if not plan.scenario.load.workflows:
        return {}
    try:
        rows = database.rows(_COSTS)
    except UnansweredError:
        return {}
    return {row.pop("workflow"): WorkflowCost(**row) for row in rows}
