"""
The figures of one run: what is compared between runs, and drawn over many of them.

They are made of the plan, the verdict and the evidence alone, so they can be made again years later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
from pydantic import Field

from harness import names
from harness.checkers import recovery
from harness.checkers.database import Database, Row, UnansweredError, connected, derived
from harness.model import INTERRUPTED, Plan, Result, Value, Verdict
from harness.rundir import RunDir

_STARTS = """
    SELECT
        instance_id,
        min(intended_ns) AS due_ns,
        min(completed_ns) FILTER (outcome = 'ok') AS accepted_ns
    FROM operations
    WHERE client <> 'canary'
    GROUP BY instance_id
"""
_STARTED = f"""
    SELECT
        quantile_cont((accepted_ns - due_ns) / 1e9, 0.5) AS median,
        quantile_cont((accepted_ns - due_ns) / 1e9, 0.99) AS p99
    FROM ({_STARTS})
    WHERE accepted_ns IS NOT NULL
"""  # noqa: S608 - a constant
_ACCEPTED = f"""
    SELECT count(accepted_ns) AS accepted, count(*) AS due FROM ({_STARTS})
"""  # noqa: S608 - a constant
_ENDED = f"""
    WITH watched AS (
        SELECT max(ended_ns) AS until_ns FROM phases WHERE phase IN ('load', 'heal', 'settle')
    ),
    ends AS (
        SELECT due_ns, completed_ns, coalesce(completed_ns, until_ns) AS seen_ns
        FROM ({_STARTS}) AS starts LEFT JOIN instances USING (instance_id), watched
        WHERE accepted_ns IS NOT NULL
    )
    SELECT
        quantile_cont((seen_ns - due_ns) / 1e9, 0.5) AS median,
        quantile_cont((seen_ns - due_ns) / 1e9, 0.99) AS p99,
        count(*) FILTER (completed_ns IS NULL) AS unended
    FROM ends
"""  # noqa: S608 - a constant
_IN_LOAD = f"""
    SELECT
        load_start_ns AS began_ns,
        count(completed_ns) FILTER (completed_ns < load_start_ns + $load_ns) AS ended,
        count(due_ns) FILTER (due_ns < load_start_ns + $load_ns) AS due
    FROM run LEFT JOIN (({_STARTS}) AS starts LEFT JOIN instances USING (instance_id)) ON TRUE
    GROUP BY load_start_ns
"""  # noqa: S608 - a constant


class Latency(Value):
    """
    Seconds from the time at which starts were due: the median and the 99th percentile.
    """

    median: float
    p99: float


class Recovery(Value):
    """
    How long the system took to recover from one fault that was felt, in seconds.

    `seconds` is None if that was not seen; it then took longer than `watched`, which is None if nothing is known.
    """

    step: int
    fault: str
    role: str
    seconds: float | None
    watched: float | None = None


class Figures(Value):
    """
    The figures of one run. What the evidence does not tell is None.
    """

    run: str
    scenario: str
    seed: int
    dapr_version: str
    defect: str | None
    result: Result
    interrupted: bool
    began_ns: int | None = Field(description="when the load began")
    instances: int
    violated: int | None = Field(description="instances that rows against invariants name")
    throughput: float | None = Field(description="instances that ended within the load, per second of it")
    offered: float | None = Field(description="starts that were due within the load, per second of it")
    accepted: float | None = Field(description="the share of all starts that were accepted")
    start: Latency | None = Field(description="of accepted starts, until the first answer that accepted them")
    completion: Latency | None = Field(description="of accepted starts, until the instance ended")
    unended: int | None = Field(description="of these, not ended when the run was over; they count until then")
    repeated_attempts: int
    recoveries: tuple[Recovery, ...]


def read(folder: RunDir) -> Figures:
    """
    Return the figures of a judged run.

    Raises EvidenceError if it has no plan or no verdict, or if they are of another version of the harness.
    """
    plan, verdict = folder.load_plan(), folder.load_verdict()
    with connected(plan, folder.evidence) as (connection, missing):
        database = Database(connection, missing)
        database.derive({"run": derived()["run"]})
        return of(plan, verdict, database, violated_instances(folder.violations, verdict))


def of(plan: Plan, verdict: Verdict, database: Database, violated: int | None) -> Figures:
    """
    Return the figures of a run from its plan, its verdict and the database of its evidence, which has the derived table
    `run`. `violated` is the number of instances that rows against invariants name; None if that is not known.
    """
    seconds = plan.scenario.load.duration
    ended = _row(database, _ENDED)
    accepted = _row(database, _ACCEPTED)
    in_load = _row(database, _IN_LOAD, {"load_ns": round(seconds * 1e9)})
    return Figures(
        run=verdict.run,
        scenario=verdict.scenario,
        seed=plan.seed,
        dapr_version=plan.dapr_version,
        defect=plan.defect,
        result=verdict.result,
        interrupted=any(INTERRUPTED in reason for reason in verdict.lacking),
        began_ns=in_load.get("began_ns"),
        instances=sum(verdict.classes.values()),
        violated=violated,
        throughput=_rate(in_load.get("ended"), seconds),
        offered=_rate(in_load.get("due"), seconds),
        accepted=accepted["accepted"] / accepted["due"] if accepted.get("due") else None,
        start=_latency(_row(database, _STARTED)),
        completion=_latency(ended),
        unended=ended.get("unended"),
        repeated_attempts=verdict.repeated_attempts,
        recoveries=tuple(_recoveries(database)),
    )


def violated_instances(folder: Path, verdict: Verdict) -> int | None:
    """
    Return how many instances the rows against the invariants name, from the files in `folder`; None if a file is
    missing or cannot be read.
    """
    broken = [finding.name for finding in verdict.findings if finding.result is Result.VIOLATED]
    found: set[str] = set()
    with duckdb.connect() as connection:
        for name in broken:
            try:
                rows = connection.read_parquet(str(folder / f"{name}.parquet"))
                if "instance_id" in rows.columns:
                    found.update(str(value) for (value,) in rows.project("instance_id").fetchall() if value is not None)
            except duckdb.Error:
                return None
    return len(found)


def _recoveries(database: Database) -> Iterable[Recovery]:
    try:
        faults = recovery.findings(database)
    except UnansweredError:
        if not database.missing:
            raise
        return
    for fault in faults:
        if fault.felt_after is not None:
            yield Recovery(
                step=fault.step,
                fault=fault.fault,
                role=names.role(fault.node),
                seconds=fault.recovery,
                watched=fault.watched or None,  # for no time at all: nothing is known
            )


def _row(database: Database, sql: str, parameters: Mapping[str, object] | None = None) -> Row:
    """
    Return the one row of a query; an empty one if evidence for it is missing.
    """
    try:
        (row,) = database.rows(sql, parameters or {})
    except UnansweredError:
        if not database.missing:
            raise
        return {}
    return row


def _rate(number: int | None, seconds: float) -> float | None:
    return None if number is None or not seconds else number / seconds


def _latency(row: Row) -> Latency | None:
    median, p99 = row.get("median"), row.get("p99")
    return None if median is None or p99 is None else Latency(median=median, p99=p99)
