"""Timelines and swim-lanes: one instance, all that tell of it, one clock."""

import pytest
from harness_reports import evidence, lanes, timeline
from harness_reports.lanes import Scale
from harness_reports.timeline import Entry
from hypothesis import example, given
from hypothesis import strategies as st

from harness.checkers import traces
from harness.evidence import schema, tables
from tests.builders.evidence import write_evidence
from tests.builders.shop import LOAD_START_NS

NODES = ("redis", "placement-0", "scheduler-0", "providers", "sidecar-0", "sidecar-1", "app-0", "app-1")


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
    "instances": [{"instance_id": "a", "status": "COMPLETED", "created_ns": ns(5.625), "completed_ns": ns(9.5)}],
    "faults": [
        {"step": 0, "fault": "kill", "node": "sidecar-0", "applied_ns": ns(6), "healed_ns": ns(8.1)},
        {"step": 1, "fault": "latency", "node": "sidecar-1->redis", "applied_ns": ns(16), "healed_ns": ns(22)},
    ],
    "effects": [
        {"instance_id": "a", "effect": "ship", "key": "a/1", "at_ns": ns(6.125), "source": "providers", "position": 3}
    ],
}


@pytest.fixture(name="folder")
def _folder(tmp_path):
    return write_evidence(tmp_path, ROWS)


def read(folder, instance, most=80):
    with evidence.open_evidence(folder) as opened:
        return timeline.of(traces.read(opened, [instance])[instance], NODES, LOAD_START_NS, most)


def test_all_that_tell_of_an_instance_are_merged_on_one_clock_and_faults_stand_among_them(folder):
    told = read(folder, "a")
    during = ("#0 kill",)
    accepted = "a client asks app-0 to start it, try 1: accepted, status 202"
    again = "ship_v1 runs on app-1 (task 1, execution 2): ends well"
    result = "history 1: task 1 (unknown) has its result"
    assert told.entries == (
        Entry(5.5, 5.75, "client", ("client",), "start, try 1", accepted),
        Entry(5.625, 5.625, "history", ("store",), "begins", "history 0: the workflow order_v1 begins"),
        Entry(
            5.875, None, "body", ("app-0",), "ship_v1", "ship_v1 runs on app-0 (task 1): cut off", "", during, bad=True
        ),
        Entry(6.0, 8.1, "fault", ("sidecar-0",), "#0 kill", "#0 kill of sidecar-0 is in force"),
        Entry(6.125, 6.125, "effect", ("providers",), "ship", "providers keeps the effect ship", "key a/1", during),
        Entry(9.0, 9.25, "body", ("app-1",), "ship_v1", again),
        Entry(9.5, 9.5, "history", ("store",), "unknown done", result, "7"),
    )
    assert (told.first, told.last, told.hidden, told.missing) == (5.5, 9.5, 0, ())


def test_what_a_client_asks_after_the_start_is_told_and_what_the_engine_makes_of_it(folder):
    asked = {"instance_id": "b", "client": "c", "outcome": "ok", "status": 202, "intended_ns": ns(2)}
    pause = {"request_id": "c/1", "number": 1, "operation": "pause", "node": "sidecar-1"}
    event = {"request_id": "c/2", "number": 2, "operation": "raiseEvent", "name": "nod", "payload": "1"}
    tables.write(
        folder,
        schema.REQUESTS,
        [
            {**asked, **pause, "invoked_ns": ns(2), "completed_ns": ns(2.5)},
            {**asked, **event, "node": "sidecar-0", "invoked_ns": ns(3), "completed_ns": ns(3.5)},
        ],
    )
    of = {"instance_id": "b", "event_id": -1}
    history = [
        {**of, "position": 0, "event": "executionSuspended", "at_ns": ns(2.25)},
        {**of, "position": 1, "event": "eventRaised", "name": "nod", "at_ns": ns(3.25)},
    ]
    tables.write(folder, schema.HISTORY, history)

    assert [(entry.at, entry.label, entry.text) for entry in read(folder, "b").entries[1:]] == [
        (2.0, "pause", "a client asks sidecar-1 for pause: accepted, status 202"),
        (2.25, "paused", "history 0: the workflow is paused"),
        (3.0, "raiseEvent nod", "a client asks sidecar-0 for raiseEvent nod: accepted, status 202"),
        (3.25, "event nod", "history 1: the event nod is taken in"),
    ]


def test_a_call_without_an_answer_and_an_unknown_instance_have_timelines_too(folder):
    (only,) = read(folder, "b").entries
    assert (only.at, only.end, only.bad, only.detail) == (1.0, None, True, "reset")
    assert only.text == "a client asks app-1 to start it, try 1: unknown, no answer"
    assert read(folder, "c").entries == ()


def test_a_body_that_was_cut_off_lasts_until_its_process_was_ended(folder):
    tables.write(folder, schema.FAULTS, [{**ROWS["faults"][0], "node": "app-0", "step": 4}])
    cut, _ = (entry for entry in read(folder, "a").entries if entry.kind == "body")
    assert (cut.at, cut.end, cut.bad) == (5.875, 6.0, True)
    assert cut.text == "ship_v1 runs on app-0 (task 1): cut off by #4 kill"


def test_a_timer_lasts_in_the_scheduler_until_its_own_fire(folder):
    events = [
        {"instance_id": "a", "position": n, "event": event, "task_id": 6, "at_ns": ns(at)}
        for n, (event, at) in enumerate((("timerCreated", 5), ("timerFired", 6), ("timerCreated", 7)))
    ]
    tables.write(folder, schema.HISTORY, events)
    timers = [(entry.at, entry.end) for entry in read(folder, "a").entries if entry.kind == "timer"]
    assert timers == [(5, 6), (7, None)]


def test_a_long_timeline_is_cut_and_says_how_much_is_hidden(folder):
    events = [{"instance_id": "a", "position": n, "event": "eventRaised", "at_ns": ns(6 + n / 100)} for n in range(20)]
    tables.write(folder, schema.HISTORY, events)
    told = read(folder, "a", most=10)
    assert (len(told.entries), told.hidden) == (10, 20 + 5 - 10)


def test_missing_evidence_is_named_and_the_rest_is_told(folder):
    (folder / "history.parquet").unlink()
    told = read(folder, "a")
    assert told.missing == ("evidence/history.parquet is missing",)
    assert {entry.kind for entry in told.entries} == {"client", "body", "effect", "fault"}


def test_names_from_outside_are_no_format_fields(folder):
    row = {"instance_id": "a", "position": 0, "event": "taskScheduled", "name": "{task}{0}", "task_id": 3}
    tables.write(folder, schema.HISTORY, [{**row, "at_ns": ns(5.6)}])
    assert any("{0}" in entry.text for entry in read(folder, "a").entries)


def test_the_lanes_go_from_the_client_to_the_store_and_placement_is_one_only_if_it_is_hit(folder):
    drawn = lanes.draw(read(folder, "a"), NODES, ("providers",))
    assert [lane.name for lane in drawn.lanes] == [
        "client", "app-0", "app-1", "sidecar-0", "sidecar-1", "scheduler", "providers", "store",
    ]  # fmt: skip
    assert [(band.label, band.lanes) for band in drawn.bands] == [("#0 kill", ("sidecar-0",))]
    rows = [{**ROWS["faults"][0], "node": "placement-0"}]
    tables.write(folder, schema.FAULTS, rows)
    assert "placement-0" in [lane.name for lane in lanes.draw(read(folder, "a"), NODES, ("providers",)).lanes]


def test_no_two_labels_of_a_lane_cover_each_other(folder):
    events = [{"instance_id": "a", "position": n, "event": "eventRaised", "at_ns": ns(6 + n / 1000)} for n in range(60)]
    tables.write(folder, schema.HISTORY, events)
    for lane in lanes.draw(read(folder, "a"), NODES, ()).lanes:
        for track in range(lane.tracks):
            ends = 0.0
            for mark in (mark for mark in lane.marks if mark.track == track and mark.side != "none"):
                label = len(mark.entry.label) * 0.68
                starts = mark.left - label if mark.side == "before" else mark.left
                assert starts >= ends
                ends = mark.left + mark.width + (label if mark.side == "after" else 0)


@given(st.lists(st.floats(-1e4, 1e6), min_size=1), st.floats(-1e4, 1e6), st.floats(-1e4, 1e6))
@example([-10000.0, -0.125], -0.5, 0.0)
def test_the_scale_keeps_the_order_and_stays_within_the_lane(moments, one, other):
    scale = Scale(moments)
    low, high = sorted((one, other))
    assert 0 <= scale(low) <= scale(high) <= 100.01


def test_a_long_wait_leaves_room_for_what_happened_at_once():
    scale = Scale([0, 0.01, 0.02, 0.03, 60])
    assert scale(0.03) > 10, "to scale it would be 0.05 per cent"
