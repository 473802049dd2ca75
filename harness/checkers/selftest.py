"""
A test of the checker on a run's own evidence. One defect at a time is planted in a copy of the evidence, and the
invariants that name the defect must catch it.

A defect is a change of one row of one table. The row belongs to an instance that completed, to one that was
compensated, or to a start that got no answer. If a run has no such row, the defect cannot be planted. This is reported,
and never counted as caught. A harmless change is planted in the same way but breaks no promise, so no invariant may
find more than before. Only the general invariants are tested. A target's own invariants have tests of their own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from harness.checkers import invariant
from harness.checkers.database import Row, UnansweredError, open_database
from harness.checkers.judge import examine
from harness.checkers.telling import Telling
from harness.errors import EvidenceError
from harness.evidence.schema import ATTEMPTS, EFFECTS, HISTORY, INSTANCES, JOBS, OPERATIONS, READINGS, Table
from harness.evidence.tables import path
from harness.model import Plan, Planted

_VICTIMS = """
    WITH victim AS (
        SELECT
            (SELECT min(instance_id) FROM classes WHERE class = 'completed' AND told = 'accepted' AND starts = 1)
                AS completed,
            (SELECT min(instance_id) FROM classes WHERE class = 'compensated') AS compensated,
            (SELECT min(instance_id) FROM classes WHERE class = 'rejected') AS rejected
    ), pair AS (
        SELECT pairs.ordinal
        FROM pairs, victim
        WHERE pairs.instance_id = victim.compensated AND pairs.compensations > 0
        ORDER BY pairs.ordinal
        LIMIT 1
    )
    SELECT
        victim.*,
        (SELECT created_ns FROM classes WHERE instance_id = victim.completed) AS began_ns,
        (SELECT completed_ns FROM classes WHERE instance_id = victim.completed) AS ended_ns,
        (SELECT outcome FROM classes WHERE instance_id = victim.completed) AS completing,
        (SELECT outcome FROM classes WHERE instance_id = victim.rejected) AS rejecting,
        (SELECT forward FROM effect_pairs JOIN pair USING (ordinal)) AS forward,
        (SELECT compensation FROM effect_pairs JOIN pair USING (ordinal)) AS compensation
    FROM victim
"""
"""
The rows that are changed, and the names that conditions may use: the ids of instances, when the completed one began and
ended, the outcomes of the completed and of the rejected one, and an effect pair.
"""

_VICTIM_TYPES = {
    "completed": "VARCHAR",
    "compensated": "VARCHAR",
    "rejected": "VARCHAR",
    "began_ns": "BIGINT",
    "ended_ns": "BIGINT",
    "completing": "VARCHAR",
    "rejecting": "VARCHAR",
    "forward": "VARCHAR",
    "compensation": "VARCHAR",
}


@dataclass(frozen=True)
class Defect:
    """
    A change of the first row of `table` for which the condition `about` is true.

    `gone`: the row is removed. `twice`: the row is there twice. `new` (column -> SQL) gives values that the row gets;
    with `twice`, only the second copy gets them. With `of`, the first row of the table `of` is looked for instead, and
    a row is added to `table` that has only the values in `new`.
    """

    table: Table
    about: str
    gone: bool = False
    twice: bool = False
    new: Mapping[str, str] = field(default_factory=dict)
    of: Table | None = None


_COMPLETED = "instance_id = completed"
_UNDONE = "instance_id = compensated AND effect = compensation"
_LAST = "at_ns = max(at_ns) OVER (PARTITION BY instance_id) AND at_ns > min(at_ns) OVER (PARTITION BY instance_id)"
_OF_RETRY = "count(call_id) OVER (PARTITION BY instance_id, task_id) > 0"
_NEXT = "lead(event) OVER (PARTITION BY instance_id ORDER BY position)"
_BEFORE = "lag(task_id) OVER (PARTITION BY instance_id, event ORDER BY position)"
_JOB = {"kind": "'activity'", "name": "'run-activity'", "task_id": "1"}

DEFECTS: Mapping[str, Defect] = {
    # If the last row of a ledger is removed, its position alone does not show that it is missing.
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
    "effect_moved/late": Defect(EFFECTS, _COMPLETED, new={"at_ns": "ended_ns + 3600000000000"}),
    "forwards_swapped": Defect(EFFECTS, f"{_COMPLETED} AND {_LAST}", new={"at_ns": "1"}),
    "effect_late": Defect(EFFECTS, _COMPLETED, new={"at_ns": "ended_ns + 500000000"}),
    "effect_late/just": Defect(EFFECTS, _COMPLETED, new={"at_ns": "ended_ns + 1"}),
    "effect_of_nobody": Defect(EFFECTS, _COMPLETED, twice=True, new={"instance_id": "'of nobody'"}),
    "effect_renamed": Defect(EFFECTS, _COMPLETED, new={"effect": "'no such effect'"}),
    "attempt_deleted": Defect(
        ATTEMPTS,
        f"{_COMPLETED} AND outcome = 'ok' AND count(*) OVER (PARTITION BY instance_id, task_id) = 1",
        gone=True,
    ),
    "attempt_deleted/failed": Defect(
        ATTEMPTS,
        f"{_COMPLETED} AND outcome = 'ok' AND count(*) OVER (PARTITION BY instance_id, task_id) = 1",
        new={"outcome": "'error'"},
    ),
    "attempt_duplicated": Defect(ATTEMPTS, _COMPLETED, twice=True),
    "attempt_renamed": Defect(ATTEMPTS, _COMPLETED, new={"activity": "'no such activity'"}),
    "attempt_of_no_task": Defect(
        ATTEMPTS, _COMPLETED, twice=True, new={"task_id": "99999", "attempt_id": "'of no task'"}
    ),
    "attempt_before_start": Defect(ATTEMPTS, _COMPLETED, new={"started_ns": "1"}),
    "attempt_before_start/just": Defect(ATTEMPTS, _COMPLETED, new={"started_ns": "began_ns - 1000001"}),
    "instance_deleted": Defect(INSTANCES, _COMPLETED, gone=True),
    "instance_duplicated": Defect(INSTANCES, _COMPLETED, twice=True),
    "instance_moved": Defect(INSTANCES, _COMPLETED, new={"created_ns": "1"}),
    "instance_start_shifted": Defect(INSTANCES, _COMPLETED, new={"created_ns": "created_ns - 1"}),
    "instance_renamed": Defect(INSTANCES, _COMPLETED, new={"workflow": "'no such workflow'"}),
    "status_failed": Defect(INSTANCES, _COMPLETED, new={"status": "'FAILED'"}),
    "status_failed/canceled": Defect(INSTANCES, _COMPLETED, new={"status": "'CANCELED'"}),
    "status_lost": Defect(INSTANCES, _COMPLETED, new={"status": "NULL"}),
    "end_undone": Defect(INSTANCES, _COMPLETED, new={"status": "'RUNNING'", "completed_ns": "NULL"}),
    "outcome_flipped": Defect(INSTANCES, _COMPLETED, new={"outcome": "'no such outcome'"}),
    "outcome_flipped/rejected": Defect(
        INSTANCES, f"{_COMPLETED} AND rejecting IS NOT NULL", new={"outcome": "rejecting"}
    ),
    "outcome_flipped/completed": Defect(INSTANCES, "instance_id = compensated", new={"outcome": "completing"}),
    "output_changed": Defect(INSTANCES, _COMPLETED, new={"output": "'{}'"}),
    "output_changed/lost": Defect(INSTANCES, _COMPLETED, new={"output": "NULL"}),
    "generation_raised": Defect(INSTANCES, _COMPLETED, new={"generation": "generation + 100"}),
    "metadata_changed": Defect(INSTANCES, _COMPLETED, new={"history_length": "history_length + 1"}),
    "metadata_changed/rows": Defect(
        INSTANCES, _COMPLETED, new={"history_length": "history_length + 1", "history_rows": "history_rows + 1"}
    ),
    "metadata_changed/inbox": Defect(INSTANCES, _COMPLETED, new={"inbox_length": "inbox_length + 1"}),
    "inbox_left": Defect(INSTANCES, _COMPLETED, new={"inbox_rows": "1", "inbox_length": "1"}),
    "inbox_left/rows": Defect(INSTANCES, _COMPLETED, new={"inbox_rows": "1"}),
    "inbox_left/length": Defect(INSTANCES, _COMPLETED, new={"inbox_length": "1"}),
    "job_left": Defect(
        JOBS,
        _COMPLETED,
        of=INSTANCES,
        new={**_JOB, "instance_id": "instance_id", "listed_ns": "completed_ns + 60000000000"},
    ),
    "job_of_nobody": Defect(
        JOBS, _COMPLETED, of=INSTANCES, new={**_JOB, "instance_id": "'of nobody'", "listed_ns": "completed_ns"}
    ),
    "history_deleted": Defect(HISTORY, f"{_COMPLETED} AND position = 3", gone=True),
    "history_deleted/moved": Defect(HISTORY, f"{_COMPLETED} AND position = 3", new={"position": "1000"}),
    "history_duplicated": Defect(HISTORY, f"{_COMPLETED} AND position = 3", twice=True),
    "history_given_away": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskCompleted'", new={"instance_id": "compensated"}
    ),
    "history_given_away/to_nobody": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskCompleted'", new={"instance_id": "'of nobody'"}
    ),
    "history_moved": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskScheduled'", new={"at_ns": "1"}),
    "history_moved/late": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskScheduled'", new={"at_ns": "ended_ns + 3600000000000"}
    ),
    "history_moved/back": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskScheduled' AND position > 4", new={"at_ns": "began_ns + 1"}
    ),
    "result_moved": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskCompleted'", new={"at_ns": "1"}),
    "turn_shuffled": Defect(
        HISTORY,
        f"{_COMPLETED} AND event = 'taskCompleted' AND {_NEXT} = 'taskScheduled'",
        new={"position": "position + 2"},
    ),
    "schedule_deleted": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskScheduled'", gone=True),
    "schedule_deleted/timer": Defect(HISTORY, "event = 'timerCreated'", gone=True),
    "id_given_twice": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskScheduled' AND event_id > 1", new={"event_id": "event_id - 1"}
    ),
    "id_given_twice/timer": Defect(HISTORY, "event = 'timerCreated'", new={"event_id": "event_id - 1"}),
    "id_given_twice/end": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'executionCompleted'", new={"event_id": "event_id - 1"}
    ),
    "end_id_reused": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskScheduled'", new={"event_id": "event_id + 1000"}),
    "timer_fired_early": Defect(HISTORY, "event = 'timerFired'", new={"fire_at_ns": "at_ns + 50000000"}),
    "retry_wait_lengthened": Defect(HISTORY, "event = 'timerCreated'", new={"fire_at_ns": "fire_at_ns + 100000000000"}),
    "retry_wait_shortened": Defect(
        HISTORY, "event = 'timerCreated' AND call_id IS NOT NULL", new={"fire_at_ns": "at_ns - 10000000000"}
    ),
    "retry_timer_early": Defect(
        HISTORY,
        f"event = 'timerFired' AND {_OF_RETRY}",
        new={"at_ns": "at_ns - 10000000000", "fire_at_ns": "at_ns - 10000000000"},
    ),
    # If the firing were removed, there would be a gap, and tries are not counted if rows are missing.
    "retry_not_waited": Defect(HISTORY, f"event = 'timerFired' AND {_OF_RETRY}", new={"event": "'eventRaised'"}),
    # The timer before a try becomes another event, so no timer was set for that try.
    "retry_timer_missing": Defect(HISTORY, f"event = 'timerCreated' AND {_OF_RETRY}", new={"event": "'eventRaised'"}),
    "retried_after_success": Defect(
        HISTORY,
        f"event = 'taskFailed' AND {_NEXT} = 'timerCreated'",
        new={"event": "'taskCompleted'"},
    ),
    "retried_once_more": Defect(
        HISTORY,
        f"{_COMPLETED} AND event = 'taskScheduled' AND task_id = {_BEFORE} + 1",
        new={"call_id": "task_id - 1"},
    ),
    "completed_twice": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskCompleted'", twice=True),
    "completed_twice/failed": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskCompleted'", twice=True, new={"event": "'taskFailed'"}
    ),
    "completed_twice/timer": Defect(HISTORY, "event = 'timerFired'", twice=True),
    "start_deleted": Defect(HISTORY, f"{_COMPLETED} AND event = 'executionStarted'", gone=True),
    "start_deleted/turn": Defect(HISTORY, f"{_COMPLETED} AND position = 0", gone=True),
    "start_deleted/moved": Defect(HISTORY, f"{_COMPLETED} AND event = 'executionStarted'", new={"position": "1000"}),
    "started_twice": Defect(HISTORY, f"{_COMPLETED} AND event = 'executionStarted'", twice=True),
    "end_deleted": Defect(HISTORY, f"{_COMPLETED} AND event = 'executionCompleted'", gone=True),
    "ended_twice": Defect(
        HISTORY,
        f"{_COMPLETED} AND event = 'executionCompleted'",
        twice=True,
        new={"position": "position + 1"},
    ),
    "event_after_end": Defect(
        HISTORY,
        f"{_COMPLETED} AND event = 'executionCompleted'",
        twice=True,
        new={"position": "position + 1", "event": "'workflowStarted'"},
    ),
    "answered_early": Defect(OPERATIONS, _COMPLETED, new={"completed_ns": "invoked_ns"}),
    "answered_early/just": Defect(OPERATIONS, _COMPLETED, new={"completed_ns": "began_ns - 1"}),
    "answer_flipped_to_fail": Defect(OPERATIONS, _COMPLETED, new={"outcome": "'fail'"}),
    "unknown_flipped_to_ok": Defect(OPERATIONS, "outcome = 'unknown'", new={"outcome": "'ok'"}),
    "answer_flipped_to_fail/rejected": Defect(OPERATIONS, "instance_id = rejected", new={"outcome": "'fail'"}),
    "answer_misnamed": Defect(OPERATIONS, _COMPLETED, new={"outcome": "'no such outcome'"}),
    "answer_misnamed/lost": Defect(OPERATIONS, _COMPLETED, new={"outcome": "NULL"}),
    "answer_untimed": Defect(OPERATIONS, _COMPLETED, new={"completed_ns": "NULL"}),
    "answered_before_call": Defect(OPERATIONS, _COMPLETED, new={"completed_ns": "invoked_ns - 1"}),
    "asked_again": Defect(OPERATIONS, _COMPLETED, twice=True, new={"op_id": "'once more'", "try": "try + 1"}),
    "operation_duplicated": Defect(OPERATIONS, _COMPLETED, twice=True),
    "operation_deleted": Defect(OPERATIONS, _COMPLETED, gone=True),
    "reading_status_flipped": Defect(READINGS, _COMPLETED, new={"status": "'FAILED'"}),
    "reading_output_changed": Defect(READINGS, _COMPLETED, new={"output": "'{}'"}),
    "reading_output_changed/lost": Defect(READINGS, _COMPLETED, new={"output": "NULL"}),
    "reading_undone": Defect(READINGS, _COMPLETED, new={"status": "'RUNNING'", "output": "NULL"}),
    "reading_invented": Defect(READINGS, _COMPLETED, twice=True, new={"instance_id": "'of nobody'"}),
    "reading_lost": Defect(READINGS, _COMPLETED, new={"status": "NULL", "output": "NULL"}),
    "reading_renamed": Defect(READINGS, _COMPLETED, new={"workflow": "'no such workflow'"}),
    "reading_moved": Defect(READINGS, _COMPLETED, new={"created_ns": "created_ns + 1"}),
    "reading_moved/end": Defect(READINGS, _COMPLETED, new={"updated_ns": "updated_ns - 1"}),
    "reading_failed": Defect(READINGS, _COMPLETED, new={"status": "NULL", "error": "'HTTP 500'"}),
    "kind_undeclared": Defect(OPERATIONS, _COMPLETED, new={"kind": "'no such kind'"}),
    "kind_changed": Defect(OPERATIONS, _COMPLETED, new={"kind": "'no such kind'"}),
    "kind_changed/compensated": Defect(OPERATIONS, "instance_id = compensated", new={"kind": "'no such kind'"}),
    "kind_changed/rejected": Defect(OPERATIONS, "instance_id = rejected", new={"kind": "'no such kind'"}),
}
"""
The names are those that invariants give in `catches`. The text after a slash distinguishes several ways to plant one
defect.
"""

HARMLESS: Mapping[str, Defect] = {
    "attempt_at_start": Defect(ATTEMPTS, _COMPLETED, new={"started_ns": "began_ns - 1000000"}),
    "answered_at_start": Defect(OPERATIONS, _COMPLETED, new={"completed_ns": "began_ns"}),
    "attempt_repeated": Defect(ATTEMPTS, _COMPLETED, twice=True, new={"attempt_id": "'once more'"}),
    "attempt_cut_off": Defect(
        ATTEMPTS,
        _COMPLETED,
        twice=True,
        new={"attempt_id": "'once more'", "ended_ns": "NULL", "outcome": "NULL"},
    ),
    "effect_row_elsewhere": Defect(EFFECTS, _COMPLETED),
    "history_row_elsewhere": Defect(HISTORY, f"{_COMPLETED} AND position = 3"),
    "history_row_elsewhere/compensated": Defect(HISTORY, "instance_id = compensated AND position = 3"),
    "history_row_elsewhere/timer": Defect(HISTORY, "event = 'timerCreated'"),
    "reading_early": Defect(
        READINGS, _COMPLETED, new={"status": "'RUNNING'", "output": "NULL", "asked_ns": "ended_ns - 1"}
    ),
    "job_soon_gone": Defect(
        JOBS,
        _COMPLETED,
        of=INSTANCES,
        new={**_JOB, "instance_id": "instance_id", "listed_ns": "completed_ns + 1000000000"},
    ),
}
"""
Changes that break no promise: bodies that ran again, times as close together as they may be, rows in another order in
their files, and answers of Dapr or its scheduler that were true when they were given.
"""


def tried(plan: Plan, evidence: Path) -> Iterator[Planted]:
    """
    Plant one defect after the other in copies of `evidence`, a folder of Parquet files, and return for each which of
    the invariants that name it caught it. Then plant the harmless changes, and return for each which of all invariants
    raised an alarm.

    The evidence itself is not changed. Raises EvidenceError if it lacks the data that the defects need.
    """
    texts = invariant.load(invariant.GENERAL)
    catches = {name: invariant.parse(text).catches for name, text in texts.items()}
    with open_database(plan, evidence) as database:
        try:
            (victims,) = database.rows(_VICTIMS)
            telling = Telling(database.scalar("SELECT load_start_ns FROM run"))
        except UnansweredError as error:
            raise EvidenceError(f"the self-test needs evidence that is whole: {error}") from error
        before = {name: examine(database, telling, name, text, "general").violations for name, text in texts.items()}
    with tempfile.TemporaryDirectory(prefix="harness-selftest-") as scratch:
        copy = Path(shutil.copytree(evidence, Path(scratch) / "evidence"))
        for name, defect in {**DEFECTS, **HARMLESS}.items():
            expected = () if name in HARMLESS else naming(name, catches)
            planted = _plant(defect, evidence, copy, victims)
            caught: tuple[str, ...] = ()
            if planted:
                with open_database(plan, copy) as database:
                    findings = [
                        examine(database, telling, invariant_name, texts[invariant_name], "general")
                        for invariant_name in expected or texts
                    ]
                caught = tuple(finding.name for finding in findings if finding.violations > before[finding.name])
                shutil.copy(path(evidence, defect.table), path(copy, defect.table))
            yield Planted(
                defect=name,
                table=defect.table.name,
                harmless=name in HARMLESS,
                expected=expected,
                planted=planted,
                caught=caught,
            )


def naming(defect: str, catches: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """
    Return the invariants that name a defect. `catches` maps an invariant to the defects that it names.
    """
    return tuple(sorted(name for name, defects in catches.items() if defect.partition("/")[0] in defects))


def _plant(defect: Defect, evidence: Path, copy: Path, victims: Row) -> bool:
    """
    Write the table of `evidence` with the defect to `copy`. Return False, and write nothing, if there is no row for it.
    """
    with duckdb.connect() as connection:
        rows = connection.read_parquet(str(path(evidence, defect.table)), file_row_number=True)
        source = rows
        if defect.of is not None:
            source = connection.read_parquet(str(path(evidence, defect.of)), file_row_number=True)
        about = [
            duckdb.ConstantExpression(victims[name]).cast(type_).alias(name) for name, type_ in _VICTIM_TYPES.items()
        ]
        with_victims = source.select(duckdb.StarExpression(), *about)
        lines = with_victims.select(f"file_row_number AS line, {defect.about} AS meant").filter("meant")
        first = lines.order("line").limit(1).fetchall()
        if not first:
            return False
        line = first[0][0]
        types = dict(zip(rows.columns, rows.types, strict=True))
        del types["file_row_number"]
        kept = ", ".join(f'"{name}"' for name in types)
        as_it_is = {name: name if defect.of is None else "NULL" for name in types}
        new = {**as_it_is, **defect.new}
        changed = ", ".join(f'CAST({new[name]} AS {types[name]}) AS "{name}"' for name in types)
        parts = [rows.select(kept) if defect.of else rows.filter(f"file_row_number <> {line}").select(kept)]
        if defect.twice:
            parts.append(rows.filter(f"file_row_number = {line}").select(kept))
        if not defect.gone:
            parts.append(with_victims.filter(f"file_row_number = {line}").select(changed))
        together = parts[0]
        for part in parts[1:]:
            together = together.union(part)
        together.write_parquet(str(path(copy, defect.table)))
    return True
