"""
Faults: whether each one was felt, what was in flight, and how long until clients and throughput were well again.

Each fault has three times. All of them count from the moment at which the fault was applied. A start that failed while
the fault was being applied counts as failed at that moment.

- *first failure*: until the answer to the first start that failed. Only starts count that were sent to a replica which
  the fault touches. A refusal is not a failure if the kind may be refused.
- *first success*: until the answer to the first start that was accepted. Only starts count that were sent to such a
  replica after the first failure; or after the fault, if none failed.
- *recovery*: until the throughput is steady again.

The recovery is measured by the method of A. Brown and D. A. Patterson, "Towards Availability Benchmarks: A Case Study
of Software RAID Systems" (USENIX ATC 2000): the quality of service over time is compared with a band of normal
behaviour at 99 % confidence. Here the quality of service is the number of instances that end in a window. The windows
slide by a quarter of a second.

Normal is the number of starts that are due in such a window, because in an open system in a steady state as many
instances leave as arrive (job flow balance; P. J. Denning and J. P. Buzen, "The Operational Analysis of Queueing
Network Models", 1978). The lower limit of the band is the mean of the starts that are due, minus 2.576 standard
deviations. The deviation is at least that of a Poisson count, which is the square root of the mean. The length of the
window is the smallest number of whole seconds with which a loss of half of the throughput would be below the band.

The system has recovered at the first window that begins at or after the first success, in which at least as many
instances end as the lower limit says, and in which no start was sent that failed. More ends than normal are not a
fault, because they are the backlog.

The first two times are None if no start failed, or none succeeded, before the next fault or the end of the load.
Recovery is None for one of these reasons, which is reported: the load was too thin to know what is normal; or the next
fault or the end of the load came before such a window.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul, sub
from typing import Any

from harness import names
from harness.checkers.database import Database, Row
from harness.model import FaultFinding

_BUCKET_NS = 250_000_000
_BUCKETS_A_SECOND = 4
_MOST_BUCKETS = 86_400 * _BUCKETS_A_SECOND
"""A day, the longest load that a scenario can have. Evidence with a wrong time may claim a longer one."""

_LONGEST = 30
"""Seconds. If the window had to be longer, it would say nothing about a recovery."""

_DEVIATIONS = 2.576
"""99 % of a normal distribution is within this many standard deviations of the mean."""

_FOREVER_NS = 2**63 - 1

_FAULTS = """
    SELECT
        faults.*,
        (
            SELECT count(*)
            FROM instances
            WHERE instances.created_ns <= faults.applied_ns
                AND (instances.completed_ns IS NULL OR instances.completed_ns > faults.applied_ns)
        ) AS in_flight,
        (
            SELECT min(others.applied_ns)
            FROM faults AS others
            WHERE others.applied_ns > faults.applied_ns AND others.step <> faults.step
        ) AS next_ns
    FROM faults
    ORDER BY step, node
"""
_LOAD = """
    SELECT
        (SELECT load_start_ns FROM run) AS begin_ns,
        (SELECT max(intended_ns) FROM operations WHERE client <> 'canary' AND try = 1) AS end_ns
"""
_DUE = """
    SELECT (intended_ns - $begin_ns) // $bucket_ns AS bucket, count(*) AS number
    FROM operations
    WHERE client <> 'canary' AND try = 1 AND intended_ns >= $begin_ns
    GROUP BY bucket
"""
_ENDED = """
    SELECT (completed_ns - $begin_ns) // $bucket_ns AS bucket, count(*) AS number
    FROM instances
    WHERE completed_ns >= $begin_ns
    GROUP BY bucket
"""
_STARTS = """
    SELECT
        operations.invoked_ns,
        operations.completed_ns,
        coalesce(operations.outcome = 'ok', FALSE) AS accepted,
        regexp_extract(operations.node, '-(\\d+)$', 1) AS replica
    FROM operations
    LEFT JOIN kinds
        ON kinds.workflow = operations.workflow AND kinds.kind = operations.kind AND kinds.ends = 'refused'
    WHERE operations.client <> 'canary'
        AND (operations.outcome IS DISTINCT FROM 'fail' OR kinds.kind IS NULL)
"""
_FAILED = f"""
    SELECT (invoked_ns - $begin_ns) // $bucket_ns AS bucket
    FROM ({_STARTS})
    WHERE NOT accepted
    GROUP BY bucket
"""  # noqa: S608 - a constant
_FIRST_FAILURE = f"""
    SELECT min(completed_ns)
    FROM ({_STARTS})
    WHERE NOT accepted
        AND completed_ns > $from_ns
        AND completed_ns <= $until_ns
        AND ($replica IS NULL OR replica = $replica)
"""  # noqa: S608 - a constant
_FIRST_SUCCESS = f"""
    SELECT min(completed_ns)
    FROM ({_STARTS})
    WHERE accepted
        AND invoked_ns > $from_ns
        AND completed_ns <= $until_ns
        AND ($replica IS NULL OR replica = $replica)
"""  # noqa: S608 - a constant


@dataclass(frozen=True)
class Band:
    """
    What is normal: at least `least` ends of instances in `width` buckets of a quarter of a second.
    """

    width: int
    least: float


@dataclass(frozen=True)
class _Load:
    """
    The load in buckets, from its beginning to the last start that was due: the number of instances that ended in each
    bucket, and the buckets in which a start was sent that failed. `steady` is what is normal, or why this is not known.
    """

    begin_ns: int
    ended: tuple[int, ...]
    failed: frozenset[int]
    steady: Band | str


def band(due: Sequence[int]) -> Band | str:
    """
    Return what is normal, from the numbers of starts that were due in each bucket of the load; a reason if this is not
    known.
    """
    until = list(accumulate(due, initial=0))
    for seconds in range(1, _LONGEST + 1):
        width = seconds * _BUCKETS_A_SECOND
        count = len(due) - width + 1
        if count <= 1:
            break
        sums = list(map(sub, until[width:], until))
        total, squares = sum(sums), sum(map(mul, sums, sums))
        mean = total / count
        deviation = math.sqrt((count * squares - total**2) / (count * (count - 1)))
        least = mean - _DEVIATIONS * max(deviation, math.sqrt(mean))
        if least >= mean / 2 > 0:
            return Band(width, least)
    return (
        f"{sum(due)} starts were due in {len(due) / _BUCKETS_A_SECOND:g} s: too few, or too uneven, to tell from the "
        "number of ends that half of them are missing"
    )


def findings(database: Database) -> tuple[FaultFinding, ...]:
    """
    Return one finding for each fault and node of the evidence, sorted by step and node.

    Raises UnansweredError if faults, instances or operations are missing.
    """
    faults = database.rows(_FAULTS)
    if not faults:
        return ()
    load = _load(database)
    return tuple(_finding(database, fault, load) for fault in faults)


def _load(database: Database) -> _Load:
    (about,) = database.rows(_LOAD)
    begin_ns = about["begin_ns"]
    buckets = range(min(((about["end_ns"] or begin_ns) - begin_ns) // _BUCKET_NS, _MOST_BUCKETS))
    parameters = {"begin_ns": begin_ns, "bucket_ns": _BUCKET_NS}

    def counts(sql: str) -> tuple[int, ...]:
        found = {row["bucket"]: row["number"] for row in database.rows(sql, parameters)}
        return tuple(found.get(bucket, 0) for bucket in buckets)

    return _Load(
        begin_ns=begin_ns,
        ended=counts(_ENDED),
        failed=frozenset(row["bucket"] for row in database.rows(_FAILED, parameters)),
        steady=band(counts(_DUE)),
    )


def _finding(database: Database, fault: Row, load: _Load) -> FaultFinding:
    applied_ns = fault["applied_ns"]
    first_failure_ns, first_success_ns = _firsts(database, fault)
    recovery, unrecovered, watched = _recovery(fault, first_success_ns, load)
    return FaultFinding(
        step=fault["step"],
        fault=fault["fault"],
        node=fault["node"],
        at=_seconds(applied_ns, load.begin_ns),
        felt_after=_seconds(fault["felt_ns"], applied_ns),
        healed_at=_seconds(fault["healed_ns"], load.begin_ns),
        in_flight=fault["in_flight"],
        first_failure=_seconds(first_failure_ns, applied_ns),
        first_success=_seconds(first_success_ns, applied_ns),
        recovery=recovery,
        unrecovered=unrecovered,
        watched=watched,
        proof=_proof(fault["proof"]),
    )


def _firsts(database: Database, fault: Row) -> tuple[int | None, int | None]:
    """
    Return when the first start failed, and when the first start after it was accepted, in nanoseconds since the epoch.
    """
    if fault["applied_ns"] is None:
        return None, None
    replica = names.replica(fault["node"])
    hit = None if replica is None else names.node(replica)
    only = str(hit.number) if hit is not None and hit.application is None else None  # no start goes to another one
    about = {"until_ns": fault["next_ns"] or _FOREVER_NS, "replica": only}
    applied_ns = fault["applied_ns"]
    begun_ns = applied_ns if fault["begun_ns"] is None else fault["begun_ns"]
    failure_ns = database.scalar(_FIRST_FAILURE, about | {"from_ns": begun_ns})
    success_ns = database.scalar(_FIRST_SUCCESS, about | {"from_ns": failure_ns or applied_ns})
    return None if failure_ns is None else max(failure_ns, applied_ns), success_ns


def _recovery(fault: Row, first_success_ns: int | None, load: _Load) -> tuple[float | None, str | None, float | None]:
    """
    Return (seconds until the throughput was steady again, None, None), or (None, the reason, seconds for which it was
    looked for in vain; None if it could not be looked for).
    """
    applied_ns, next_ns = fault["applied_ns"], fault["next_ns"]
    over = "the load ended" if next_ns is None else "the next fault came"
    if applied_ns is None:
        return None, "it was never applied", None
    if isinstance(load.steady, str):
        return None, load.steady, None
    last = len(load.ended) if next_ns is None else min(len(load.ended), (next_ns - load.begin_ns) // _BUCKET_NS)
    width, least = load.steady.width, load.steady.least
    watched = max(0.0, _seconds(load.begin_ns + (last - width + 1) * _BUCKET_NS, applied_ns) or 0.0)
    if first_success_ns is None:
        return None, f"{over} before a start was accepted again", watched
    for bucket in range(max(0, -(-(first_success_ns - load.begin_ns) // _BUCKET_NS)), last - width + 1):
        steady = sum(load.ended[bucket : bucket + width]) >= least
        if steady and load.failed.isdisjoint(range(bucket, bucket + width)):
            return _seconds(load.begin_ns + bucket * _BUCKET_NS, applied_ns), None, None
    unsteady = (
        f"{over} before {math.ceil(least)} instances had ended within {width / _BUCKETS_A_SECOND:g} s "
        "while no start failed"
    )
    return None, unsteady, watched


def _seconds(at_ns: int | None, since_ns: int | None) -> float | None:
    return None if at_ns is None or since_ns is None else round((at_ns - since_ns) / 1e9, 6)


def _proof(text: str | None) -> dict[str, Any]:
    """
    Return the proof as a mapping. A proof that is not a JSON object, or that no file could hold, becomes the value of
    `text`.
    """
    try:
        proof = json.loads(text or "{}")
        json.dumps(proof, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        proof = text
    return proof if isinstance(proof, dict) else {"text": proof}
