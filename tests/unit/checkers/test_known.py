"""
The known findings: each recognises its sighting and nothing else, and no defect of an application is taken for one.
"""

import re
import shutil
from pathlib import Path

import pytest

from harness.checkers import invariant, known
from harness.checkers.database import open_database
from harness.checkers.telling import Telling
from harness.evidence import schema, tables
from tests.builders.literal import (
    LIES,
    MS,
    T0,
    append_event,
    change,
    drop,
    end_undone,
    events,
    one,
    twice,
)

SIGHTINGS = Path(__file__).resolve().parents[2] / "sightings"
KNOWN = known.load()

SEEN = {
    "canceled_turn_answered": {"canceled_turn_answered": {"lost_answer-000071"}},
    "canceled_turn_waits": {"canceled_turn_waits": {"plain-000008"}},
    "event_taken_twice": {"event_taken_twice": {"approval-000177"}},
    "half_written_after_cancel": {"half_written_after_cancel": {"refused-000181"}},
    "half_written_after_cancel_same_turn": {"half_written_after_cancel": {"plain-000125"}},
    "half_written_inbox": {"half_written_inbox": {"plain-000554"}, "half_written_save": {"plain-000554"}},
    "half_written_inbox_displaced": {"half_written_inbox": {"flaky-000534"}},
    "half_written_save": {"half_written_save": {"lost_answer-000098"}},
    "half_written_save_head": {"half_written_save": {"refused-000191"}},
    "half_written_turn": {"half_written_turn": {"lost_for_good-000094"}},
    "handed_out_twice": {"handed_out_twice": {"plain-000071"}},
    "history_hole": {"history_hole": {"scarce-000044"}},
    "inbox_hole": {"inbox_hole": {"lost_for_good-000249"}},
    "inbox_hole_to_the_end": {
        "inbox_hole": {"lost_answer-000028"},
        "last_task_unrecorded": {"lost_answer-000028"},
    },
    "last_task_unrecorded": {"last_task_unrecorded": {"scarce-000044"}},
    "paused_turn_ordered_again": {"paused_turn_ordered_again": {"plain-000056"}},
    "purge_leaves_metadata": {"purge_leaves_metadata": {"plain-000197"}},
    "request_left_behind": {"request_left_behind": {"refused-000055"}},
    "result_discarded": {"result_discarded": {"lost_for_good-000123"}},
    "resumed_while_not_paused": {"resumed_while_not_paused": {"lost_answer-000049"}},
    "scheduler_waits_for_lease": {"scheduler_waits_for_lease": {None}},
    "sidecar_hosts_nothing": {"sidecar_hosts_nothing": {"flaky-000424"}},
    "stalled_by_timer": {"stalled_by_timer": {"lost_for_good-000086"}},
    "start_never_run": {"start_never_run": {"lost_answer-000569"}},
    "start_repeated": {"start_repeated": {"good-000025"}},
    "terminate_waits_for_resume": {
        "terminate_waits_for_resume": {"plain-000113"},
        "ordered_beside_terminate": {"plain-000113"},
    },
    "ordered_beside_terminate": {"ordered_beside_terminate": {"lost_answer-000227"}},
    "timer_of_later_generation": {"timer_of_later_generation": {"lost-000062"}},
}
"""Sighting -> what each finding that recognises it names there; none else may."""


def found(database):
    """Finding -> the instances that it returns from this evidence, with a sentence about each row."""
    said = {}
    telling = Telling(database.scalar("SELECT load_start_ns FROM run"))
    for slug, finding in KNOWN.items():
        rows = database.rows(finding.query)
        for row in rows:
            assert "{" not in telling.vformat(finding.sentence, (), row)
        if rows:
            said[slug] = {row["instance_id"] for row in rows}
    assert dict(database.missing) == {}
    return said


@pytest.fixture(name="look")
def _look(told):
    """What the findings say of the sound run once `tell` has changed its rows."""

    def look(tell):
        with told(tell) as database:
            return found(database)

    return look


def fault(kind, node, at, healed, step=0):
    row = {"step": step, "fault": kind, "node": node, "planned_ns": at, "applied_ns": at, "felt_ns": at}
    return row | {"healed_ns": healed, "proof": "{}"}


# --- the files -------------------------------------------------------------------------------------------------------


def test_there_is_a_file_for_each_finding():
    assert {finding.number for finding in KNOWN.values()} == set(range(1, 21))


@pytest.mark.parametrize("slug", sorted(KNOWN))
def test_a_file_says_what_it_is(planned, copy, slug):
    finding = KNOWN[slug]
    folders = (invariant.GENERAL, planned.target.invariants)
    names = {name for folder in folders for name in invariant.load(folder)}
    assert set(finding.explains) <= names
    columns = set(copy.database.types(finding.query))
    assert "instance_id" in columns
    assert {column.partition(":")[0] for column in re.findall(r"\{([^}]+)\}", finding.sentence)} <= columns


def test_a_finding_that_ends_in_a_history_the_code_cannot_have_made_explains_that_the_code_seems_changed():
    ending_so = {slug for slug, finding in KNOWN.items() if "NonDeterminismError" in finding.query}

    assert len(ending_so) >= 3
    assert {slug for slug in ending_so if "code_changed" not in KNOWN[slug].explains} == set()


# --- what was seen ---------------------------------------------------------------------------------------------------


def test_every_sighting_is_looked_at():
    assert {folder.name for folder in SIGHTINGS.iterdir() if folder.is_dir()} == set(SEEN)


@pytest.mark.parametrize("slug", sorted(SEEN))
def test_a_finding_recognises_its_sighting_and_no_other_does(planned, tmp_path, slug):
    shutil.copytree(SIGHTINGS / slug, tmp_path, dirs_exist_ok=True)
    optional = (*schema.OF_TAP, *schema.OF_BALANCES, *schema.OF_CALLS, *schema.OF_REQUESTS, *schema.OF_SHARES)
    for table in (schema.SAMPLES, schema.TURNS, *optional):
        if not tables.path(tmp_path, table).exists():
            tables.write(tmp_path, table, [])

    with open_database(planned, tmp_path, None) as database:
        assert found(database) == SEEN[slug]


# --- what is made up: the cause itself --------------------------------------------------------------------------------


def waiting(rows, ms):
    """`a` waits for its shipment, whose body began `ms` milliseconds after the record; its result came to nothing."""
    end_undone(rows)
    for event in events(rows, "a")[-2:]:
        rows["history"].remove(event)
    counted(rows)
    body = one(rows, "attempts", instance_id="a", activity="register_shipment_v1")
    events(rows, "a")[-1]["at_ns"] = body["started_ns"] - ms * MS
    return body


def counted(rows, instance="a"):
    """The metadata counts what is there."""
    number = len(events(rows, instance))
    change(rows, "instances", {"history_length": number, "history_rows": number}, instance_id=instance)


def discarded(rows):
    waiting(rows, -1000)


def result_in_front(rows):
    """The result is in the history, before its task."""
    task = events(rows, "a")[-3]
    result = events(rows, "a")[-1]
    body = waiting(rows, -1000)
    last = events(rows, "a")[-1]
    last["position"] += 1
    early = {**task, "event": "taskFailed", "event_id": -1, "name": None, "at_ns": body["ended_ns"]}
    rows["history"].append(early | {"position": last["position"] - 1, "task_id": body["task_id"], "error": "no"})
    assert result["event"] == "executionCompleted"
    counted(rows)


def never_run(rows):
    """`u` is stored whole and was never run."""
    nothing = dict.fromkeys(("workflow", "outcome", "output", "created_ns", "completed_ns"))
    row = {"instance_id": "u", "status": "PENDING", "generation": 1, "history_length": 0, "history_rows": 0}
    rows["instances"].append(nothing | row | {"inbox_length": 1, "inbox_rows": 1})


def hole(rows):
    """`a` cannot be loaded: its inbox lacks its first event."""
    end_undone(rows)
    counted(rows)
    change(rows, "instances", {"inbox_length": 2, "inbox_rows": 1}, instance_id="a")
    rows["faults"].append(fault("kill", "scheduler-0", T0, T0 + 1000 * MS))
    rows["jobs"].append({"instance_id": "a", "kind": "workflow", "name": "new-event-x", "listed_ns": T0 + 90_000 * MS})


def hole_outlived(rows):
    """
    `e` took the timer and the second try's result in the turn that ordered that try; a row of its inbox is still there.
    """
    own = events(rows, "e")
    fired = next(row for row in own if row["event"] == "timerFired")
    task, turn, result = own[own.index(fired) + 1 :][:3]
    rows["history"].remove(turn)
    result["position"], task["position"] = task["position"], task["position"] + 1
    own[-1]["position"] -= 1
    counted(rows, "e")
    change(rows, "instances", {"inbox_rows": 1}, instance_id="e")
    rows["faults"].append(fault("kill", "scheduler-0", T0, T0 + 1000 * MS))


def hole_outlived_to_the_end(rows):
    """The last turn of `a` took the result of what it ordered itself: neither has a row, and one of its inbox stays."""
    unrecorded(rows)
    change(rows, "attempts", {"outcome": "error"}, instance_id="a", activity="register_shipment_v1")
    change(rows, "instances", {"inbox_rows": 1}, instance_id="a")
    rows["faults"].append(fault("kill", "sidecar-0", T0, T0 + 1000 * MS))


def half_written(rows):
    change(rows, "instances", {"inbox_rows": 1}, instance_id="a")
    rows["faults"].append(fault("pause", "sidecar-0", T0, T0 + 18_000 * MS))


def half_written_turn(rows):
    """A refused save of a turn wrote two rows of history and took one of the inbox away."""
    end_undone(rows)
    number = len(events(rows, "a"))
    counts = {"history_length": number - 2, "history_rows": number, "inbox_length": 2, "inbox_rows": 1}
    change(rows, "instances", counts, instance_id="a")
    rows["faults"].append(fault("kill", "placement-0", T0, T0 + 1000 * MS))
    rows["jobs"].append({"instance_id": "a", "kind": "workflow", "name": "new-event-x", "listed_ns": T0 + 90_000 * MS})


def refused_after_cancel(rows):
    """
    The last turn of `a` was refused, as its owner did not know of its own save before it: the turn's rows are there,
    and what it took from the inbox is not.
    """
    end_undone(rows)
    own = events(rows, "a")
    head = max(row["position"] for row in own if row["event"] == "workflowStarted")
    taken = sum(row["position"] > head and row["event"] in ("taskCompleted", "timerFired") for row in own)
    assert taken > 0
    counts = {"history_length": head, "history_rows": len(own), "inbox_length": taken + 1, "inbox_rows": 1}
    change(rows, "instances", counts, instance_id="a")
    rows["faults"].append(fault("kill", "scheduler-0", T0, T0 + 1000 * MS))
    rows["jobs"].append({"instance_id": "a", "kind": "workflow", "name": "new-event-x", "listed_ns": T0 + 90_000 * MS})


def same_turn_refused(rows):
    """The canceled save was that of the same turn, so the history is whole, and the inbox is empty."""
    refused_after_cancel(rows)
    counted(rows)
    change(rows, "instances", {"inbox_length": 1, "inbox_rows": 0}, instance_id="a")


def head_overwritten(rows):
    """The first row of a turn of `a` is that of a later, refused save."""
    task = one(rows, "history", instance_id="a", event="taskScheduled", task_id=2)
    head = one(rows, "history", instance_id="a", event="workflowStarted", position=task["position"] - 2)
    head["at_ns"] = task["at_ns"] + 2 * MS
    rows["faults"].append(fault("kill", "placement-0", T0, T0 + 1000 * MS))


def turn_overwritten(rows, error="NonDeterminismError: no"):
    """A refused save of `e`, a second old, wrote its order over the failure that a later turn had taken."""
    timer = one(rows, "history", instance_id="e", event="timerCreated")
    failed = one(rows, "history", instance_id="e", event="taskFailed")
    task = one(rows, "history", instance_id="e", event="taskScheduled", task_id=failed["task_id"])
    head = one(rows, "history", instance_id="e", position=failed["position"] - 1)
    head["at_ns"] = task["at_ns"]
    rows["history"].remove(failed)
    rows["history"].append({**task, "position": failed["position"]})
    rows["history"].append({**task, "position": timer["position"], "at_ns": task["at_ns"] + 1000 * MS})
    rows["history"].remove(timer)
    change(rows, "history", {"payload": None, "error": error}, instance_id="e", event="executionCompleted")
    change(rows, "instances", {"status": "FAILED", "outcome": None, "output": None}, instance_id="e")
    counted(rows, "e")
    rows["faults"].append(fault("pause", "sidecar-0", T0, T0 + 1000 * MS))


def displaced(rows):
    """The shipment of `a` was made once it was recorded, and its result went under another's."""
    waiting(rows, 1)
    rows["faults"].append(fault("kill", "placement-0", T0, T0 + 1000 * MS))


def unrecorded(rows):
    """The shipment of `a` is in no event; the end keeps its id."""
    own = events(rows, "a")
    for event in own[-4:-1]:
        rows["history"].remove(event)
    own[-1]["position"] -= 3
    counted(rows)


def late_scheduler(rows):
    """Nothing is answered until 20 seconds after the scheduler is back."""
    first = min(row["invoked_ns"] for row in rows["operations"])
    back = first - 19_990 * MS
    rows["faults"].append(fault("kill", "scheduler-0", back - 2000 * MS, back))
    call = one(rows, "operations", instance_id="u")
    rows["operations"].append({**call, "op_id": "locust-1/7", "instance_id": "v", "invoked_ns": back + 1000 * MS})


def ordered_twice(rows, error="NonDeterminismError: no"):
    """A later turn of `e` orders its timer again; the code cannot have made that, and the order fails."""
    timer = one(rows, "history", instance_id="e", event="timerCreated")
    end = events(rows, "e")[-1]
    task = one(rows, "history", instance_id="e", event="taskScheduled", task_id=end["event_id"] - 1)
    place = task["position"], task["at_ns"]
    for row in events(rows, "e")[-4:-1]:
        rows["history"].remove(row)
    rows["history"].append({**timer, "position": place[0], "at_ns": place[1], "fire_at_ns": place[1] + 300 * MS})
    end.update(position=place[0] + 1, error=error, payload=None)
    failed = {"status": "FAILED", "outcome": None, "output": None}
    change(rows, "instances", failed, instance_id="e")
    counted(rows, "e")


def ordered_nothing(rows):
    """`a` has all its answers and orders nothing; `b` and `c` went on where it waits. A sidecar died before."""
    end_undone(rows)
    counted(rows)
    rows["faults"].append(fault("kill", "sidecar-0", T0, T0 + 1000 * MS))


def hosts_nothing(rows):
    """app-1 was killed after it had reserved for `a`; no body ran on it again, and the next of `a` is tried forever."""
    end_undone(rows)
    counted(rows)
    body = one(rows, "attempts", instance_id="a", activity="reserve_stock_v1")
    body["node"] = "app-1"
    healed = body["ended_ns"] + 1000 * MS
    rows["faults"].append(fault("kill", "app-1", body["ended_ns"], healed))
    for number in range(20):
        later = {"attempt_id": f"later-{number}", "started_ns": healed + 5000 * MS, "ended_ns": healed + 5001 * MS}
        rows["attempts"].append({**body, "instance_id": "d", "node": "app-0", **later})
    rows["jobs"].append({"instance_id": "a", "kind": "workflow", "name": "new-event-x", "listed_ns": T0 + 90_000 * MS})
    return body


def started_again(rows):
    """The start of `a` went to sidecar-0, whose answer came only after a kill of sidecar-1 and a second execution."""
    (body, *_) = [row for row in rows["attempts"] if row["instance_id"] == "a"]
    started = one(rows, "instances", instance_id="a")["created_ns"]
    change(rows, "operations", {"node": "sidecar-0", "completed_ns": started + 9 * MS}, instance_id="a")
    change(rows, "instances", {"generation": 2}, instance_id="a")
    begun = one(rows, "operations", instance_id="a")["invoked_ns"] + MS // 2
    body["started_ns"] = begun
    rows["faults"].append(fault("kill", "sidecar-1", begun, started + 1000 * MS))


def started_again_and_continued(rows, late=0):
    """`a` continued as new in both executions, so only its first body, which ran again, shows the second one."""
    started_again(rows)
    change(rows, "instances", {"generation": 4}, instance_id="a")
    first = min((row for row in rows["attempts"] if row["instance_id"] == "a"), key=lambda row: row["started_ns"])
    again = one(rows, "operations", instance_id="a")["completed_ns"] + 900 * MS + late
    rows["attempts"].append({**first, "attempt_id": "again", "started_ns": again, "ended_ns": again + MS})


def ran_again_long_after_the_answer(rows):
    started_again_and_continued(rows, late=1000 * MS)


def taken_twice(rows):
    """A later turn of `d` takes its event in again, the same to the nanosecond, after a sidecar was killed."""
    end = events(rows, "d")[-1]
    turn = {"instance_id": "d", "event_id": -1, "at_ns": end["at_ns"], "position": end["position"]}
    rows["history"].append(turn | {"event": "workflowStarted"})
    rows["history"].append(
        {**one(rows, "history", instance_id="d", event="eventRaised"), "position": turn["position"] + 1}
    )
    end["position"] += 2
    counted(rows, "d")
    rows["faults"].append(fault("kill", "sidecar-0", T0, T0 + 1000 * MS))


def taken_three_times(rows):
    taken_twice(rows)
    turn, again, end = sorted(events(rows, "d"), key=lambda row: row["position"])[-3:]
    end["position"] += 2
    for row in (turn, again):
        rows["history"].append({**row, "position": row["position"] + 2})
    counted(rows, "d")


def taken_twice_in_one_turn(rows):
    """What took it in is wrong in itself: no turn was repeated."""
    taken_three_times(rows)
    again, turn = sorted(events(rows, "d"), key=lambda row: row["position"])[-4:-2]
    turn.update({**again, "position": turn["position"]})


def timer_ignored(rows):
    """The timer of `e`, in its second generation, never fires, and no job is left for it; a sidecar was killed."""
    timer = one(rows, "history", instance_id="e", event="timerCreated")
    for event in events(rows, "e"):
        if event["position"] > timer["position"]:
            rows["history"].remove(event)
    running = {"status": "RUNNING", "outcome": None, "output": None, "completed_ns": None, "generation": 2}
    change(rows, "instances", running, instance_id="e")
    counted(rows, "e")
    rows["faults"].append(fault("kill", "sidecar-0", timer["at_ns"], timer["at_ns"] + 1000 * MS))


def stalled(rows):
    """The timer of `e` fires, and its turn is stalled: the firing is counted in the inbox, and is nowhere."""
    timer = one(rows, "history", instance_id="e", event="timerCreated")
    for event in events(rows, "e"):
        if event["position"] > timer["position"]:
            rows["history"].remove(event)
    stall = {"event": "executionStalled", "event_id": -1, "task_id": None, "call_id": None, "fire_at_ns": None}
    late = {"position": timer["position"] + 1, "at_ns": timer["fire_at_ns"] + MS, "error": "PATCH_MISMATCH: no"}
    rows["history"].append({**timer, **stall, **late})
    change(rows, "instances", {"status": "STALLED", "outcome": None, "output": None}, instance_id="e")
    change(rows, "instances", {"completed_ns": None, "inbox_length": 1, "inbox_rows": 0}, instance_id="e")
    counted(rows, "e")
    job = {"instance_id": "e", "kind": "workflow", "name": f"timer-{timer['task_id']}", "listed_ns": T0 + 90_000 * MS}
    rows["jobs"].append(job)
    return timer


def until_second_turn(rows, status, *taken):
    """The second turn of `a` takes in these events, and there is no later one."""
    second = [row for row in events(rows, "a") if row["event"] == "workflowStarted"][1]["position"]
    for row in events(rows, "a"):
        if row["position"] > second:
            rows["history"].remove(row)
    for event in taken:
        append_event(rows, "a", event=event, task_id=0 if event == "taskCompleted" else None)
    change(
        rows, "instances", {"status": status, "outcome": None, "output": None, "completed_ns": None}, instance_id="a"
    )
    counted(rows)


QUOTE = {"event": "taskScheduled", "name": "quote_v1", "task_id": 1, "event_id": 1}


def paused_and_ordered(rows):
    """`a` takes in a result and then a pause, and orders what follows from the result: that is right."""
    until_second_turn(rows, "SUSPENDED", "taskCompleted", "executionSuspended")
    append_event(rows, "a", **QUOTE)


def ordered_while_paused(rows):
    """And the next turn orders it again."""
    paused_and_ordered(rows)
    append_event(rows, "a", event="workflowStarted")
    append_event(rows, "a", **QUOTE)


def terminated(rows, *taken, ordered):
    """`a` takes in these events in the turn that ends it, and orders something after its end."""
    until_second_turn(rows, "TERMINATED", *taken)
    append_event(rows, "a", event="executionCompleted", event_id=1)
    append_event(rows, "a", **{**QUOTE, "event_id": ordered})


def went_on(rows):
    """A result woke its code after its end."""
    terminated(rows, "executionTerminated", "taskCompleted", ordered=2)


def not_taken_back(rows):
    """Its code had ordered that before its end."""
    terminated(rows, "taskCompleted", "executionTerminated", ordered=0)


def purged(rows, *, outcome="ok", inbox=(0, 0)):
    """Of `a` only its metadata is left, and of its inbox so many rows, of so many that the metadata counts."""
    for row in events(rows, "a"):
        rows["history"].remove(row)
    gone = {"status": "PENDING", "workflow": None, "outcome": None, "output": None, "created_ns": None}
    gone |= {"completed_ns": None, "history_rows": 0, "inbox_rows": inbox[0], "inbox_length": inbox[1]}
    change(rows, "instances", gone, instance_id="a")
    asked = {"request_id": "locust-1/99", "instance_id": "a", "operation": "purge", "outcome": outcome, "status": 202}
    asked |= {"number": 1, "client": "locust-1", "node": "sidecar-1"}
    rows["requests"].append(asked | {"intended_ns": T0, "invoked_ns": T0, "completed_ns": T0 + 5 * MS})


def left_after_the_end(rows, **changes):
    """A terminate of `a`, sent after its end, got no answer, as a sidecar died; it stays in the inbox."""
    ended = one(rows, "instances", instance_id="a")["completed_ns"]
    change(rows, "instances", {"inbox_rows": 1, "inbox_length": 1}, instance_id="a")
    asked = {"request_id": "locust-1/99", "instance_id": "a", "operation": "terminate", "outcome": "unknown"}
    asked |= {"number": 1, "client": "locust-1", "node": "sidecar-1", "intended_ns": ended + MS}
    rows["requests"].append(asked | {"invoked_ns": ended + MS, "completed_ns": ended + 5 * MS} | changes)
    rows["faults"].append(fault("kill", "sidecar-1", ended + 4 * MS, ended + 1000 * MS))


def resumed_unpaused(
    rows, *taken, error="WorkflowStateError: Don't know how to handle event of type 'executionResumed'"
):
    """`a` takes in a resume, and fails."""
    until_second_turn(rows, "FAILED", *taken, "executionResumed")
    append_event(rows, "a", event="executionCompleted", event_id=1, error=error)


def terminated_while_paused(rows, *, resumed=True):
    """`a` takes in a terminate while it is paused, and ends only when it is resumed."""
    until_second_turn(rows, "TERMINATED" if resumed else "SUSPENDED", "executionSuspended", "executionTerminated")
    append_event(rows, "a", event="workflowStarted")
    append_event(rows, "a", event="taskCompleted", task_id=0)
    if resumed:
        append_event(rows, "a", event="workflowStarted")
        append_event(rows, "a", event="executionResumed")
        append_event(rows, "a", event="executionCompleted", event_id=1)


CAUSES = {
    "terminate_waits_for_resume": [
        terminated_while_paused,
        lambda rows: terminated_while_paused(rows, resumed=False),
    ],
    "resumed_while_not_paused": [resumed_unpaused],
    "paused_turn_ordered_again": [ordered_while_paused],
    "ordered_beside_terminate": [went_on, not_taken_back],
    "request_left_behind": [left_after_the_end],
    "purge_leaves_metadata": [purged, lambda rows: purged(rows, inbox=(1, 1))],
    "stalled_by_timer": [stalled],
    "timer_of_later_generation": [timer_ignored],
    "event_taken_twice": [taken_twice, taken_three_times],
    "start_repeated": [started_again, started_again_and_continued],
    "sidecar_hosts_nothing": [hosts_nothing],
    "result_discarded": [discarded, result_in_front],
    "start_never_run": [never_run],
    "inbox_hole": [hole, hole_outlived, hole_outlived_to_the_end],
    "half_written_after_cancel": [refused_after_cancel, same_turn_refused],
    "half_written_inbox": [displaced],
    "half_written_save": [half_written, head_overwritten],
    "half_written_turn": [turn_overwritten],
    "last_task_unrecorded": [unrecorded],
    "scheduler_waits_for_lease": [late_scheduler],
    "canceled_turn_answered": [ordered_twice],
    "canceled_turn_waits": [ordered_nothing],
}


def test_a_turn_that_was_refused_is_seen_in_its_rows_and_in_the_inbox(look):
    """The finding has two files: one for what the store holds, one for what waits for it."""
    assert look(half_written_turn) == {"half_written_inbox": {"a"}, "half_written_save": {"a"}}


@pytest.mark.parametrize(("slug", "cause"), [(slug, cause) for slug, causes in CAUSES.items() for cause in causes])
def test_a_cause_is_recognised_as_what_it_is(look, slug, cause):
    assert set(look(cause)) == {slug}


# --- what looks alike ------------------------------------------------------------------------------------------------


def stalled_and_stored(rows):
    """What waits in its inbox is there: it goes on as soon as a worker has its version, and none has."""
    stalled(rows)
    change(rows, "instances", {"inbox_rows": 1}, instance_id="e")


def stalled_by_another_event(rows):
    """Its timer was not due yet."""
    timer = stalled(rows)
    timer["fire_at_ns"] = T0 + 80_000 * MS


def stalled_and_not_woken(rows):
    """No job of the timer is left: it is not that the timer cannot be taken in."""
    stalled(rows)
    rows["jobs"].clear()


def never_returned(rows):
    waiting(rows, 1).update(ended_ns=None, outcome=None)


def never_returned_and_tried(rows):
    never_returned(rows)
    rows["jobs"].append({"instance_id": "a", "kind": "activity", "name": "run-activity", "task_id": 4})


def cut_off_before(rows):
    """Its only body began before the record, and did not come to its end: no result was there to be discarded."""
    waiting(rows, -1000).update(ended_ns=None, outcome=None)


def ran_after(rows):
    """A body ran before the record, and one after it: its result was lost in another way, or the app never gave it."""
    body = waiting(rows, -1000)
    again = {
        "attempt_id": "again",
        "started_ns": body["started_ns"] + 2000 * MS,
        "ended_ns": body["ended_ns"] + 2000 * MS,
    }
    rows["attempts"].append({**body, **again})


def discarded_and_tried(rows):
    """The scheduler still tries: somebody will ask again."""
    discarded(rows)
    rows["jobs"].append({"instance_id": "a", "kind": "activity", "name": "run-activity", "task_id": 4})


def discarded_and_told(rows):
    """Something waits in the inbox: it is not that nobody asks."""
    discarded(rows)
    change(rows, "instances", {"inbox_length": 1, "inbox_rows": 1}, instance_id="a")


def nothing_ordered(rows):
    """All that was ordered has its result, and the code goes no further."""
    end_undone(rows)
    counted(rows)


def raised(rows):
    """The last body raised, and the code waits for something else."""
    end_undone(rows)
    counted(rows)
    last = events(rows, "a")[-1]
    last.update(event="taskFailed", payload=None, error="RuntimeError: no")
    change(rows, "attempts", {"outcome": "error"}, instance_id="a", activity="register_shipment_v1")


def failed_itself(rows, error="ValueError: no"):
    failed = {"status": "FAILED", "outcome": None, "output": None}
    change(rows, "instances", failed, instance_id="a")
    events(rows, "a")[-1].update(payload=None, error=error)


def failed_half_way(rows):
    """The code of `c` raised between its two compensations."""
    failed = {"status": "FAILED", "outcome": None, "output": None}
    change(rows, "instances", failed, instance_id="c")
    events(rows, "c")[-1].update(payload=None, error="ValueError: no")
    drop(rows, "effects", key="c/release")


def ordered_twice_at_once(rows):
    """One turn gives two orders one id: what numbers them is wrong."""
    ordered_twice(rows)
    timer, again = (row for row in events(rows, "e") if row["event"] == "timerCreated")
    for row in events(rows, "e"):
        row["position"] += timer["position"] < row["position"] < again["position"]
    again["position"] = timer["position"] + 1


def worker_missing(rows):
    never_run(rows)
    rows["jobs"].append({"instance_id": "u", "kind": "workflow", "name": "start-x", "listed_ns": T0 + 90_000 * MS})


def start_not_whole(rows):
    never_run(rows)
    change(rows, "instances", {"inbox_rows": 0}, instance_id="u")


def history_lost(rows):
    """The store lost rows of the history as well."""
    hole(rows)
    change(rows, "instances", {"history_length": 99}, instance_id="a")


def hole_without_fault(rows):
    hole(rows)
    rows["faults"].clear()


def hole_outlived_without_fault(rows):
    hole_outlived(rows)
    rows["faults"].clear()


def surplus_of_an_orderly_history(rows):
    """A row is left in the inbox, the scheduler was killed, and no turn took what it ordered itself."""
    half_written(rows)
    rows["faults"][0].update(fault="kill", node="scheduler-0")


def surplus_without_fault(rows):
    half_written(rows)
    rows["faults"].clear()


def turn_overwritten_without_fault(rows):
    turn_overwritten(rows)
    rows["faults"].clear()


def displaced_without_fault(rows):
    displaced(rows)
    rows["faults"].clear()


def surplus_and_stuck(rows):
    """A row that nobody counts is no reason to be stuck: it does not stop whoever loads the workflow."""
    nothing_ordered(rows)
    change(rows, "instances", {"inbox_rows": 1}, instance_id="a")
    rows["jobs"].append({"instance_id": "a", "kind": "workflow", "name": "new-event-x", "listed_ns": T0 + 90_000 * MS})
    rows["faults"].append(fault("pause", "sidecar-0", T0, T0 + 18_000 * MS))


def displaced_long_after(rows):
    """Placement was away, and back for long."""
    displaced(rows)
    rows["faults"][0].update(applied_ns=T0 - 60_000 * MS, healed_ns=T0 - 50_000 * MS)


def displaced_and_tried(rows):
    """The engine has not taken the result: it asks for it again."""
    displaced(rows)
    rows["jobs"].append({"instance_id": "a", "kind": "activity", "name": "run-activity", "task_id": 4})


def hangs_while_contested(rows):
    displaced(rows)
    change(rows, "attempts", {"ended_ns": None, "outcome": None}, instance_id="a", activity="register_shipment_v1")


def ordered_nothing_as_others(rows):
    """`b` waited where `a` waits, for an event: so does their code."""
    ordered_nothing(rows)
    own = events(rows, "b")
    order = own.index(one(rows, "history", instance_id="b", event="taskScheduled", name="cancel_shipment_v1"))
    answer = own[order - 1]
    for row in own[order:]:
        row["position"] += 2
    head = next(row for row in own if row["event"] == "workflowStarted")
    raised_event = {**answer, "event": "eventRaised", "name": "go_on", "task_id": None, "payload": None}
    rows["history"] += [
        {**head, "position": answer["position"] + 1, "at_ns": answer["at_ns"]},
        {**raised_event, "position": answer["position"] + 2},
    ]
    counted(rows, "b")


def ordered_nothing_like_nobody(rows):
    """Nobody else was where `a` waits."""
    ordered_nothing(rows)
    for instance in ("b", "c"):
        change(rows, "instances", {"status": "RUNNING"}, instance_id=instance)


def ordered_nothing_long_after(rows):
    ordered_nothing(rows)
    rows["faults"][0].update(applied_ns=T0 - 60_000 * MS, healed_ns=T0 - 50_000 * MS)


def ordered_nothing_for_an_early_answer(rows):
    """Its last answer stands before its order: it is that to an order which was never recorded."""
    ordered_nothing(rows)
    own = events(rows, "a")
    order, head, answer = own[-3:]
    order["position"], head["position"], answer["position"] = head["position"], answer["position"], order["position"]


def refused_without_fault(rows):
    refused_after_cancel(rows)
    rows["faults"].clear()


def refused_while_provider_was_away(rows):
    """The outside world was away, which cuts off no call of the engine."""
    refused_after_cancel(rows)
    rows["faults"][0]["node"] = "provider-0"


def refused_long_after(rows):
    refused_after_cancel(rows)
    rows["faults"][0].update(applied_ns=T0 - 60_000 * MS, healed_ns=T0 - 50_000 * MS)


def refused_and_not_tried(rows):
    refused_after_cancel(rows)
    rows["jobs"].clear()


def refused_and_ended(rows):
    """It ended: somebody could load it."""
    refused_after_cancel(rows)
    change(rows, "instances", {"status": "COMPLETED"}, instance_id="a")


def inbox_lost(rows):
    """More events are gone than the last turn took: the store lost them."""
    refused_after_cancel(rows)
    one(rows, "instances", instance_id="a")["inbox_length"] += 5


def metadata_within_a_turn(rows):
    """The rows beyond the metadata are not those of one turn."""
    refused_after_cancel(rows)
    one(rows, "instances", instance_id="a")["history_length"] += 1


def inbox_lost_after_a_turn(rows):
    """The history is whole, and the last turn took fewer events than are gone."""
    same_turn_refused(rows)
    change(rows, "instances", {"inbox_length": 9}, instance_id="a")


def clock_set_back(rows):
    """A turn begins after what it ordered, and no fault was there: it was the clock."""
    head_overwritten(rows)
    rows["faults"].clear()


def surplus_elsewhere(rows):
    """It was an app that stood still, which saves nothing."""
    half_written(rows)
    rows["faults"][0]["node"] = "app-0"


def surplus_before(rows):
    """The sidecar went on before the order was made."""
    half_written(rows)
    rows["faults"][0].update(applied_ns=T0 - 30_000 * MS, healed_ns=T0 - 20_000 * MS)


def unrecorded_without_gap(rows):
    """A body ran for a task that the history does not know, and the end's id leaves no room for one."""
    unrecorded(rows)
    events(rows, "a")[-1]["event_id"] -= 1


def unrecorded_late(rows):
    """The body without a task went on after the end."""
    unrecorded(rows)
    end = one(rows, "instances", instance_id="a")["completed_ns"]
    change(rows, "attempts", {"ended_ns": end + MS}, instance_id="a", activity="register_shipment_v1")


def scheduler_back_at_once(rows):
    first = min(row["invoked_ns"] for row in rows["operations"])
    rows["faults"].append(fault("kill", "scheduler-0", first - 3000 * MS, first - 1000 * MS))


def scheduler_not_asked(rows):
    """Nobody asked for anything for twenty seconds."""
    late_scheduler(rows)
    drop(rows, "operations", instance_id="v")


def everything_late(rows):
    """It was the store that was away."""
    late_scheduler(rows)
    rows["faults"][0]["node"] = "redis"


def came_back(rows):
    """Bodies ran on app-1 again: the order that waits does so for another reason."""
    healed = hosts_nothing(rows)["ended_ns"] + 1000 * MS
    twice(
        rows,
        "attempts",
        {"node": "app-1", "attempt_id": "x", "started_ns": healed + MS},
        instance_id="d",
        attempt_id="later-0",
    )


def hangs_again(rows):
    """A body began on app-1 after it was back, and never ended."""
    healed = hosts_nothing(rows)["ended_ns"] + 1000 * MS
    body = one(rows, "attempts", instance_id="a", activity="register_shipment_v1")
    body.update(node="app-1", started_ns=healed + MS, ended_ns=None, outcome=None)


def taken_away(rows):
    """app-1 was not killed but taken away for good: nothing runs there, and `a` waits for another reason."""
    hosts_nothing(rows)
    rows["faults"][-1]["fault"] = "scale_in"


def nobody_works(rows):
    """There was not enough to do, after app-1 was back, to say that it did none of it."""
    hosts_nothing(rows)
    drop(rows, "attempts", attempt_id="later-0")


def too_soon(rows):
    """All that was done elsewhere was done before the worker could have connected again."""
    healed = hosts_nothing(rows)["ended_ns"] + 1000 * MS
    for row in rows["attempts"]:
        if row["attempt_id"].startswith("later-"):
            row.update(started_ns=healed + 3000 * MS, ended_ns=healed + 3001 * MS)


def trickles(rows):
    """Elsewhere next to nothing was done either: all of it stands still."""
    healed = hosts_nothing(rows)["ended_ns"] + 1000 * MS
    for number in range(20):
        at = healed + (5 + number) * 1000 * MS
        one(rows, "attempts", attempt_id=f"later-{number}").update(started_ns=at, ended_ns=at + MS)


def worker_hangs(rows):
    """The worker was given activities, and began none of them: they wait with their jobs."""
    hosts_nothing(rows)
    rows["jobs"].append({"instance_id": "b", "kind": "activity", "name": "run-activity", "task_id": 1})


def body_hangs_meanwhile(rows):
    """The body of `a` began, on the other replica, and never ended: that is why it waits."""
    hosts_nothing(rows)
    change(rows, "attempts", {"ended_ns": None, "outcome": None}, instance_id="a", activity="register_shipment_v1")
    rows["jobs"] += 9 * [{**rows["jobs"][0], "instance_id": "b"}]
    rows["jobs"].append({"instance_id": "a", "kind": "activity", "name": "run-activity", "task_id": 4})


def nobody_tries(rows):
    """No job is left that a sidecar could refuse."""
    hosts_nothing(rows)
    for event in events(rows, "a")[-2:]:
        rows["history"].remove(event)
    counted(rows)
    rows["jobs"].clear()


def started_again_by_the_app(rows):
    """The application took the request: it may have started the workflow twice itself."""
    started_again(rows)
    change(rows, "operations", {"node": "app-0"}, instance_id="a")


def started_again_without_fault(rows):
    started_again(rows)
    rows["faults"].clear()


def started_again_beside_the_fault(rows):
    """It was the sidecar that was asked which was killed: the client asks again then."""
    started_again(rows)
    rows["faults"][-1]["node"] = "sidecar-0"


def started_again_after_the_answer(rows):
    started_again(rows)
    call, started = one(rows, "operations", instance_id="a"), one(rows, "instances", instance_id="a")["created_ns"]
    call["completed_ns"] = started - 1


def asked_twice(rows):
    started_again(rows)
    twice(rows, "operations", {"op_id": "again"}, instance_id="a")


def ran_once(rows):
    """No body ran before the start that the engine has."""
    started_again(rows)
    created = one(rows, "instances", instance_id="a")["created_ns"]
    for row in rows["attempts"]:
        if row["instance_id"] == "a" and row["started_ns"] < created:
            row["started_ns"] = created


def ordered_after_resume(rows):
    """It ordered it again after it was resumed: its worker had all events then."""
    paused_and_ordered(rows)
    append_event(rows, "a", event="workflowStarted")
    append_event(rows, "a", event="executionResumed")
    append_event(rows, "a", **QUOTE)


def ordered_more_while_paused(rows):
    """It ordered something else while it was paused."""
    paused_and_ordered(rows)
    append_event(rows, "a", event="workflowStarted")
    append_event(rows, "a", **{**QUOTE, "event_id": 2, "task_id": 2})


def failed_while_paused(rows):
    """It failed for a reason of its own."""
    ordered_while_paused(rows)
    append_event(rows, "a", event="executionCompleted", event_id=2, error="ValueError: no")
    change(rows, "instances", {"status": "FAILED"}, instance_id="a")


def left_after_an_answer(rows):
    """The client was told that the engine has it."""
    left_after_the_end(rows, outcome="ok", status=202)


def left_before_the_end(rows):
    """It was sent while the instance ran: its turns should have taken it."""
    created = one(rows, "instances", instance_id="a")["created_ns"]
    left_after_the_end(rows, invoked_ns=created, intended_ns=created)


def left_without_fault(rows):
    left_after_the_end(rows)
    rows["faults"].clear()


def left_more_than_asked(rows):
    left_after_the_end(rows)
    change(rows, "instances", {"inbox_rows": 2, "inbox_length": 2}, instance_id="a")


def left_and_tried(rows):
    """A job would still wake it."""
    left_after_the_end(rows)
    rows["jobs"].append({"instance_id": "a", "kind": "workflow", "name": "new-event-x", "listed_ns": T0 + 90_000 * MS})


def nothing_to_go_on_with(rows):
    """The turn took in nothing but the terminate."""
    terminated(rows, "executionTerminated", ordered=2)


def ended_by_itself(rows):
    """It is COMPLETED: its code ended it."""
    went_on(rows)
    change(rows, "instances", {"status": "COMPLETED"}, instance_id="a")


def purged_and_store_hit(rows):
    """The store may have lost what is not there."""
    purged(rows)
    rows["faults"].append(fault("kill", "redis", T0, T0 + 1000 * MS))


def purge_refused(rows):
    purged(rows, outcome="fail")


def resumed_and_failed(rows):
    """It was paused."""
    resumed_unpaused(rows, "executionSuspended")


def resumed_and_failed_itself(rows):
    resumed_unpaused(rows, error="ValueError: no")


def terminated_after_its_resume(rows):
    """It was not paused any more."""
    until_second_turn(rows, "RUNNING", "executionSuspended", "executionResumed", "executionTerminated")
    append_event(rows, "a", event="workflowStarted")


def terminated_and_paused_and_ordered(rows):
    """Its code went on."""
    terminated_while_paused(rows, resumed=False)
    append_event(rows, "a", **QUOTE)


ALIKE = [
    ran_again_long_after_the_answer,
    left_after_an_answer,
    left_before_the_end,
    left_without_fault,
    left_more_than_asked,
    left_and_tried,
    taken_twice_in_one_turn,
    terminated_after_its_resume,
    terminated_and_paused_and_ordered,
    resumed_and_failed,
    resumed_and_failed_itself,
    ordered_after_resume,
    ordered_more_while_paused,
    failed_while_paused,
    nothing_to_go_on_with,
    ended_by_itself,
    purged_and_store_hit,
    purge_refused,
    lambda rows: purged(rows, inbox=(1, 0)),
    started_again_by_the_app,
    started_again_without_fault,
    started_again_beside_the_fault,
    started_again_after_the_answer,
    asked_twice,
    ran_once,
    came_back,
    hangs_again,
    taken_away,
    nobody_works,
    too_soon,
    trickles,
    worker_hangs,
    body_hangs_meanwhile,
    nobody_tries,
    never_returned,
    never_returned_and_tried,
    cut_off_before,
    ran_after,
    discarded_and_tried,
    discarded_and_told,
    stalled_and_stored,
    stalled_by_another_event,
    stalled_and_not_woken,
    nothing_ordered,
    raised,
    failed_itself,
    lambda rows: failed_itself(rows, "NonDeterminismError: no"),
    failed_half_way,
    lambda rows: ordered_twice(rows, "ValueError: no"),
    ordered_twice_at_once,
    worker_missing,
    start_not_whole,
    history_lost,
    hole_without_fault,
    hole_outlived_without_fault,
    surplus_of_an_orderly_history,
    surplus_without_fault,
    turn_overwritten_without_fault,
    lambda rows: turn_overwritten(rows, "ValueError: no"),
    displaced_without_fault,
    displaced_long_after,
    displaced_and_tried,
    hangs_while_contested,
    ordered_nothing_as_others,
    ordered_nothing_like_nobody,
    ordered_nothing_long_after,
    ordered_nothing_for_an_early_answer,
    refused_without_fault,
    refused_while_provider_was_away,
    refused_long_after,
    refused_and_not_tried,
    refused_and_ended,
    inbox_lost,
    metadata_within_a_turn,
    inbox_lost_after_a_turn,
    clock_set_back,
    surplus_elsewhere,
    surplus_before,
    unrecorded_without_gap,
    unrecorded_late,
    scheduler_back_at_once,
    scheduler_not_asked,
    everything_late,
    lambda rows: twice(rows, "effects", key="a/ship"),
    lambda rows: append_event(rows, "a", event="taskCompleted", task_id=0, payload="true"),
]


@pytest.mark.parametrize("tell", ALIKE, ids=lambda tell: tell.__name__.strip("<>"))
def test_what_looks_alike_is_not_taken_for_a_finding(look, tell):
    assert look(tell) == {}


def test_a_row_that_nobody_counts_does_not_explain_an_order_that_is_stuck(look):
    assert look(surplus_and_stuck) == {"half_written_save": {"a"}}
    assert "stuck" not in KNOWN["half_written_save"].explains


@pytest.mark.parametrize("lie", [None, *sorted(LIES.keys() - {"task_forgotten"})])
def test_no_planted_lie_is_taken_for_a_finding(look, lie):
    assert look(LIES.get(lie, lambda rows: None)) == {}


# --- a hole in the history --------------------------------------------------------------------------------------------


def without(rows, positions):
    """Positions of `a`'s history are in no row, though metadata counts them."""
    length = len(events(rows, "a"))
    rows["history"] = [r for r in rows["history"] if r["instance_id"] != "a" or r["position"] not in positions]
    change(rows, "instances", {"history_length": length, "history_rows": length - len(positions)}, instance_id="a")


def turn(rows, number):
    """The positions of one turn of `a`."""
    heads = [event["position"] for event in events(rows, "a") if event["event"] == "workflowStarted"]
    return range(heads[number], heads[number + 1])


def store_was_away(rows):
    first = min(event["at_ns"] for event in events(rows, "a"))
    rows["faults"].append(fault("kill", "redis", first - 1000 * MS, first + 60_000 * MS))


def test_a_turn_that_was_saved_while_the_store_was_away_is_known(look):
    def tell(rows):
        store_was_away(rows)
        without(rows, turn(rows, 1))

    assert look(tell)["history_hole"] == {"a"}


@pytest.mark.parametrize("what", ["no fault", "one row", "the end"])
def test_another_hole_is_not(look, what):
    def tell(rows):
        if what != "no fault":
            store_was_away(rows)
        last = len(events(rows, "a")) - 1
        gone = {"no fault": turn(rows, 1), "one row": range(turn(rows, 1)[0], turn(rows, 1)[0] + 1), "the end": [last]}
        without(rows, gone[what])

    assert "history_hole" not in look(tell)


# --- a task that is handed out twice at once --------------------------------------------------------------------------


def job_held(rows):
    """The scheduler holds the job of `a`'s first task, long after its end."""
    end = max(event["at_ns"] for event in rows["history"])
    job = {"instance_id": "a", "kind": "activity", "name": "run-activity", "task_id": 1}
    rows["jobs"].append(job | {"listed_ns": end + 60_000 * MS})


def body_again(rows, **changes):
    """Another body of `a`'s first task, which began while the first ran."""
    body = one(rows, "attempts", instance_id="a", task_id=1)
    again = {**body, "attempt_id": "again", "started_ns": body["started_ns"] + 1, "ended_ns": body["ended_ns"] + 1}
    rows["attempts"].append(again | changes)


def test_a_job_of_a_task_with_two_bodies_at_once_on_one_replica_is_known(look):
    def tell(rows):
        job_held(rows)
        body_again(rows)

    assert look(tell)["handed_out_twice"] == {"a"}


@pytest.mark.parametrize(
    "changes",
    [
        None,
        {"node": "app-9"},
        {"outcome": None, "ended_ns": None},
        {"started_ns": 2_000_000_000 * 1_000_000_000, "ended_ns": 2_000_000_001 * 1_000_000_000},
    ],
    ids=["one body", "elsewhere", "it hangs", "one after the other"],
)
def test_a_job_that_is_held_for_another_reason_is_not(look, changes):
    def tell(rows):
        job_held(rows)
        if changes is not None:
            body_again(rows, **changes)

    assert "handed_out_twice" not in look(tell)
