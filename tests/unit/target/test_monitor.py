"""A shipment that is watched by continue-as-new: its code in the SDK's own executor, and what judges it."""

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
from target import defects, monitor

NAME = "watched"
TEXT = invariant.load(target.load(shipped.TARGET).invariants)[NAME]
T0 = 1_790_000_000 * 1_000_000_000
MS = 1_000_000
GIVEN = {"order_id": "x", "kind": "plain", "polls": 3, "seconds": 1, "lost": False}


def event(kind, number=-1, **fields):
    made = history_events_pb2.HistoryEvent(eventId=number)
    made.timestamp.FromNanoseconds(T0)
    body = getattr(made, kind)
    body.SetInParent()
    for name, value in fields.items():
        if name in ("input", "result"):
            getattr(body, name).value = json.dumps(value)
        elif name == "fireAt":
            body.fireAt.FromNanoseconds(value)
        else:
            setattr(body, name, value)
    return made


def turns(given, *answers):
    """The events of a generation: each activity is answered in a turn of its own."""
    yield event("workflowStarted")
    yield event("executionStarted", name=monitor.NAME, input=given)
    for number, (name, answer) in enumerate(answers, 1):
        yield event("taskScheduled", number, name=name)
        yield event("workflowStarted")
        yield event("taskCompleted", taskScheduledId=number, result=answer)


def orders(given, *answers, fires=False, defect=None):
    """What the code orders after these answers, and once its timer has fired."""

    def code(ctx, at_start):
        return (yield from monitor.watch_shipment_v1(ctx, at_start, defect))

    happened = list(turns(given, *answers))
    if fires:
        timer = len(answers) + 1
        happened.append(event("timerCreated", timer, fireAt=T0 + 1000 * MS))
        happened += [event("workflowStarted"), event("timerFired", timerId=timer, fireAt=T0 + 1000 * MS)]
    return Code({monitor.NAME: code}).orders("x", [], happened)[-1]


SHIPPED = ("register_shipment_v1", "x/ship")


def test_it_registers_the_shipment_once_and_then_asks_for_it():
    assert orders(GIVEN).scheduleTask.name == "register_shipment_v1"
    assert orders(GIVEN, SHIPPED).scheduleTask.name == monitor.POLL
    assert orders({**GIVEN, "polled": [1]}).scheduleTask.name == monitor.POLL


@pytest.mark.parametrize(("defect", "seconds"), [(None, 1), (defects.EARLY_POLL, 0.5)])
def test_while_it_is_in_transit_it_waits_and_begins_anew(defect, seconds):
    wait = orders(GIVEN, SHIPPED, (monitor.POLL, monitor.IN_TRANSIT), defect=defect)
    anew = orders(GIVEN, SHIPPED, (monitor.POLL, monitor.IN_TRANSIT), fires=True).completeWorkflow

    assert wait.createTimer.fireAt.ToNanoseconds() == T0 + seconds * 1000 * MS
    assert json.loads(anew.result.value) == {**GIVEN, "polled": [T0 // MS]}


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([(monitor.POLL, monitor.DELIVERED)], "delivered"),
        ([(monitor.POLL, monitor.LOST), ("cancel_shipment_v1", None)], "lost"),
    ],
)
def test_it_ends_when_it_is_delivered_or_lost_and_cancelled(answers, outcome):
    ended = orders({**GIVEN, "polled": [1, 2]}, *answers).completeWorkflow

    assert json.loads(ended.result.value) == {"outcome": outcome, "order_id": "x", "polled": [1, 2, T0 // MS]}


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"poll": 1, "polls": 2, "lost": True}, "in transit"),
        ({"poll": 2, "polls": 2, "lost": True}, "lost"),
        ({"poll": 2, "polls": 2, "lost": False}, "delivered"),
    ],
)
def test_a_poll_is_computed_from_its_input(given, state):
    assert monitor.poll(given) == state


class Rows:
    """The rows of one instance that was asked for three times, a second apart."""

    def __init__(self):
        self.of = {table.name: [] for table in schema.TABLES}
        polled = [T0 // MS + 1000 * number for number in range(3)]
        payload = json.dumps({**GIVEN, "polled": polled[:2]})
        for position, (kind, name) in enumerate((("executionStarted", monitor.NAME), ("taskScheduled", monitor.POLL))):
            row = {"instance_id": "a", "position": position, "event_id": -1, "event": kind, "at_ns": T0}
            self.of["history"].append(row | {"name": name, "payload": payload})
        for number in range(3):
            row = {"instance_id": "a", "activity": monitor.POLL, "task_id": 1, "attempt_id": str(number)}
            self.of["attempts"].append(row | {"started_ns": T0 + 1000 * MS * number, "outcome": "ok"})
        output = json.dumps({"outcome": "delivered", "polled": polled})
        row = {"instance_id": "a", "workflow": monitor.NAME, "status": "COMPLETED", "generation": 3, "created_ns": T0}
        self.of["instances"] = [row | {"outcome": "delivered", "output": output, "completed_ns": T0 + 2000 * MS}]

    @property
    def instance(self):
        return self.of["instances"][0]

    @property
    def started(self):
        return self.of["history"][0]

    def judged(self, folder):
        for table in schema.TABLES:
            tables.write(folder, table, self.of[table.name])
        with open_database(Request("monitor").plan(1), folder, None) as database:
            return examine(database, Telling(T0), NAME, TEXT, "target")


def polled(*at_ms):
    return lambda rows: rows.instance.update(output=json.dumps({"polled": [T0 // MS + each for each in at_ms]}))


def given(**changes):
    return lambda rows: rows.started.update(payload=json.dumps(json.loads(rows.started["payload"]) | changes))


def hurried(rows):
    for attempt in rows.of["attempts"]:
        attempt["started_ns"] = T0


def test_what_is_watched_as_promised_is_not_told(tmp_path):
    found = Rows().judged(tmp_path)

    assert (found.violations, found.examined, found.reason) == (0, 1, None)


@pytest.mark.parametrize(("generation", "violations"), [(3, 0), (6, 0), (7, 1)])
def test_a_second_start_may_run_it_again_with_all_its_generations(tmp_path, generation, violations):
    rows = Rows()
    for number in range(2):
        call = {"op_id": str(number), "instance_id": "a", "outcome": "ok", "invoked_ns": T0, "completed_ns": T0}
        rows.of["operations"].append(call)
    rows.instance["generation"] = generation

    assert rows.judged(tmp_path).violations == violations


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows.instance.update(outcome="lost"), "its input says otherwise"),
        (lambda rows: rows.instance.update(generation=2), "it is in generation 2 after 3 polls"),
        (lambda rows: rows.instance.update(generation=4), "it is in generation 4 after 3 polls"),
        (polled(0, 1000), "it was asked for 2 times, and its input says 3"),
        (polled(0, 1000, 1900), "two polls are 900 ms apart, and 1000 ms were promised"),
        (given(polled=[1]), "its history does not have the last poll alone: 1 polls after 1"),
        (lambda rows: rows.of["history"].append(dict(rows.of["history"][1])), "2 polls after 2"),
        (lambda rows: rows.of["attempts"].pop(), "only 2 polls were executed, of 3"),
        (hurried, "3 polls were executed within 0 ms"),
    ],
)
def test_what_is_not_watched_as_promised_is_told(tmp_path, change, told):
    rows = Rows()
    change(rows)

    found = rows.judged(tmp_path)

    assert len(found.witnesses) == 1
    assert told in found.witnesses[0].sentence


def test_what_the_invariant_plants_itself_is_caught_by_it(tmp_path):
    for number, plant in enumerate(invariant.parse(TEXT).plants):
        folder = tmp_path / str(number)
        folder.mkdir()
        Rows().judged(folder)
        assert plants.make(plant, folder, folder)
        with open_database(Request("monitor").plan(1), folder, None) as database:
            assert examine(database, Telling(T0), NAME, TEXT, "target").violations > 0, plant.sql
