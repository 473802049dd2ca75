"""More lies about the literal run: records that contradict themselves, the plan, or each other."""

from tests.builders.literal import BODY, CLIENT, MS, T0, change, drop, event_of, events, one, twice

HOUR = 3_600_000 * MS


def fault(rows, **facts):
    """A kill that went as planned, but for these facts."""
    at = T0 + 10_000 * MS
    row = {"step": 0, "fault": "kill", "node": "sidecar-0", "planned_ns": at, "begun_ns": at + MS}
    row |= {"applied_ns": at + 2 * MS, "felt_ns": at + 3 * MS, "healed_ns": at + 2_000 * MS, "proof": '{"pid": 7}'}
    rows["faults"].append(row | facts)
    return rows["faults"][-1]


def moved(rows, table, column, by, **facts):
    row = one(rows, table, **facts)
    row[column] = row[column] + by


def all_moved(rows):
    for phase in rows["phases"]:
        phase["started_ns"] += HOUR
        phase["ended_ns"] += HOUR


def shuffled(rows):
    """The provider's ledger tells its first two effects the wrong way round."""
    first, second = (one(rows, "effects", source="provider-0", position=place) for place in (0, 1))
    first["position"], second["position"] = 1, 0


def without_cause(rows):
    """A result is gone, and what comes after it is numbered anew."""
    result = event_of(rows, "a", "taskCompleted", task_id=0)
    for event in events(rows, "a"):
        event["position"] -= event["position"] > result["position"]
    rows["history"].remove(result)
    counted = one(rows, "instances", instance_id="a")
    counted["history_length"] = counted["history_rows"] = counted["history_rows"] - 1


def sample(**facts):
    at = T0 + 20_000 * MS
    return {"at_ns": at, "node": "app-0", "metric": "cpu_percent", "value": 1.0} | facts


def overlapped(rows):
    """The second execution reads what the first one has read, too, before that one has saved."""
    _, saved, read, _ = rows["api_calls"][:4]
    saved["answered_ns"] = read["called_ns"] + 1
    read["etag"] = rows["api_calls"][0]["etag"]


RECORD_LIES = {
    "value_emptied": lambda r: change(r, "effects", {"attributes": ""}, key="a/reserve"),
    "number_out_of_range": lambda r: change(r, "instances", {"inbox_length": -1, "inbox_rows": -1}, instance_id="a"),
    "time_out_of_range": lambda r: change(r, "readings", {"asked_ns": 0}, instance_id="a"),
    "phase_moved": lambda r: moved(r, "phases", "ended_ns", HOUR, phase="settle"),
    "phase_duplicated": lambda r: twice(r, "phases", phase="heal"),
    "phase_renamed": lambda r: change(r, "phases", {"phase": "warm up"}, phase="up"),
    "phases_all_moved": all_moved,
    "fault_late": lambda r: fault(r, begun_ns=T0 + 30_000 * MS, applied_ns=T0 + 30_001 * MS, felt_ns=T0 + 30_002 * MS),
    "fault_out_of_order": lambda r: fault(r, healed_ns=T0 + 10_001 * MS),
    "fault_too_short": lambda r: fault(r, felt_ns=None, healed_ns=T0 + 10_000 * MS),
    "fault_duplicated": lambda r: [fault(r), fault(r)],
    "fault_unproved": lambda r: fault(r, proof="{}"),
    "arrival_moved": lambda r: moved(r, "operations", "intended_ns", -5 * MS, instance_id="a"),
    "arrival_unplanned": lambda r: twice(
        r, "operations", {"op_id": f"{CLIENT}/7", "instance_id": "x"}, instance_id="u"
    ),
    "call_renumbered": lambda r: change(r, "operations", {"op_id": f"{CLIENT}/9"}, instance_id="a"),
    "call_to_nobody": lambda r: change(r, "operations", {"node": "app-7"}, instance_id="a"),
    "call_undue": lambda r: moved(r, "operations", "intended_ns", 5 * MS, instance_id="a"),
    "call_of_stranger": lambda r: change(r, "operations", {"client": "c", "op_id": "c/1"}, instance_id="a"),
    "body_of_nobody": lambda r: twice(r, "attempts", {"instance_id": "x", "attempt_id": "x"}, **BODY),
    "body_ends_first": lambda r: moved(r, "attempts", "started_ns", 50 * MS, **BODY),
    "body_half_told": lambda r: twice(r, "attempts", {"attempt_id": "x", "outcome": None}, **BODY),
    "body_elsewhere": lambda r: change(r, "attempts", {"node": "sidecar-0"}, **BODY),
    "failure_without_body": lambda r: drop(r, "attempts", instance_id="e", outcome="error"),
    "ledger_shuffled": shuffled,
    "key_lost": lambda r: change(r, "effects", {"key": None}, key="a/reserve"),
    "effect_timeless": lambda r: change(r, "effects", {"at_ns": None}, key="a/reserve"),
    "ledger_unknown": lambda r: change(r, "effects", {"source": "provider-9", "position": 0}, key="a/reserve"),
    "key_shared": lambda r: change(r, "effects", {"key": "e/ship"}, key="a/ship"),
    "attributes_broken": lambda r: change(r, "effects", {"attributes": "no JSON"}, key="a/ship"),
    "ended_without_end": lambda r: change(r, "instances", {"status": "RUNNING", "output": None}, instance_id="a"),
    "reading_missing": lambda r: drop(r, "readings", instance_id="a"),
    "reading_duplicated": lambda r: twice(r, "readings", instance_id="a"),
    "reading_answered_first": lambda r: moved(r, "readings", "answered_ns", -5_000 * MS, instance_id="a"),
    "reading_half_told": lambda r: change(r, "readings", {"updated_ns": T0}, instance_id="u"),
    "sample_of_strange_tap": lambda r: r["samples"].append(sample(node="app-7.tap")),
    "sample_of_stranger": lambda r: r["samples"].append(sample(node="app-7")),
    "sample_duplicated": lambda r: r["samples"].extend([sample(), sample(value=2.0)]),
    "journal_unknown": lambda r: r["journals"].append({"file": "diary.txt", "bytes": 1, "torn": 0}),
    "result_after_turn": lambda r: event_of(r, "a", "taskCompleted", task_id=4).update(
        at_ns=events(r, "a")[-1]["at_ns"] + 5 * MS
    ),
    "turn_without_cause": without_cause,
    "event_unknown": lambda r: event_of(r, "a", "workflowStarted", position=3).update(event="odd"),
    "event_half_told": lambda r: event_of(r, "e", "taskFailed").update(error=None),
    "effect_elsewhere": lambda r: moved(r, "effects", "at_ns", -4 * MS, key="a/ship"),
    "update_overlapped": overlapped,
    "unanswered_twice": lambda r: r["unanswered"].append(dict(r["unanswered"][0])),
    "balance_missing": lambda r: r["balances"].clear(),
    "balance_duplicated": lambda r: twice(r, "balances", balance="stock"),
    "balance_began_elsewhere": lambda r: change(r, "balances", {"began": 9.0}, balance="stock"),
    "move_invented": lambda r: twice(r, "moves", {"instance_id": "b"}, instance_id="a"),
    "move_changed": lambda r: change(r, "moves", {"amount": -3.0}, instance_id="a"),
    "turn_of_nobody": lambda r: r["turns"][0].update(instance_id="x"),
    "turn_elsewhere": lambda r: r["turns"][0].update(other="app-0"),
    "turn_half_told": lambda r: r["turns"][0].update(other=None),
    "turn_misplaced": lambda r: r["turns"][0].update(past=r["turns"][0]["past"] + 1),
    "turn_duplicated": lambda r: r["turns"].append(dict(r["turns"][0])),
}
