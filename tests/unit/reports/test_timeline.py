"""Timelines: one instance, four tellers, one clock."""

import pytest
from harness_reports import evidence, timeline
from harness_reports.timeline import Entry

from harness.evidence import schema, tables
from tests.builders import shop
from tests.builders.shop import LOAD_START_NS

KILL, SLOW, *_ = shop.fault_findings()


def ns(seconds):
    return LOAD_START_NS + round(seconds * 1e9)


ROWS = {
    "operations": [
        {
            "instance_id": "a",
            "node": "app-0",
            "try": 1,
            "invoked_ns": ns(5.5),
            "completed_ns": ns(5.75),
            "outcome": "ok",
            "status": 202,
        },
        {"instance_id": "b", "node": "app-1", "try": 1, "invoked_ns": ns(1), "outcome": "unknown", "detail": "reset"},
    ],
    "history": [
        {"instance_id": "a", "position": 0, "event": "executionStarted", "at_ns": ns(5.625), "name": "order_v1"},
        {"instance_id": "a", "position": 1, "event": "taskCompleted", "at_ns": ns(9.5), "task_id": 1, "payload": "7"},
    ],
    "attempts": [
        {
            "instance_id": "a",
            "activity": "ship_v1",
            "task_id": 1,
            "attempt_id": "x",
            "node": "app-0",
            "started_ns": ns(5.875),
        },
        {
            "instance_id": "a",
            "activity": "ship_v1",
            "task_id": 1,
            "attempt_id": "y",
            "node": "app-1",
            "started_ns": ns(9),
            "ended_ns": ns(9.25),
            "outcome": "ok",
        },
    ],
    "effects": [
        {"instance_id": "a", "effect": "ship", "key": "a/1", "at_ns": ns(6.125), "source": "providers", "position": 3}
    ],
}


@pytest.fixture(name="folder")
def _folder(tmp_path):
    for table in schema.TABLES:
        tables.write(tmp_path, table, ROWS.get(table.name, []))
    return tmp_path


def read(folder, *instances, faults=(KILL, SLOW)):
    with evidence.open_evidence(folder) as opened:
        return timeline.read(opened, instances, LOAD_START_NS, faults)


def test_client_engine_bodies_and_ledger_are_merged_on_one_clock_and_faults_stand_among_them(folder):
    told = read(folder, "a")["a"]
    during = ("#0 kill",)
    assert told.entries == (
        Entry(5.5, 5.75, "client", "start, try 1", "app-0", "ok, status 202"),
        Entry(5.625, 5.625, "engine", "executionStarted order_v1", "history 0", ""),
        Entry(5.875, None, "body", "ship_v1", "app-0", "task 1; cut off", during),
        Entry(6.0, 8.1, "fault", "#0 kill", "sidecar-0", "felt after 12.3 ms"),
        Entry(6.125, 6.125, "ledger", "ship", "providers", "key a/1", during),
        Entry(9.0, 9.25, "body", "ship_v1", "app-1", "task 1, execution 2; ok"),
        Entry(9.5, 9.5, "engine", "taskCompleted", "history 1", "task 1; 7"),
    )
    assert (told.first, told.last, told.hidden, told.missing) == (5.5, 9.5, 0, ())


def test_an_entry_lies_between_the_first_and_the_last_in_per_cent(folder):
    told = read(folder, "a")["a"]
    cut, fault, shipped = told.entries[2:5]
    assert (told.left(shipped.at), told.width(shipped)) == (15.62, 0)
    assert told.width(fault) == 52.5
    assert (told.left(cut.at), told.width(cut)) == (9.38, 90.62), "what nobody saw end lasts to the edge"


def test_a_call_without_an_answer_and_an_unknown_instance_have_timelines_too(folder):
    told = read(folder, "b", "c")
    assert told["b"].entries == (Entry(1.0, None, "client", "start, try 1", "app-1", "unknown, no answer; reset"),)
    assert told["c"].entries == ()


def test_a_long_timeline_is_cut_and_says_how_much_is_hidden(folder):
    events = [
        {"instance_id": "a", "position": n, "event": "timerFired", "at_ns": ns(n)}
        for n in range(timeline.MOST_ENTRIES + 5)
    ]
    tables.write(folder, schema.HISTORY, events)
    told = read(folder, "a", faults=())["a"]
    assert len(told.entries) == timeline.MOST_ENTRIES
    assert told.hidden == 5 + 4


def test_missing_evidence_is_named_and_the_rest_is_told(folder):
    (folder / "history.parquet").unlink()
    told = read(folder, "a")["a"]
    assert told.missing == ("evidence/history.parquet is missing",)
    assert {entry.teller for entry in told.entries} == {"client", "body", "ledger", "fault"}
