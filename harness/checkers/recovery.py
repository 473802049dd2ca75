"""
Faults: was each one felt, what was in flight, and how long until starts were well again.

How recovery is measured. A start is *well* when it was accepted and took no longer, from sending to answer, than
nine in ten of the accepted starts before the first fault, or twice their median, whichever is more. The system
has recovered from a fault with the first of `_STEADY` well starts in a row, among those that were sent after the
fault was proved to a replica that it touches; the recovery time runs from the moment the fault was applied to
that start's answer. So a fault that stays in force counts as long as it is felt, one that no start feels is over
with the next start, and a single lucky answer in between does not end it. The bound follows the way steady
state is told from the ramp in load testing: by the spread seen before the disturbance, not by a fixed number.
It cannot be told (None) where fewer than `_STEADY` starts were accepted before the first fault, or the load ended
before the starts were well again.
"""

from __future__ import annotations

import json
import re
from typing import Any

from harness.checkers.database import Database, Row
from harness.model import FaultFinding

_STEADY = 5
_OF_A_REPLICA = re.compile(r"(?:sidecar|app)-(\d+)(?:->.*)?")
"""Nodes and links that touch one replica; any other touches all."""

_FAULTS = """
    SELECT
        faults.*,
        (SELECT load_start_ns FROM run) AS load_start_ns,
        (
            SELECT count(*)
            FROM instances
            WHERE instances.created_ns <= faults.applied_ns
                AND (instances.completed_ns IS NULL OR instances.completed_ns > faults.applied_ns)
        ) AS in_flight
    FROM faults
    ORDER BY step, node
"""

_STARTS = """
    WITH starts AS (
        SELECT
            invoked_ns,
            completed_ns,
            coalesce(outcome = 'ok', FALSE) AS accepted,
            completed_ns - invoked_ns AS took_ns,
            regexp_extract(node, '-(\\d+)$', 1) AS replica
        FROM operations
        WHERE client <> 'canary'
    ), before AS (
        SELECT
            count(*) AS enough,
            greatest(quantile_disc(took_ns, 0.9), 2 * quantile_disc(took_ns, 0.5)) AS bound_ns
        FROM starts
        WHERE accepted AND completed_ns < (SELECT min(applied_ns) FROM faults)
    ), following AS (
        SELECT
            invoked_ns,
            completed_ns,
            min((starts.accepted AND took_ns <= bound_ns)::INTEGER) OVER next AS well,
            count(*) OVER next AS known
        FROM starts, before
        WHERE before.enough >= $steady AND invoked_ns >= $felt_ns AND ($replica IS NULL OR replica = $replica)
        WINDOW next AS (ORDER BY invoked_ns, completed_ns ROWS BETWEEN CURRENT ROW AND $steady - 1 FOLLOWING)
    )
    SELECT min(completed_ns) AS at_ns
    FROM following
    WHERE well = 1 AND known = $steady
        AND invoked_ns = (SELECT min(invoked_ns) FROM following WHERE well = 1 AND known = $steady)
"""


def findings(database: Database) -> tuple[FaultFinding, ...]:
    """
    One finding for each fault and node of the evidence, in order of step and node.

    Raises UnansweredError if faults, instances or operations are missing.
    """
    return tuple(_finding(database, fault) for fault in database.rows(_FAULTS))


def _finding(database: Database, fault: Row) -> FaultFinding:
    def after_load_began(at_ns: int | None) -> float | None:
        return _seconds(at_ns, fault["load_start_ns"])

    return FaultFinding(
        step=fault["step"],
        fault=fault["fault"],
        node=fault["node"],
        at=after_load_began(fault["applied_ns"]),
        felt_after=_seconds(fault["felt_ns"], fault["applied_ns"]),
        healed_at=after_load_began(fault["healed_ns"]),
        in_flight=fault["in_flight"],
        recovery=_recovery(database, fault),
        proof=_proof(fault["proof"]),
    )


def _recovery(database: Database, fault: Row) -> float | None:
    if fault["applied_ns"] is None or fault["felt_ns"] is None:
        return None
    replica = _OF_A_REPLICA.fullmatch(fault["node"])
    well_ns = database.scalar(
        _STARTS,
        {"steady": _STEADY, "felt_ns": fault["felt_ns"], "replica": replica[1] if replica else None},
    )
    return _seconds(well_ns, fault["applied_ns"])


def _seconds(at_ns: int | None, since_ns: int | None) -> float | None:
    return None if at_ns is None or since_ns is None else round((at_ns - since_ns) / 1e9, 6)


def _proof(text: str | None) -> dict[str, Any]:
    """
    What was measured; a proof that is no JSON object is shown as it is.
    """
    try:
        proof = json.loads(text or "{}")
    except ValueError:
        proof = text
    return proof if isinstance(proof, dict) else {"text": proof}
