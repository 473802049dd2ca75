"""How long things took: from when, until when, and in which window."""

import pytest

from harness.checkers.database import open_database
from harness.checkers.latencies import latencies
from harness.model import Quantiles
from tests.builders.evidence import write_evidence

MS = 10**6
SECOND = 1000


def call(name, due, answered, outcome="ok", number=1, client="c"):
    return {
        "instance_id": name,
        "op_id": f"{name}/{number}",
        "try": number,
        "client": client,
        "workflow": "order_v1",
        "kind": "plain",
        "intended_ns": due * MS,
        "invoked_ns": due * MS,
        "completed_ns": answered * MS,
        "outcome": outcome,
    }


def history(name, *events):
    """Events (event, at in ms, name, task id) of an instance, in this order."""
    return [
        {"instance_id": name, "position": position, "event": event, "event_id": -1, "at_ns": at * MS}
        | {"name": called, "task_id": task}
        for position, (event, at, called, task) in enumerate(events)
    ]


@pytest.fixture(name="rows")
def _rows():
    """
    Times in ms. Two faults: step 0 on two nodes (1000 to 2000, 1500 to 3000), step 1 (8000 on, never healed). Instance
    `a` is due before the faults, `b` in step 0, `d` in step 1; `c` is refused; `e` is never accepted; `x` is a canary.
    """
    ended = {"a": 500, "b": 4000, "d": None, "x": 90}
    return {
        "operations": [
            call("x", 0, 50, client="canary"),
            call("a", 100, 130),
            call("b", 2500, 2700, "unknown"),
            call("b", 2700, 2900, number=2),
            call("c", 5000, 5100, "fail"),
            call("d", 9000, 9030),
            call("e", 5200, 6200, "unknown"),
        ],
        "instances": [
            {"instance_id": name, "workflow": "order_v1", "status": "COMPLETED", "completed_ns": at and at * MS}
            for name, at in ended.items()
        ],
        "faults": [
            {"step": step, "fault": "kill", "node": node, "proof": "{}", "planned_ns": at * MS}
            | {"applied_ns": at * MS, "felt_ns": at * MS, "healed_ns": healed and healed * MS}
            for step, node, at, healed in (
                (0, "sidecar-0", 1000, 2000),
                (0, "sidecar-1", 1500, 3000),
                (1, "sidecar-0", 8000, None),
            )
        ],
        "history": [
            *history("x", ("workflowStarted", 10, None, None), ("taskScheduled", 12, "ship_v1", 1)),
            *history(
                "a",
                ("workflowStarted", 140, None, None),
                ("executionStarted", 131, "order_v1", None),
                ("taskScheduled", 142, "ship_v1", 1),
                ("taskScheduled", 143, "bill_v1", 2),
                ("workflowStarted", 190, None, None),  # orders nothing: the other result is missing
                ("taskCompleted", 182, None, 1),
                ("workflowStarted", 290, None, None),
                ("taskFailed", 243, None, 2),
                ("executionCompleted", 296, None, None),
            ),
            *history(
                "b",
                ("workflowStarted", 2950, None, None),
                ("executionStarted", 2910, "order_v1", None),
                ("taskScheduled", 2960, "ship_v1", 1),
                ("workflowStarted", 3970, None, None),
                ("taskCompleted", 3960, None, 1),
                ("executionCompleted", 3972, None, None),
            ),
            *history("d", ("workflowStarted", 9050, None, None), ("taskScheduled", 9051, "ship_v1", 1)),
        ],
    }


@pytest.fixture(name="found")
def _found(planned, tmp_path):
    def found(rows, **changes):
        plan = planned.model_copy(update={"steps": (), **changes})
        with open_database(plan, write_evidence(tmp_path, rows), None) as database:
            return {(each.measure, each.name): each for each in latencies(database, plan)}

    return found


def of(number, *times):
    p50, p95, p99, longest = times * (4 // len(times))
    return Quantiles(number=number, p50=p50, p95=p95, p99=p99, longest=longest)


def test_a_start_counts_from_when_it_was_first_due_and_one_without_a_yes_is_infinitely_slow(found, rows):
    start = found(rows)["start", ""]
    assert start.all == Quantiles(number=4, p50=0.03, p95=None, p99=None, longest=None), "30, 30, 400 ms, never"
    assert start.in_faults == of(2, 0.03, 0.4, 0.4, 0.4)
    assert start.outside_faults == of(2, 0.03, None, None, None)


def test_an_instance_counts_from_when_its_start_was_due_and_one_without_an_end_is_infinitely_slow(found, rows):
    end = found(rows)["end", ""]
    assert end.all == of(4, 1.5, None, None, None), "400 ms, 1.5 s, never, never"
    assert end.steps == {"0": of(1, 1.5), "1": of(1, None)}


def test_an_activity_counts_from_its_order_to_its_result_or_failure_by_the_engines_history(found, rows):
    every = found(rows)
    ship = every["activity", "ship_v1"]
    assert ship.all == of(2, 0.04, 1.0, 1.0, 1.0), "the one without a result and that of the canary are left out"
    assert (ship.in_faults, ship.outside_faults) == (of(1, 1.0), of(1, 0.04))
    assert every["activity", "bill_v1"].all == of(1, 0.1)
    assert every["activity", "bill_v1"].in_faults is None


def test_a_turn_counts_from_its_begin_to_the_last_thing_that_it_ordered(found, rows):
    turn = found(rows)["turn", "order_v1"]
    assert turn.all == of(5, 0.003, 0.01, 0.01, 0.01), "3, 6, 10, 2, 1 ms; the turn that ordered nothing is left out"
    assert turn.steps == {"0": of(1, 0.01), "1": of(1, 0.001)}


def test_a_step_lasts_from_its_first_node_to_its_last(found, rows):
    rows["operations"] += [call("f", 1000, 1001), call("g", 2200, 2202), call("h", 3001, 3004)]
    start = found(rows)["start", ""]
    assert start.steps["0"].number == 3, "f, g and b"
    assert start.in_faults.number == 4


def test_without_faults_everything_is_outside(found, rows):
    every = found(rows | {"faults": []})
    assert {each.in_faults for each in every.values()} == {None}
    assert all(each.outside_faults == each.all and not each.steps for each in every.values())


@pytest.mark.parametrize(
    ("lost", "left"),
    [
        ("operations", set()),
        ("history", {"start", "end"}),
        ("faults", set()),
    ],
)
def test_what_needs_lost_evidence_is_left_out(planned, tmp_path, rows, lost, left):
    write_evidence(tmp_path, rows)
    (tmp_path / f"{lost}.parquet").unlink()
    with open_database(planned, tmp_path, None) as database:
        assert {each.measure for each in latencies(database, planned)} == left


def test_the_engines_rows_of_copies_are_not_read(found, rows):
    assert {measure for measure, _ in found(rows, copies=2)} == {"start", "end"}


def test_order_is_that_in_which_things_happen(found, rows):
    assert list(found(rows)) == [
        ("start", ""),
        ("end", ""),
        ("activity", "bill_v1"),
        ("activity", "ship_v1"),
        ("turn", "order_v1"),
    ]
