"""
Whether a run is thick enough to be judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.checkers.database import Database
from harness.model import FaultFinding, Minimum, Plan

_NOT_FELT = """
    SELECT
        steps.step,
        steps.fault,
        coalesce(faults.node, steps.node, array_to_string(steps.nodes, ' or ')) AS node,
        steps.aim,
        faults.applied_ns,
        faults.felt_ns,
        faults.healed_ns
    FROM steps
    LEFT JOIN faults ON faults.step = steps.step AND faults.node = coalesce(steps.node, faults.node)
    ORDER BY ALL
"""
_FOREIGN = """
    SELECT step, fault, node
    FROM faults
    ANTI JOIN steps
        ON steps.step = faults.step
        AND steps.fault = faults.fault
        AND list_contains(steps.nodes, faults.node)
    ORDER BY step, node
"""
_UNFINISHED = """
    SELECT needed.phase
    FROM (VALUES ('load'), ('heal'), ('settle')) AS needed(phase)
    ANTI JOIN (SELECT phase FROM phases WHERE ended_ns IS NOT NULL) AS ended USING (phase)
    ORDER BY needed.phase
"""
_CUT_SHORT = "SELECT phase, detail FROM phases WHERE detail IS NOT NULL ORDER BY started_ns"
_LOADED = "SELECT count(*) FROM classes WHERE client <> 'canary'"
_SUCCESSES = """
    SELECT count(*)
    FROM classes
    WHERE client <> 'canary'
        AND told = 'accepted'
        AND class IN ('completed', 'compensated', 'rejected')
        AND invoked_ns > (SELECT last_heal_ns FROM run)
"""


def reasons(
    database: Database, plan: Plan, classes: Mapping[str, int], faults: Sequence[FaultFinding]
) -> Iterator[str]:
    """
    Return why this run cannot be HOLDS, whatever its invariants say: one sentence for each thing that it lacks.

    Raises UnansweredError if faults, phases, operations, instances or effects are missing.
    """
    yield from (f"the {row['phase']} phase did not run to its end" for row in database.rows(_UNFINISHED))
    yield from (f"the {row['phase']} phase was cut short: {row['detail']}" for row in database.rows(_CUT_SHORT))
    yield from _unfelt(database)
    yield from _too_little(database, plan.scenario.checks.minimum, classes, faults)


def _unfelt(database: Database) -> Iterator[str]:
    for step in database.rows(_NOT_FELT):
        name = f"{step['fault']} of {step['node']} (step {step['step']})"
        if step["applied_ns"] is None and step["aim"] is not None:
            yield f"{name} was never applied: {step['aim']}, did not come"
        elif step["applied_ns"] is None:
            yield f"{name} was never applied"
        elif step["felt_ns"] is None:
            yield f"{name} was not felt"
        elif step["healed_ns"] is None:
            yield f"{name} was not healed"
    for fault in database.rows(_FOREIGN):
        yield f"the evidence has {fault['fault']} of {fault['node']} (step {fault['step']}), which the plan does not"


def _too_little(
    database: Database, minimum: Minimum, classes: Mapping[str, int], faults: Sequence[FaultFinding]
) -> Iterator[str]:
    loaded = database.scalar(_LOADED)
    if loaded < minimum.instances:
        yield f"the run started {loaded} instances; at least {minimum.instances} are needed"
    for class_, least in minimum.classes.items() if minimum.classes != "target" else ():
        if classes.get(class_, 0) < least:
            yield f"{classes.get(class_, 0)} instances were {class_}; at least {least} are needed"
    for found in faults:
        if found.at is not None and found.in_flight < minimum.in_flight:
            yield (
                f"{found.in_flight} instances were in flight when {found.fault} hit {found.node} (step {found.step}); "
                f"at least {minimum.in_flight} are needed"
            )
    if faults and database.scalar(_SUCCESSES) == 0:
        yield "no start that was sent after the last fault was healed is known to have ended well"
