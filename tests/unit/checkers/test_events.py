"""Events that clients raise: what is lost, what came too late, and what nobody raised."""

import pytest

from harness.checkers.database import open_database
from harness.checkers.examining import examine
from harness.checkers.invariant import GENERAL, load
from harness.checkers.telling import Telling
from harness.evidence import schema, tables
from tests.builders.literal import MS, T0, append_event, change, drop, events, one, sound

TEXTS = load(GENERAL)
RAISED = {"instance_id": "d"}
TAKEN = {"instance_id": "d", "event": "eventRaised"}


@pytest.fixture(name="told")
def _told(planned, tmp_path):
    """What an invariant tells of the rows of a run."""

    def told(name, rows):
        for table in schema.TABLES:
            tables.write(tmp_path, table, rows[table.name])
        with open_database(planned, tmp_path, None) as database:
            found = examine(database, Telling(T0), name, TEXTS[name], "general")
        assert found.reason is None or found.examined == 0, found.reason
        return [witness.sentence for witness in found.witnesses], found.examined

    return told


def last_turn(rows):
    return max(row["at_ns"] for row in events(rows, "d") if row["event"] == "workflowStarted")


def test_an_event_that_was_acknowledged_and_is_not_in_the_history_is_lost(told):
    rows = sound()
    drop(rows, "history", **TAKEN)

    (sentence,), examined = told("lost_event", rows)

    assert "its history has 0 of the 1 that were acknowledged before that" in sentence
    assert examined == 1


def test_one_that_was_acknowledged_after_the_last_turn_began_came_too_late(told):
    rows = sound()
    drop(rows, "history", **TAKEN)
    change(rows, "requests", {"completed_ns": last_turn(rows) - MS}, **RAISED)

    assert told("lost_event", rows) == ([], 1)


def test_one_whose_raise_was_not_answered_may_be_there_or_not(told):
    rows = sound()
    change(rows, "requests", {"outcome": "unknown", "status": None}, **RAISED)

    assert told("lost_event", rows) == ([], 0)
    assert told("phantom_event", rows) == ([], 1)

    drop(rows, "history", **TAKEN)

    assert told("lost_event", rows) == ([], 0)


def test_one_that_is_taken_in_twice_is_told(told):
    rows = sound()
    again = one(rows, "history", **TAKEN)
    append_event(rows, "d", **{name: again[name] for name in ("event", "name", "payload")})

    (sentence,), _ = told("phantom_event", rows)

    assert "2 times" in sentence
    assert "clients raised it 1 times" in sentence


@pytest.mark.parametrize(
    "new",
    [{"instance_id": "e"}, {"outcome": "fail"}, {"payload": "0"}, {"invoked_ns": T0 + 3_600_000 * MS}],
    ids=["of another", "refused", "another payload", "raised later"],
)
def test_one_that_nobody_raised_is_told(told, new):
    rows = sound()
    change(rows, "requests", new, **RAISED)

    assert len(told("phantom_event", rows)[0]) == 1
