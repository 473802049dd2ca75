"""
The service levels of a scenario's gate. They say how fast a run was, and are not a part of correctness.

Latencies count from the time at which a start was due, so a client that is held up hides nothing (G. Tene's
"coordinated omission"). Instances whose start was refused are left out. A start without a yes, and an instance without
an end, count as infinitely slow. Percentiles are discrete: the least value that at least this share of all values do
not exceed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checkers.database import Database
from harness.model import FaultFinding, Latency, Percentiles, Plan

STARTS = """
        SELECT
            instance_id,
            min(intended_ns) AS due_ns,
            min(completed_ns) FILTER (WHERE outcome = 'ok') AS accepted_ns
        FROM operations
        WHERE client <> 'canary'
        GROUP BY instance_id
        HAVING count_if(outcome = 'fail') < count(*)
"""
"""Each start that was not refused: when it was due, and when it was accepted; NULL if it never was."""
_PERCENTILE = """
    WITH starts AS (
        {starts}
    ), windows AS (
        SELECT applied_ns, coalesce(healed_ns, 9000000000000000000) AS healed_ns
        FROM faults
        WHERE applied_ns IS NOT NULL
    ), measured AS (
        SELECT
            coalesce(starts.accepted_ns - starts.due_ns, 9000000000000000000) AS start_ns,
            coalesce(instances.completed_ns - starts.due_ns, 9000000000000000000) AS end_ns,
            EXISTS (
                SELECT 1 FROM windows WHERE starts.due_ns >= windows.applied_ns AND starts.due_ns <= windows.healed_ns
            ) AS in_fault
        FROM starts
        LEFT JOIN instances USING (instance_id)
    )
    SELECT quantile_disc({measure}_ns, {share}) / 1e9 FROM measured WHERE {which}
"""
_WINDOWS = {"": "TRUE", "in_faults": "in_fault", "outside_faults": "NOT in_fault"}
FOREVER = 9e9
"""Seconds: what counts as infinitely slow."""

_ENDED = """
    SELECT count(*)
    FROM instances
    SEMI JOIN (SELECT DISTINCT instance_id FROM operations WHERE client <> 'canary') AS asked USING (instance_id)
    WHERE completed_ns BETWEEN (SELECT load_start_ns FROM run) AND (SELECT load_start_ns FROM run) + {load_ns}
"""
_UNANSWERED = """
    SELECT coalesce(count_if(told = 'unknown') / nullif(count(*), 0), 1.0) FROM calls WHERE client <> 'canary'
"""


def missed(database: Database, plan: Plan, faults: Sequence[FaultFinding]) -> Iterator[str]:
    """
    Return the service levels of the plan's gate that the run missed, one sentence for each.

    Raises UnansweredError if the evidence that a level needs is missing.
    """
    gate = plan.scenario.gate
    for measure, latency in (("start", gate.start), ("end", gate.end)):
        if latency is not None:
            yield from _slow(database, measure, latency)
    if gate.throughput is not None:
        duration = plan.scenario.load.duration
        ended = database.scalar(_ENDED.format(load_ns=round(duration * 1e9))) / duration
        if ended < gate.throughput:
            yield f"throughput: {ended:.2f} instances/s ended during the load; the level is {gate.throughput:g}/s"
    if gate.errors is not None:
        share = database.scalar(_UNANSWERED)
        if share > gate.errors:
            yield (
                f"errors: clients got no clear answer to {100 * share:.2f} % of the starts; "
                f"the level is {100 * gate.errors:g} %"
            )
    if gate.recovery is not None:
        yield from _unrecovered(gate.recovery, faults)


def _slow(database: Database, measure: str, latency: Latency) -> Iterator[str]:
    for window, which in _WINDOWS.items():
        levels = latency if window == "" else getattr(latency, window)
        for name in Percentiles.model_fields if levels is not None else ():
            level = getattr(levels, name)
            if level is None:
                continue
            share = float(f"0.{name.removeprefix('p')}")
            found = database.scalar(_PERCENTILE.format(starts=STARTS, measure=measure, share=share, which=which))
            title = f"{measure} {name}" + (f" {window.replace('_', ' ')}" if window else "")
            if found is None:
                yield f"{title}: there is no such start that was not refused; the level is {level:g} s"
            elif found >= FOREVER:
                never = {"start": "was never accepted", "end": "never ended"}[measure]
                yield f"{title}: more than {100 * (1 - share):g} % {never}; the level is {level:g} s"
            elif found > level:
                yield f"{title}: {found:.3f} s; the level is {level:g} s"


def _unrecovered(level: float, faults: Sequence[FaultFinding]) -> Iterator[str]:
    for fault in faults:
        name = f"{fault.fault} of {fault.node} (step {fault.step})"
        if fault.recovery is None:
            yield f"recovery: from {name} none was seen; the level is {level:g} s"
        elif fault.recovery > level:
            yield f"recovery: from {name} it took {fault.recovery:.3f} s; the level is {level:g} s"
