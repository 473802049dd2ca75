"""A start with the id of an instance that has ended: what the engine has afterwards, and which loads can have it."""

import json
import re

import pytest

from harness.errors import UsageError
from harness.load.arrivals import schedule
from harness.planning.request import Request
from tests.builders.literal import CLIENT, MS, change, drop, one, sound

AGAIN = {"operation": "start"}
STORED = {"instance_id": "i"}


def once_more(rows, *, after, outcome="ok"):
    """A client starts `i` once more, so long (nanoseconds) after the execution that the engine has began."""
    at_ns = one(rows, "instances", **STORED)["created_ns"] + after
    row = one(rows, "requests", **AGAIN) | {"number": 2, "request_id": f"{CLIENT}/97", "outcome": outcome}
    rows["requests"].append(row | {"intended_ns": at_ns, "invoked_ns": at_ns, "completed_ns": at_ns + MS})


def test_a_new_execution_is_what_it_must_be(found):
    assert found("not_restarted", lambda _: None) == ([], 1)
    assert found("ran_again", lambda _: None)[0] == []


def test_one_whose_start_was_acknowledged_and_that_is_still_the_old_one_is_told(found):
    (sentence,), examined = found("not_restarted", lambda rows: once_more(rows, after=5_000 * MS))

    assert "i: 2 starts after the first were acknowledged" in sentence
    assert "the execution that the engine has was begun 5000 ms before that" in sentence
    assert examined == 2


@pytest.mark.parametrize("outcome", ["unknown", "fail"])
def test_a_start_that_was_not_acknowledged_may_have_changed_nothing(found, outcome):
    assert found("not_restarted", lambda rows: once_more(rows, after=5_000 * MS, outcome=outcome)) == ([], 1)


def test_each_acknowledged_start_is_an_execution(found):
    (sentence,), _ = found("not_restarted", lambda rows: once_more(rows, after=-MS))

    assert "it is in generation 2" in sentence


def test_the_first_start_counts_only_if_it_was_acknowledged(found):
    def tell(rows):
        change(rows, "instances", {"generation": 1}, **STORED)
        change(rows, "operations", {"outcome": "unknown"}, **STORED)

    assert found("not_restarted", tell)[0] == []


def test_one_that_is_nowhere_is_told(found):
    assert (
        "the engine has no such instance"
        in found("not_restarted", lambda rows: drop(rows, "instances", **STORED))[0][0]
    )


@pytest.mark.parametrize(("outcome", "violations"), [("ok", 0), ("unknown", 0), ("fail", 1)])
def test_an_execution_more_than_starts_that_were_not_refused_is_told(found, outcome, violations):
    def tell(rows):
        change(rows, "requests", {"outcome": outcome}, **AGAIN)

    assert len(found("ran_again", tell)[0]) == violations


def test_what_was_read_of_the_execution_before_is_not_taken_back(found):
    def reads(rows, *, again):
        """`i` is read as completed just before it is started again, and as running just after."""
        asked = one(rows, "requests", **AGAIN)
        for number, status, at_ns in (
            (8, "COMPLETED", asked["invoked_ns"] - MS),
            (9, "RUNNING", asked["completed_ns"]),
        ):
            row = asked | {
                "operation": "get",
                "payload": None,
                "request_id": f"{CLIENT}/{90 + number}",
                "number": number,
            }
            times = {"intended_ns": at_ns, "invoked_ns": at_ns, "completed_ns": at_ns + MS // 2}
            rows["requests"].append(row | times | {"runtime_status": status, "status": 200})
        if not again:
            drop(rows, "requests", **AGAIN)

    for name in ("monotonic_reads", "wrong_read"):
        assert found(name, lambda rows: reads(rows, again=True))[0] == []
        assert len(found(name, lambda rows: reads(rows, again=False))[0]) == 1


def test_a_start_is_sent_with_the_body_of_the_first_one():
    plan = Request("reuse").plan(1)
    starts = list(schedule(plan.scenario.load, plan.workflows, 1))
    again = [(start, due) for start in starts for due in start.requests if due.operation == "start"]

    assert len(again) > 100
    assert all(json.loads(due.payload) == start.body and due.event is None for start, due in again)


@pytest.mark.parametrize(
    ("scenario", "requests", "why"),
    [
        ("baseline", "[{operation: start}]", "the application starts it, and takes a second start for a repetition"),
        (
            "events",
            "[{operation: start}]",
            "it has effects, and a ledger does not tell those of two executions under one id apart",
        ),
        (
            "reuse",
            "[{operation: purge}, {operation: start}]",
            "its instances are purged, too, and nothing would tell a new execution from the first one",
        ),
    ],
)
def test_a_load_in_which_executions_could_not_be_told_apart_is_refused(scenario, requests, why):
    of = {"baseline": "load.requests", "events": "load.workflows.approve_order_v1.requests"}
    where = of.get(scenario, "load.workflows.series_v1.requests")

    with pytest.raises(UsageError, match=re.escape(why)):
        Request(scenario, settings=(f"{where}={requests}",)).plan(1)


def test_the_sound_run_has_one():
    assert [row["instance_id"] for row in sound()["requests"] if row["operation"] == "start"] == ["i"]
