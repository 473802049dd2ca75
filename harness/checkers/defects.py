"""
The defects that the self-test plants, and the harmless changes: each is a change of one row of one table.

Longer than most modules, because it is one list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.evidence.columns import Table
from harness.evidence.schema import (
    ATTEMPTS,
    BALANCES,
    DELIVERIES,
    EFFECTS,
    HISTORY,
    INSTANCES,
    JOBS,
    JOURNALS,
    MOVES,
    OPERATIONS,
    PHASES,
    READINGS,
    TURNS,
)


@dataclass(frozen=True)
class Defect:
    """
    A change of the first row of `table` for which the condition `about` is true.

    `gone`: the row is removed. `twice`: the row is there twice. `new` (column -> SQL) gives values that the row gets;
    with `twice`, only the second copy gets them. With `of`, the first row of the table `of` is looked for instead, and
    a row is added to `table` that has only the values in `new`. The invariants in `seen_by` rightly see a harmless
    change.
    """

    table: Table
    about: str
    gone: bool = False
    twice: bool = False
    new: Mapping[str, str] = field(default_factory=dict)
    of: Table | None = None
    seen_by: tuple[str, ...] = ()


_COMPLETED = "instance_id = completed"
_WITH_OUTCOME = f"{_COMPLETED} AND completing IS NOT NULL"
_AND_COMPENSATED = f"{_COMPLETED} AND compensated IS NOT NULL"
_AND_REJECTED = f"{_COMPLETED} AND rejected IS NOT NULL"
_UNDONE = "instance_id = compensated AND effect = compensation"
_LAST = "at_ns = max(at_ns) OVER (PARTITION BY instance_id) AND at_ns > min(at_ns) OVER (PARTITION BY instance_id)"
_OF_RETRY = "count(call_id) OVER (PARTITION BY instance_id, task_id) > 0"
_END = "event = 'executionCompleted'"
_TIMER, _WAIT = "event = 'timerCreated'", "event = 'timerCreated' AND call_id IS NOT NULL"
_FIRES = "count_if(event = 'timerFired') OVER (PARTITION BY instance_id, task_id) > 0"
_NEXT = "lead(event) OVER (PARTITION BY instance_id ORDER BY position)"
_BEFORE = "lag(task_id) OVER (PARTITION BY instance_id, event ORDER BY position)"
_JOB = {"kind": "'activity'", "name": "'run-activity'", "task_id": "1"}

_BEFORE_ITS_PHASE = ("record_phases",)
"""That Dapr was asked early is harmless. That it was before the phase for this is not."""
_BESIDE_TAP = ("record_attempts",)
"""That a body ran again is harmless. That the tap does not say so is not."""

_HOUR = "3600000000000"
"""In nanoseconds."""

DEFECTS: Mapping[str, Defect] = {
    # If the last row of a ledger is removed, its position alone does not show that it is missing.
    "forward_deleted": Defect(
        EFFECTS, f"{_COMPLETED} AND position < max(position) OVER (PARTITION BY source)", gone=True
    ),
    "forward_duplicated": Defect(EFFECTS, _COMPLETED, twice=True),
    "forward_given_away": Defect(EFFECTS, _AND_COMPENSATED, new={"instance_id": "compensated"}),
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
    "delivery_deleted": Defect(DELIVERIES, f"{_COMPLETED} AND outcome = 'ok'", gone=True),
    "delivery_invented": Defect(DELIVERIES, f"{_COMPLETED} AND outcome = 'ok'", twice=True),
    "delivery_invented/elsewhere": Defect(DELIVERIES, f"{_COMPLETED} AND outcome = 'ok'", new={"node": "'app-7'"}),
    "turn_differs": Defect(TURNS, f"{_COMPLETED} AND same", new={"same": "FALSE", "difference": "'one'"}),
    "turn_of_nobody": Defect(TURNS, _COMPLETED, new={"instance_id": "'nobody'"}),
    "turn_elsewhere": Defect(TURNS, _COMPLETED, new={"node": "'app-0'"}),
    "turn_half_told": Defect(TURNS, f"{_COMPLETED} AND other IS NOT NULL", new={"other": "NULL"}),
    "turn_misplaced": Defect(TURNS, "turned_ns = min(turned_ns) OVER ()", new={"past": "past + 1"}),
    "turn_duplicated": Defect(TURNS, _COMPLETED, twice=True),
    "instance_deleted": Defect(INSTANCES, _COMPLETED, gone=True),
    "instance_duplicated": Defect(INSTANCES, _COMPLETED, twice=True),
    "instance_moved": Defect(INSTANCES, _COMPLETED, new={"created_ns": "1"}),
    "instance_start_shifted": Defect(INSTANCES, _COMPLETED, new={"created_ns": "created_ns - 1"}),
    "parent_invented": Defect(INSTANCES, _COMPLETED, new={"parent_id": "'nobody'", "root_id": "'nobody'"}),
    "parent_invented/root": Defect(INSTANCES, _COMPLETED, new={"root_id": "'nobody'"}),
    "parent_invented/other": Defect(INSTANCES, _AND_REJECTED, new={"parent_id": "rejected", "root_id": "rejected"}),
    "instance_renamed": Defect(INSTANCES, _COMPLETED, new={"workflow": "'no such workflow'"}),
    "status_failed": Defect(INSTANCES, _COMPLETED, new={"status": "'FAILED'"}),
    "status_failed/canceled": Defect(INSTANCES, _COMPLETED, new={"status": "'CANCELED'"}),
    "status_lost": Defect(INSTANCES, _COMPLETED, new={"status": "NULL"}),
    "end_undone": Defect(INSTANCES, _COMPLETED, new={"status": "'RUNNING'", "completed_ns": "NULL"}),
    "balance_shifted": Defect(BALANCES, "TRUE", new={"ended": "ended + 1000000"}),
    "move_deleted": Defect(MOVES, f"{_COMPLETED} AND amount <> 0", gone=True),
    "balance_missing": Defect(BALANCES, "TRUE", gone=True),
    "balance_duplicated": Defect(BALANCES, "TRUE", twice=True),
    "balance_began_elsewhere": Defect(BALANCES, "TRUE", new={"began": "began + 1"}),
    "move_invented": Defect(MOVES, f"{_COMPLETED} AND amount <> 0", twice=True),
    "move_changed": Defect(MOVES, f"{_COMPLETED} AND amount <> 0", new={"amount": "amount + 1"}),
    "outcome_undeclared": Defect(INSTANCES, _WITH_OUTCOME, new={"outcome": "'no such outcome'"}),
    "outcome_flipped": Defect(INSTANCES, f"{_COMPLETED} AND rejecting IS NOT NULL", new={"outcome": "rejecting"}),
    "outcome_flipped/completed": Defect(
        INSTANCES, "instance_id = compensated AND completing IS NOT NULL", new={"outcome": "completing"}
    ),
    "output_changed": Defect(INSTANCES, _WITH_OUTCOME, new={"output": "'{}'"}),
    "output_changed/lost": Defect(INSTANCES, _WITH_OUTCOME, new={"output": "NULL"}),
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
        HISTORY, f"{_AND_COMPENSATED} AND event = 'taskCompleted'", new={"instance_id": "compensated"}
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
    # The time-out of a wait for an event does not fire if the event comes first, and nobody misses it then.
    "schedule_deleted/timer": Defect(HISTORY, f"{_TIMER} AND {_FIRES}", gone=True),
    "id_given_twice": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskScheduled' AND event_id > 1", new={"event_id": "event_id - 1"}
    ),
    "id_given_twice/timer": Defect(HISTORY, f"{_TIMER} AND event_id > 1", new={"event_id": "event_id - 1"}),
    "id_given_twice/end": Defect(HISTORY, f"{_COMPLETED} AND {_END}", new={"event_id": "event_id - 1"}),
    "end_id_reused": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskScheduled'", new={"event_id": "event_id + 1000"}),
    "timer_fired_early": Defect(HISTORY, "event = 'timerFired'", new={"fire_at_ns": "at_ns + 50000000"}),
    "retry_wait_lengthened": Defect(HISTORY, _WAIT, new={"fire_at_ns": "fire_at_ns + 100000000000"}),
    "retry_wait_shortened": Defect(HISTORY, _WAIT, new={"fire_at_ns": "at_ns - 10000000000"}),
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
    "end_deleted": Defect(HISTORY, f"{_COMPLETED} AND {_END}", gone=True),
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
    "value_emptied": Defect(EFFECTS, _COMPLETED, new={"attributes": "''"}),
    "number_out_of_range": Defect(INSTANCES, _COMPLETED, new={"generation": "0"}),
    "time_out_of_range": Defect(READINGS, _COMPLETED, new={"asked_ns": "0"}),
    "phase_moved": Defect(PHASES, "phase = 'settle'", new={"ended_ns": f"ended_ns + {_HOUR}"}),
    "phase_moved/start": Defect(PHASES, "phase = 'load'", new={"started_ns": f"started_ns + {_HOUR}"}),
    "phase_duplicated": Defect(PHASES, "phase = 'heal'", twice=True),
    "phase_renamed": Defect(PHASES, "phase = 'up'", new={"phase": "'warm up'"}),
    "arrival_moved": Defect(OPERATIONS, _COMPLETED, new={"intended_ns": "intended_ns - 5000000"}),
    "arrival_unplanned": Defect(
        OPERATIONS, _COMPLETED, twice=True, new={"instance_id": "'unplanned'", "op_id": "client || '/1000000'"}
    ),
    "call_renumbered": Defect(OPERATIONS, _COMPLETED, new={"op_id": "client || '/1000000'"}),
    "call_to_nobody": Defect(OPERATIONS, _COMPLETED, new={"node": "'redis'"}),
    "call_undue": Defect(OPERATIONS, _COMPLETED, new={"intended_ns": "invoked_ns + 1"}),
    "call_of_stranger": Defect(OPERATIONS, _COMPLETED, new={"client": "'nobody'"}),
    "body_of_nobody": Defect(
        ATTEMPTS, _COMPLETED, twice=True, new={"instance_id": "'of nobody'", "attempt_id": "'of nobody'"}
    ),
    "body_ends_first": Defect(ATTEMPTS, _COMPLETED, new={"ended_ns": "started_ns - 1"}),
    "body_half_told": Defect(ATTEMPTS, f"{_COMPLETED} AND outcome = 'ok'", new={"ended_ns": "NULL"}),
    "body_elsewhere": Defect(ATTEMPTS, _COMPLETED, new={"node": "'redis'"}),
    "failure_without_body": Defect(ATTEMPTS, "outcome = 'error'", new={"outcome": "'ok'", "detail": "NULL"}),
    "ledger_shuffled": Defect(
        EFFECTS,
        f"{_COMPLETED} AND position < max(position) OVER (PARTITION BY source)",
        new={"at_ns": f"at_ns + {_HOUR}"},
    ),
    "ledger_unknown": Defect(EFFECTS, _COMPLETED, new={"source": "'nobody'"}),
    "key_shared": Defect(EFFECTS, _COMPLETED, twice=True, new={"instance_id": "'of nobody'"}),
    "key_lost": Defect(EFFECTS, _COMPLETED, new={"key": "NULL"}),
    "effect_timeless": Defect(EFFECTS, _COMPLETED, new={"at_ns": "NULL"}),
    "attributes_broken": Defect(EFFECTS, _COMPLETED, new={"attributes": "'no JSON'"}),
    "ended_without_end": Defect(INSTANCES, _COMPLETED, new={"status": "'RUNNING'"}),
    "reading_missing": Defect(READINGS, _COMPLETED, gone=True),
    "reading_duplicated": Defect(READINGS, _COMPLETED, twice=True),
    "reading_answered_first": Defect(READINGS, _COMPLETED, new={"answered_ns": "asked_ns - 1"}),
    "reading_half_told": Defect(READINGS, _COMPLETED, new={"status": "NULL"}),
    "journal_unknown": Defect(JOURNALS, "file = 'phases.jsonl'", new={"file": "'diary.txt'"}),
    "result_after_turn": Defect(
        HISTORY, f"{_COMPLETED} AND event = 'taskCompleted'", new={"at_ns": "ended_ns + 5000000"}
    ),
    "event_unknown": Defect(HISTORY, f"{_COMPLETED} AND event = 'workflowStarted'", new={"event": "'odd'"}),
    "event_half_told": Defect(HISTORY, f"{_COMPLETED} AND event = 'taskScheduled'", new={"name": "NULL"}),
    "effect_elsewhere": Defect(EFFECTS, _COMPLETED, new={"at_ns": "began_ns + 1"}),
}
"""
The names are those that invariants give in `catches`. The text after a slash distinguishes several ways to plant one
defect.
"""

HARMLESS: Mapping[str, Defect] = {
    "attempt_at_start": Defect(ATTEMPTS, _COMPLETED, new={"started_ns": "began_ns - 1000000"}),
    "answered_at_start": Defect(OPERATIONS, _COMPLETED, new={"completed_ns": "began_ns"}),
    "attempt_repeated": Defect(
        ATTEMPTS, _COMPLETED, twice=True, new={"attempt_id": "'once more'"}, seen_by=_BESIDE_TAP
    ),
    "attempt_cut_off": Defect(
        ATTEMPTS,
        _COMPLETED,
        twice=True,
        new={"attempt_id": "'once more'", "ended_ns": "NULL", "outcome": "NULL"},
        seen_by=_BESIDE_TAP,
    ),
    "delivery_cut_off": Defect(
        DELIVERIES,
        _COMPLETED,
        twice=True,
        new={
            "attempt_id": "'once more'",
            "completed_ns": "NULL",
            "outcome": "NULL",
            "cut_ns": "delivered_ns + 1000000",
        },
    ),
    "turn_unanswered": Defect(TURNS, f"{_COMPLETED} AND same", new={"same": "NULL", "other": "NULL"}),
    "effect_row_elsewhere": Defect(EFFECTS, _COMPLETED),
    "history_row_elsewhere": Defect(HISTORY, f"{_COMPLETED} AND position = 3"),
    "history_row_elsewhere/compensated": Defect(HISTORY, "instance_id = compensated AND position = 3"),
    "history_row_elsewhere/timer": Defect(HISTORY, "event = 'timerCreated'"),
    "reading_early": Defect(
        READINGS,
        _COMPLETED,
        new={"status": "'RUNNING'", "output": "NULL", "asked_ns": "ended_ns - 1"},
        seen_by=_BEFORE_ITS_PHASE,
    ),
    "job_soon_gone": Defect(
        JOBS,
        _COMPLETED,
        of=INSTANCES,
        new={**_JOB, "instance_id": "instance_id", "listed_ns": "completed_ns + 1000000000"},
        seen_by=_BEFORE_ITS_PHASE,
    ),
}
"""
Changes that break no promise: bodies that ran again, times as close together as they may be, rows in another order in
their files, and answers of Dapr or its scheduler that were true when they were given.
"""
