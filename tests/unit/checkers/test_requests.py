"""What clients ask of an instance after its start: what is lost, too late, asked for by nobody, or not obeyed."""

import pytest

from harness.checkers.database import open_database
from harness.checkers.examining import examine
from harness.checkers.invariant import GENERAL, load
from harness.checkers.telling import Telling
from harness.evidence import schema, tables
from tests.builders.literal import CLIENT, MS, T0, append_event, change, drop, events, one, sound

TEXTS = load(GENERAL)
RAISED = {"instance_id": "d"}
TAKEN = {"instance_id": "d", "event": "eventRaised"}


@pytest.fixture(name="opened")
def _opened(planned, tmp_path):
    """The database of the rows of a run."""

    def opened(rows):
        for table in schema.TABLES:
            tables.write(tmp_path, table, rows[table.name])
        return open_database(planned, tmp_path, None)

    return opened


@pytest.fixture(name="told")
def _told(opened):
    """What an invariant tells of the rows of a run."""

    def told(name, rows):
        with opened(rows) as database:
            found = examine(database, Telling(T0), name, TEXTS[name], "general")
        assert found.reason is None or found.examined == 0, found.reason
        return [witness.sentence for witness in found.witnesses], found.examined

    return told


@pytest.fixture(name="class_of")
def _class_of(opened):
    """The class under which an instance of the rows of a run is counted."""

    def class_of(instance, rows):
        with opened(rows) as database:
            return database.scalar("SELECT class FROM classes WHERE instance_id = $instance", {"instance": instance})

    return class_of


def ask(rows, operation, at_ns, outcome="ok"):
    """A client asks something of `a`, and is answered at once."""
    number = len(rows["requests"]) + 1
    row = {"request_id": f"{CLIENT}/{number}", "instance_id": "a", "number": number, "client": CLIENT}
    row |= {"operation": operation, "node": "sidecar-1", "outcome": outcome, "status": 202 if outcome == "ok" else 500}
    rows["requests"].append(row | {"intended_ns": at_ns, "invoked_ns": at_ns, "completed_ns": at_ns + MS})


def second_turn(rows):
    """Leave of `a` its first turn, and begin the second. Returns the time of that."""
    first, second, *_ = [row for row in events(rows, "a") if row["event"] == "workflowStarted"]
    for row in events(rows, "a"):
        if row["position"] > second["position"]:
            rows["history"].remove(row)
    assert first["position"] == 0
    return second["at_ns"]


def stands(rows, status, **facts):
    """The engine has this status of `a`, whose history is as long as it is."""
    length = len(events(rows, "a"))
    of = {"status": status, "outcome": None, "output": None, "completed_ns": None}
    change(rows, "instances", of | {"history_length": length, "history_rows": length} | facts, instance_id="a")


def terminated(rows, *, asked="ok"):
    """`a` is terminated in its second turn."""
    at_ns = second_turn(rows)
    if asked:
        ask(rows, "terminate", at_ns - 3 * MS, asked)
    append_event(rows, "a", event="executionTerminated", at_ns=at_ns - 2 * MS)
    append_event(rows, "a", event="executionCompleted", at_ns=at_ns + MS, event_id=2)
    stands(rows, "TERMINATED", completed_ns=at_ns + MS)


def paused(rows):
    """`a` is paused in its second turn, and stands. Returns the time of that."""
    at_ns = second_turn(rows)
    ask(rows, "pause", at_ns - 3 * MS)
    append_event(rows, "a", event="executionSuspended", at_ns=at_ns - 2 * MS)
    stands(rows, "SUSPENDED")
    return at_ns


def last_turn(rows):
    return max(row["at_ns"] for row in events(rows, "d") if row["event"] == "workflowStarted")


def test_an_event_that_was_acknowledged_and_is_not_in_the_history_is_lost(told):
    rows = sound()
    drop(rows, "history", **TAKEN)

    (sentence,), examined = told("lost_request", rows)

    assert "its history has 0 of the 1 that were acknowledged before that" in sentence
    assert examined == 4


def test_one_that_was_acknowledged_after_the_last_turn_began_came_too_late(told):
    rows = sound()
    drop(rows, "history", **TAKEN)
    change(rows, "requests", {"completed_ns": last_turn(rows) - MS}, **RAISED)

    assert told("lost_request", rows) == ([], 4)


def test_one_whose_raise_was_not_answered_may_be_there_or_not(told):
    rows = sound()
    change(rows, "requests", {"outcome": "unknown", "status": None}, **RAISED)

    assert told("lost_request", rows) == ([], 3)
    assert told("phantom_request", rows) == ([], 4)

    drop(rows, "history", **TAKEN)

    assert told("lost_request", rows) == ([], 3)


def test_one_that_is_taken_in_twice_is_told(told):
    rows = sound()
    again = one(rows, "history", **TAKEN)
    append_event(rows, "d", **{name: again[name] for name in ("event", "name", "payload")})

    (sentence,), _ = told("phantom_request", rows)

    assert "2 times" in sentence
    assert "clients asked for it 1 times" in sentence


@pytest.mark.parametrize(
    "new",
    [{"instance_id": "e"}, {"outcome": "fail"}, {"payload": "0"}, {"invoked_ns": T0 + 3_600_000 * MS}],
    ids=["of another", "refused", "another payload", "raised later"],
)
def test_one_that_nobody_raised_is_told(told, new):
    rows = sound()
    change(rows, "requests", new, **RAISED)

    assert len(told("phantom_request", rows)[0]) == 1


def test_an_instance_that_a_client_terminates_is_counted_as_that(told, class_of):
    rows = sound()
    terminated(rows)

    assert class_of("a", rows) == "terminated"
    assert told("failed", rows)[0] == told("not_terminated", rows)[0] == told("phantom_request", rows)[0] == []
    assert told("not_terminated", rows)[1] == 3


def test_one_whose_terminate_was_not_answered_may_be_terminated(class_of):
    rows = sound()
    terminated(rows, asked="unknown")

    assert class_of("a", rows) == "terminated"


@pytest.mark.parametrize("asked", ["fail", None])
def test_one_that_nobody_terminates_has_failed(told, class_of, asked):
    rows = sound()
    terminated(rows, asked=asked)

    assert class_of("a", rows) == "failed"
    assert len(told("failed", rows)[0]) == 1
    assert "clients asked for it 0 times" in told("phantom_request", rows)[0][0]


def test_one_whose_terminate_was_acknowledged_and_that_goes_on_has_lost_it(told):
    rows = sound()
    ask(rows, "terminate", events(rows, "a")[0]["at_ns"])

    (sentence,), _ = told("lost_request", rows)

    assert "a: terminate nothing was sent" in sentence


def test_a_terminated_instance_that_orders_more_is_told(told):
    rows = sound()
    terminated(rows)
    append_event(rows, "a", event="taskScheduled", name="quote_v1", task_id=9, event_id=9)

    (sentence,), _ = told("not_terminated", rows)

    assert "something was ordered after that" in sentence


def test_a_terminated_instance_that_ends_otherwise_is_told(told):
    rows = sound()
    terminated(rows)
    change(rows, "instances", {"status": "COMPLETED"}, instance_id="a")

    (sentence,), _ = told("not_terminated", rows)

    assert "it ended as COMPLETED" in sentence


def test_one_that_took_in_a_result_first_may_have_ended_by_itself(told):
    rows = sound()
    at_ns = second_turn(rows)
    append_event(rows, "a", event="taskCompleted", task_id=0, at_ns=at_ns - MS)
    append_event(rows, "a", event="executionTerminated", at_ns=at_ns)
    append_event(rows, "a", event="executionCompleted", at_ns=at_ns + MS, event_id=2)
    stands(rows, "COMPLETED", completed_ns=at_ns + MS)

    assert told("not_terminated", rows) == ([], 3)


def test_a_terminated_instance_that_does_not_end_is_told(told):
    rows = sound()
    terminated(rows)
    rows["history"].remove(events(rows, "a")[-1])
    stands(rows, "RUNNING")

    assert "it did not end in that turn" in told("not_terminated", rows)[0][0]

    append_event(rows, "a", event="workflowStarted")

    assert "another turn began" in told("not_terminated", rows)[0][0]


def test_a_paused_instance_stands_rightly_until_a_resume_is_acknowledged(told, class_of):
    rows = sound()
    at_ns = paused(rows)

    assert class_of("a", rows) == "paused"
    assert told("stuck", rows)[0] == []

    ask(rows, "resume", at_ns, "unknown")

    assert class_of("a", rows) == "paused"

    ask(rows, "resume", at_ns + MS)

    assert class_of("a", rows) == "stuck"


def test_a_paused_instance_that_nobody_paused_is_stuck(class_of):
    rows = sound()
    paused(rows)
    change(rows, "requests", {"outcome": "fail", "status": 404}, instance_id="a")

    assert class_of("a", rows) == "stuck"


def test_a_paused_instance_that_orders_something_is_told(told):
    rows = sound()
    at_ns = paused(rows)
    append_event(rows, "a", event="taskScheduled", name="quote_v1", task_id=2, event_id=2)

    assert told("ran_while_paused", rows) == ([], 2)  # the turn that took in the pause may

    append_event(rows, "a", event="workflowStarted", at_ns=at_ns + 5 * MS)
    append_event(rows, "a", event="taskCompleted", task_id=0)
    append_event(rows, "a", event="taskScheduled", name="quote_v1", task_id=3, event_id=3)

    (sentence,), _ = told("ran_while_paused", rows)

    assert "its taskScheduled is at position" in sentence


@pytest.mark.parametrize("woken", ["executionResumed", "executionTerminated"])
def test_one_that_is_resumed_or_terminated_goes_on(told, woken):
    rows = sound()
    paused(rows)
    append_event(rows, "a", event="workflowStarted")
    append_event(rows, "a", event=woken)
    append_event(rows, "a", event="executionCompleted", event_id=2)

    assert told("ran_while_paused", rows) == ([], 2)


def test_a_purged_instance_is_gone(told, class_of):
    rows = sound()
    ask(rows, "purge", events(rows, "a")[-1]["at_ns"] + MS)

    (sentence,), examined = told("not_purged", rows)

    assert "the store still has" in sentence
    assert examined == 2

    drop(rows, "instances", instance_id="a")
    for row in events(rows, "a"):
        rows["history"].remove(row)

    assert class_of("a", rows) == "purged"
    assert told("not_purged", rows) == ([], 2)
    assert told("lost", rows)[0] == told("contradiction", rows)[0] == []


def test_one_that_is_gone_though_its_purge_was_refused_is_lost(class_of):
    rows = sound()
    ask(rows, "purge", events(rows, "a")[-1]["at_ns"] + MS, "fail")
    drop(rows, "instances", instance_id="a")

    assert class_of("a", rows) == "lost"
