"""
The checker tried on a run's own evidence: one defect at a time is planted in a copy, and the invariants that name it
must catch it.

A defect is one row of one table that is not as it was: of an instance that completed, of one that was compensated, or
of a start that got no answer. Where a run has none, the defect cannot be planted, which is told and never counted as
caught. What is tried is the general invariants; a target's own are for its own tests.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from harness.checkers import invariant
from harness.checkers.database import Row, UnansweredError, opened
from harness.checkers.judge import examine
from harness.checkers.telling import Telling
from harness.errors import EvidenceError
from harness.evidence.schema import ATTEMPTS, EFFECTS, HISTORY, INSTANCES, OPERATIONS, READINGS, Table
from harness.evidence.tables import path
from harness.model import Plan, Planted

_VICTIMS = """
    WITH one AS (
        SELECT
            (SELECT min(instance_id) FROM classes WHERE class = 'completed' AND told = 'accepted' AND starts = 1)
                AS completed,
            (SELECT min(instance_id) FROM classes WHERE class = 'compensated') AS compensated
    ), pair AS (
        SELECT pairs.ordinal
        FROM pairs, one
        WHERE pairs.instance_id = one.compensated AND pairs.compensations > 0
        ORDER BY pairs.ordinal
        LIMIT 1
    )
    SELECT
        one.*,
        (SELECT completed_ns FROM classes WHERE instance_id = one.completed) AS ended_ns,
        (SELECT forward FROM effect_pairs JOIN pair USING (ordinal)) AS forward,
        (SELECT compensation FROM effect_pairs JOIN pair USING (ordinal)) AS compensation
    FROM one
"""
"""Whose rows are changed, and what conditions may name: instances, when the completed one ended, an effect pair."""

_VICTIM_TYPES = {
    "completed": "VARCHAR",
    "compensated": "VARCHAR",
    "ended_ns": "BIGINT",
    "forward": "VARCHAR",
    "compensation": "VARCHAR",
}


@dataclass(frozen=True)
class Defect:
    """
    What becomes of the first row of `table` of which `about` is true: it is `gone`, it is there `twice`, or values of
    it (column -> SQL) are `new`; of one that is there twice, the second's.
    """

    table: Table
    about: str
    gone: bool = False
    twice: bool = False
    new: Mapping[str, str] = field(default_factory=dict)


_COMPLETED = "instance_id = completed"
_UNDONE = "instance_id = compensated AND effect = compensation"

DEFECTS: Mapping[str, Defect] = {
    # Of the last row of a ledger nobody can tell that it is gone by its place alone.
    "forward_deleted": Defect(
        EFFECTS, f"{_COMPLETED} AND position < max(position) OVER (PARTITION BY source)", gone=True
    ),
    "forward_duplicated": Defect(EFFECTS, _COMPLETED, twice=True),
    "forward_given_away": Defect(EFFECTS, _COMPLETED, new={"instance_id": "compensated"}),
    "compensation_deleted": Defect(EFFECTS, _UNDONE, gone=True),
    "compensation_duplicated": Defect(EFFECTS, _UNDONE, twice=True),
    "compensation_first": Defect(EFFECTS, _UNDONE, new={"at_ns": "1"}),
    "compensated_forward_deleted": Defect(EFFECTS, "instance_id = compensated AND effect = forward", gone=True),
    "effect_moved": Defect(EFFECTS, _COMPLETED, new={"at_ns": "1"}),
    "effect_late": Defect(EFFECTS, _COMPLETED, new={"at_ns": "ended_ns + 500000000"}),
    "effect_of_nobody": Defect(EFFECTS, _COMPLETED, twice=True, new={"instance_id": "'of nobody'"}),
    "effect_renamed": Defect(EFFECTS, _COMPLETED, new={"effect": "'no such effect'"}),
    "attempt_deleted": Defect(
        ATTEMPTS,
        f"{_COMPLETED} AND outcome = 'ok' AND count(*) OVER (PARTITION BY instance_id, task_id) = 1",
        gone=True,
    ),
    "attempt_duplicated": Defect(ATTEMPTS, _COMPLETED, twice=True),
    "attempt_renamed": Defect(ATTEMPTS, _COMPLETED, new={"activity": "'no such activity'"}),
    "attempt_of_no_task": Defect(
        ATTEMPTS, _COMPLETED, twice=True, new={"task_id": "99999", "attempt_id": "'of no task'"}
    ),
    "attempt_before_start": Defect(ATTEMPTS, _COMPLETED, new={"started_ns": "1"}),
    "instance_deleted": Defect(INSTANCES, _COMPLETED, gone=True),
    "instance_duplicated": Defect(INSTANCES, _COMPLETED, twice=True),
    "instance_moved": Defect(INSTANCES, _COMPLETED, new={"created_ns": "1"}),
    "status_failed": Defect(INSTANCES, _COMPLETED, new={"status": "'FAILED'"}),
    "status_lost": Defect(INSTANCES, _COMPLETED, new={"status": "NULL"}),
    "outcome_flipped": Defect(INSTANCES, _COMPLETED, new={"outcome": "'no such outcome'"}),
    "output_changed": Defect(INSTANCES, _COMPLETED, new={"output": "'{}'"}),
    "generation_raised": Defect(INSTANCES, _COMPLETED, new={"generation": "generation + 100"}),
    "metadata_changed": Defect(INSTANCES, _COMPLETED, new={"history_length": "history_length + 1"}),
    "inbox_left": Defect(INSTANCES, _COMPLETED, new={"inbox_rows": "1", "inbox_length": "1"}),
    "history_deleted": Defect(HISTORY, f"{_COMPLETED} AND position = 3", gone=True),
    "history_duplicated": Defect(HISTORY, f"{_COMPLETED} AND position = 3", twice=True),
    "history_given_away": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskCompleted'", new={"instance_id": "compensated"}
    ),
    "history_moved": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskScheduled'", new={"at_ns": "1"}),
    "schedule_deleted": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskScheduled'", gone=True),
    "id_given_twice": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskScheduled' AND event_id > 1", new={"event_id": "event_id - 1"}
    ),
    "timer_fired_early": Defect(HISTORY, "event = 'timerFired'", new={"fire_at_ns": "at_ns + 50000000"}),
    "retry_wait_lengthened": Defect(HISTORY, "event = 'timerCreated'", new={"fire_at_ns": "fire_at_ns + 100000000000"}),
    "completed_twice": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskCompleted'", twice=True),
    "start_deleted": Defect(HISTORY, f"{_COMPLETED} AND event = 'executionStarted'", gone=True),
    "started_twice": Defect(HISTORY, f"{_COMPLETED} AND event = 'executionStarted'", twice=True),
    "end_deleted": Defect(HISTORY, f"{_COMPLETED} AND event = 'executionCompleted'", gone=True),
    "ended_twice": Defect(
        HISTORY,
        f"{_COMPLETED} AND event = 'executionCompleted'",
        twice=True,
        new={"position": "position + 1"},
    ),
    "answered_early": Defect(OPERATIONS, _COMPLETED, new={"completed_ns": "invoked_ns"}),
    "answer_flipped_to_fail": Defect(OPERATIONS, _COMPLETED, new={"outcome": "'fail'"}),
    "unknown_flipped_to_ok": Defect(OPERATIONS, "outcome = 'unknown'", new={"outcome": "'ok'"}),
    "operation_deleted": Defect(OPERATIONS, _COMPLETED, gone=True),
    "reading_status_flipped": Defect(READINGS, _COMPLETED, new={"status": "'FAILED'"}),
    "reading_output_changed": Defect(READINGS, _COMPLETED, new={"output": "'{}'"}),
    "reading_lost": Defect(READINGS, _COMPLETED, new={"status": "NULL", "output": "NULL"}),
    "reading_failed": Defect(READINGS, _COMPLETED, new={"status": "NULL", "error": "'HTTP 500'"}),
    "kind_changed": Defect(OPERATIONS, _COMPLETED, new={"kind": "'no such kind'"}),
}
"""The names are those that invariants give in `catches`."""


def tried(plan: Plan, evidence: Path) -> Iterator[Planted]:
    """
    Plant one defect after the other in copies of `evidence`, a folder of Parquet files; which invariants caught it?

    The evidence itself is not touched. Raises EvidenceError if it lacks what the defects are about.
    """
    texts = invariant.load(invariant.GENERAL)
    named = {name: invariant.parse(text).catches for name, text in texts.items()}
    with opened(plan, evidence) as database:
        try:
            (victims,) = database.rows(_VICTIMS)
            telling = Telling(database.scalar("SELECT load_start_ns FROM run"))
        except UnansweredError as error:
            raise EvidenceError(f"the self-test needs evidence that is whole: {error}") from error
        before = {name: examine(database, telling, name, text, "general").violations for name, text in texts.items()}
    with tempfile.TemporaryDirectory(prefix="harness-selftest-") as scratch:
        copy = Path(shutil.copytree(evidence, Path(scratch) / "evidence"))
        for name, defect in DEFECTS.items():
            expected = tuple(sorted(one for one, catches in named.items() if name in catches))
            planted = _plant(defect, evidence, copy, victims)
            caught: tuple[str, ...] = ()
            if planted:
                with opened(plan, copy) as database:
                    found = [examine(database, telling, one, texts[one], "general") for one in expected]
                caught = tuple(one.name for one in found if one.violations > before[one.name])
                shutil.copy(path(evidence, defect.table), path(copy, defect.table))
            yield Planted(defect=name, table=defect.table.name, expected=expected, planted=planted, caught=caught)


def _plant(defect: Defect, evidence: Path, copy: Path, victims: Row) -> bool:
    """
    Write the table of `evidence` with the defect to `copy`. False, and nothing written, if there is no row for it.
    """
    with duckdb.connect() as connection:
        rows = connection.read_parquet(str(path(evidence, defect.table)), file_row_number=True)
        about = [
            duckdb.ConstantExpression(victims[name]).cast(type_).alias(name) for name, type_ in _VICTIM_TYPES.items()
        ]
        told = rows.select(duckdb.StarExpression(), *about)
        lines = told.select(f"file_row_number AS line, {defect.about} AS meant").filter("meant")
        first = lines.order("line").limit(1).fetchall()
        if not first:
            return False
        line = first[0][0]
        types = dict(zip(rows.columns, rows.types, strict=True))
        del types["file_row_number"]
        kept = ", ".join(f'"{name}"' for name in types)
        changed = ", ".join(f'CAST({defect.new.get(name, name)} AS {types[name]}) AS "{name}"' for name in types)
        parts = [rows.filter(f"file_row_number <> {line}").select(kept)]
        if defect.twice:
            parts.append(rows.filter(f"file_row_number = {line}").select(kept))
        if not defect.gone:
            parts.append(told.filter(f"file_row_number = {line}").select(changed))
        together = parts[0]
        for part in parts[1:]:
            together = together.union(part)
        together.write_parquet(str(path(copy, defect.table)))
    return True
