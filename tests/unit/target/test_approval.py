"""An order that waits for an approval: its code in the SDK's own executor, and the invariant that judges it."""

import json

import pytest
from dapr.ext.workflow._durabletask.internal import history_events_pb2

from harness.checkers import invariant, plants
from harness.checkers.database import open_database
from harness.checkers.examining import examine
from harness.checkers.telling import Telling
from harness.evidence import schema, tables
from harness.planning import target
from harness.planning.request import Request
from harness.replaying.code import Code
from harness.runtime import shipped
from target import approval, defects

NAME = "approved"
TEXT = invariant.load(target.load(shipped.TARGET).invariants)[NAME]
T0 = 1_790_000_000 * 1_000_000_000
MS = 1_000_000
GIVEN = {"order_id": "x", "kind": "plain", "sku": "sku-00", "quantity": 1, "seconds": 4}


def event(kind, number=-1, at=T0, **fields):
    made = history_events_pb2.HistoryEvent(eventId=number)
    made.timestamp.FromNanoseconds(at)
    body = getattr(made, kind)
    body.SetInParent()
    for name, value in fields.items():
        if name == "input":
            body.input.value = json.dumps(value)
        elif name == "fireAt":
            body.fireAt.FromNanoseconds(value)
        else:
            setattr(body, name, value)
    return made


BEGIN = (event("workflowStarted"), event("executionStarted", name=approval.NAME, input=GIVEN))
WAITS = event("timerCreated", 1, fireAt=T0 + 4000 * MS)
TURN = event("workflowStarted", at=T0 + 4000 * MS)
FIRED = event("timerFired", timerId=1, fireAt=T0 + 4000 * MS)
APPROVED = event("eventRaised", name=approval.EVENT, input={"number": 1})


def orders(before, now, defect=None):
    """What the code orders: the kinds of its actions, and its output if it has ended."""

    def code(ctx, given):
        return (yield from approval.approve_order_v1(ctx, given, defect))

    found = Code({approval.NAME: code}).orders("x", list(before), list(now))
    kinds = [action.WhichOneof("workflowActionType") for action in found]
    ended = [action.completeWorkflow for action in found if action.HasField("completeWorkflow")]
    return kinds, json.loads(ended[0].result.value) if ended else None


def test_it_waits_for_the_event_with_a_timer():
    assert orders((), BEGIN) == (["createTimer"], None)


def test_it_goes_on_when_it_is_approved_also_before_it_waits():
    assert orders((*BEGIN, WAITS), (TURN, APPROVED))[0] == ["scheduleTask"]
    assert "scheduleTask" in orders((), (*BEGIN, APPROVED))[0]


@pytest.mark.parametrize("late", [(), (APPROVED,)], ids=["never", "late"])
def test_it_times_out_and_orders_nothing_more(late):
    kinds, output = orders((*BEGIN, WAITS), (TURN, FIRED, *late))

    assert kinds == ["completeWorkflow"]
    assert (output["outcome"], output["approval"]) == ("timed_out", None)


def test_the_first_that_came_wins():
    assert orders((*BEGIN, WAITS), (TURN, APPROVED, FIRED))[0] == ["scheduleTask"]


def test_with_the_defect_it_goes_on_after_the_time_out():
    assert orders((*BEGIN, WAITS), (TURN, FIRED), defects.TIMEOUT_IGNORED)[0] == ["scheduleTask"]


class Rows:
    """The rows of instances of `approve_order_v1`."""

    def __init__(self):
        self.of = {table.name: [] for table in schema.TABLES}

    def ended(self, instance, outcome, *happened, number=None):
        """`happened`: what it took in and ordered after the first turn, as (event, other columns)."""
        begin = [("workflowStarted", {}), ("executionStarted", {"name": approval.NAME, "payload": json.dumps(GIVEN)})]
        wait = ("timerCreated", {"task_id": 1, "event_id": 1, "fire_at_ns": T0 + 4000 * MS})
        for position, (kind, others) in enumerate((*begin, wait, *happened)):
            row = {"instance_id": instance, "position": position, "event_id": -1, "event": kind, "at_ns": T0}
            self.of["history"].append(row | others)
        output = json.dumps({"outcome": outcome, "approval": number})
        row = {"instance_id": instance, "workflow": approval.NAME, "status": "COMPLETED", "generation": 1}
        self.of["instances"].append(row | {"outcome": outcome, "output": output, "created_ns": T0, "completed_ns": T0})

    def acknowledged(self, instance, at):
        row = {"request_id": f"locust-1/{len(self.of['requests']) + 1}", "instance_id": instance, "number": 1}
        row |= {"operation": "raiseEvent", "name": approval.EVENT, "outcome": "ok", "invoked_ns": at - MS}
        self.of["requests"].append(row | {"completed_ns": at})

    def judged(self, folder):
        for table in schema.TABLES:
            tables.write(folder, table, self.of[table.name])
        with open_database(Request("events").plan(1), folder, None) as database:
            return examine(database, Telling(T0), NAME, TEXT, "target")


FIRES = ("timerFired", {"task_id": 1, "fire_at_ns": T0 + 4000 * MS, "at_ns": T0 + 4000 * MS})
COMES = ("eventRaised", {"name": approval.EVENT, "payload": '{"number": 1}'})
GOES_ON = ("taskScheduled", {"task_id": 2, "event_id": 2, "name": "reserve_stock_v1"})


@pytest.fixture(name="sound")
def _sound():
    rows = Rows()
    rows.ended("a", "completed", COMES, GOES_ON, number=1)
    rows.ended("b", "timed_out", FIRES)
    rows.ended("c", "timed_out", FIRES, COMES)
    rows.acknowledged("c", T0 + 4100 * MS)
    return rows


def test_what_came_first_counts(sound, tmp_path):
    found = sound.judged(tmp_path)

    assert (found.violations, found.examined, found.reason) == (0, 3, None)


@pytest.mark.parametrize(
    ("happened", "outcome", "number", "told"),
    [
        ((GOES_ON,), "completed", None, "nobody approved it"),
        ((FIRES, COMES, GOES_ON), "completed", 1, "its time-out came before the approval"),
        ((COMES, FIRES), "timed_out", None, "its approval came before the time-out"),
        ((FIRES, GOES_ON), "timed_out", None, "it went on all the same"),
        ((), "timed_out", None, "its history has no time-out"),
        ((COMES,), "completed", 1, "it did not go on"),
        ((COMES, GOES_ON), "completed", 2, "it has the approval 2, and the first was 1"),
    ],
)
def test_a_time_out_and_an_approval_never_both_win(sound, tmp_path, happened, outcome, number, told):
    sound.ended("x", outcome, *happened, number=number)

    found = sound.judged(tmp_path)

    assert [witness.sentence for witness in found.witnesses] == [f"x says {outcome}: {told}. Layer: app."]


def test_an_approval_that_was_acknowledged_before_the_time_out_counts(sound, tmp_path):
    sound.acknowledged("b", T0 + 3900 * MS)

    found = sound.judged(tmp_path)

    assert [witness.sentence for witness in found.witnesses] == [
        "b says timed_out: its approval was acknowledged before the time-out. Layer: app."
    ]


def test_what_the_invariant_plants_itself_is_caught_by_it(sound, tmp_path):
    for number, plant in enumerate(invariant.parse(TEXT).plants):
        folder = tmp_path / str(number)
        folder.mkdir()
        sound.judged(folder)
        assert plants.make(plant, folder, folder)
        with open_database(Request("events").plan(1), folder, None) as database:
            assert examine(database, Telling(T0), NAME, TEXT, "target").violations > 0, plant.sql
