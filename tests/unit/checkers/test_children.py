"""Child workflows: instances of their own, asked for by the instance that ordered them."""

import json

import pytest

from harness.checkers import invariant
from harness.checkers.database import open_database
from harness.checkers.examining import examine
from harness.checkers.judge import judge
from harness.checkers.telling import Telling
from harness.model import Result
from tests.builders.tutorial import EFFECTS, Rows, plan

DELIVER = {"workflow": "deliver", "parent_id": "a", "root_id": "a"}
TEXTS = invariant.load(invariant.GENERAL)


def asked(made, rows, tmp_path, *names):
    """The class of each instance, and what these invariants say."""
    with open_database(made, rows.write(tmp_path), None) as database:
        of = "SELECT instance_id, class FROM classes ORDER BY instance_id"
        classes = {row["instance_id"]: row["class"] for row in database.rows(of)}
        return classes, [examine(database, Telling(0), name, TEXTS[name], "general") for name in names]


def order(rows, ordered="deliver"):
    """An order that ended well, whose only task is the child workflow that it ordered."""
    rows.ended("a", output={"processed": True})
    rename = {"taskScheduled": "childWorkflowInstanceCreated", "taskCompleted": "childWorkflowInstanceCompleted"}
    for event in rows.of["history"]:
        if event["event"] in rename:
            event.update(event=rename[event["event"]], call_id=None)
            event.update({"name": ordered} if "name" in event else {})


def test_a_child_is_asked_for_by_its_parent_and_needs_no_line_in_target_yaml(tmp_path):
    rows = Rows()
    order(rows)
    rows.stored("a:0000", **DELIVER)

    verdict = judge("run", plan(), rows.write(tmp_path))

    assert [finding.name for finding in verdict.findings if finding.result is Result.VIOLATED] == []
    assert verdict.classes == {"completed": 2}
    assert "deliver" not in str([finding.reason for finding in verdict.findings])


@pytest.mark.parametrize(
    "family",
    [
        {"parent_id": "z", "root_id": "z"},
        {"parent_id": "z", "root_id": "a"},
        {"parent_id": "a", "root_id": "z"},
        {},
    ],
)
def test_a_child_of_nobody_is_a_phantom(tmp_path, family):
    rows = Rows()
    order(rows)
    rows.stored("a:0000", workflow="deliver", **family)

    classes, (phantom,) = asked(plan(), rows, tmp_path, "phantom")

    assert classes == {"a": "completed", "a:0000": "phantom"}
    assert "a:0000 was asked for by no client" in phantom.witnesses[0].sentence


def test_a_child_that_the_history_of_its_parent_does_not_have_is_a_phantom(tmp_path):
    rows = Rows()
    order(rows, ordered="weigh")
    rows.stored("a:0000", **DELIVER)

    _, (phantom,) = asked(plan(), rows, tmp_path, "phantom")

    assert "ordered by a, whose history has no child workflow deliver" in phantom.witnesses[0].sentence


def test_a_child_of_a_refused_start_is_a_phantom_as_its_parent_is(tmp_path):
    rows = Rows()
    order(rows)
    rows.stored("a:0000", **DELIVER)
    rows.of["operations"][0] |= {"outcome": "fail", "status": 400, "detail": "no"}

    classes, (told,) = asked(plan(), rows, tmp_path, "told")

    assert classes == {"a": "phantom", "a:0000": "phantom"}
    assert told.result is Result.VIOLATED


@pytest.mark.parametrize(
    ("children", "class_"), [({}, "failed"), ({"deliver": {"statuses": {"FAILED": {"ends": "rejected"}}}}, "rejected")]
)
def test_how_a_child_may_end_is_said_by_target_yaml(tmp_path, children, class_):
    rows = Rows()
    order(rows)
    rows.stored("a:0000", status="FAILED", **DELIVER)

    classes, (failed,) = asked(plan(children=children), rows, tmp_path, "failed")

    assert classes == {"a": "completed", "a:0000": class_}
    assert failed.result is (Result.VIOLATED if class_ == "failed" else Result.HOLDS)


@pytest.mark.parametrize(
    ("runs_for", "results"),
    [("a:0000", [Result.HOLDS] * 3), ("b", [Result.VIOLATED, Result.VIOLATED, Result.UNKNOWN])],
)
def test_an_activity_of_a_child_may_make_effects_of_the_head_of_its_family(tmp_path, runs_for, results):
    rows = Rows()
    order(rows)
    rows.stored("a:0000", **DELIVER)
    began = rows.tick()
    rows.effect("a", "take")
    body = {"instance_id": runs_for, "activity": "take", "task_id": 0, "attempt_id": "1", "node": "app-0"}
    rows.of["attempts"].append(body | {"started_ns": began, "ended_ns": rows.tick(), "outcome": "ok"})
    statuses = {"COMPLETED": {"ends": "completed", "effects": ["take"]}}
    made = plan({"statuses": statuses, "activities": {"take": {"effect": "take"}}}, attempts=True, **EFFECTS)

    _, found = asked(made, rows, tmp_path, "effect_in_body", "effect_of_activity", "record_bodies")

    assert [each.result for each in found] == results


def test_the_body_of_a_child_that_made_an_effect_is_told_with_it(tmp_path):
    rows = Rows()
    order(rows)
    rows.stored("a:0000", **DELIVER)
    began = rows.tick()
    for _ in range(2):
        rows.effect("a", "take")
    body = {"instance_id": "a:0000", "activity": "take", "task_id": 0, "attempt_id": "1", "node": "app-shipping-0"}
    rows.of["attempts"].append(body | {"started_ns": began, "ended_ns": rows.tick(), "outcome": "ok"})

    _, (duplicated,) = asked(plan(**EFFECTS), rows, tmp_path, "duplicated")

    assert "by attempt 1 of take on app-shipping-0" in duplicated.witnesses[0].sentence


def test_a_child_moves_no_balance_of_its_own_even_with_the_input_of_its_parent(tmp_path):
    rows = Rows()
    order(rows)
    rows.stored("a:0000", **DELIVER)
    for event in rows.of["history"]:
        if event["event"] == "executionStarted":
            event["payload"] = json.dumps({"item": "tea", "units": 2})
    rows.of["balances"].append({"balance": "stock", "key": "tea", "began": 10.0, "ended": 8.0})
    rows.of["moves"].append({"instance_id": "a", "balance": "stock", "key": "tea", "amount": -2.0})
    stock = {"keys": ["tea"], "value": "units", "start": 10, "key": "item", "amount": "units"}

    _, found = asked(plan(balances={"stock": stock}), rows, tmp_path, "balances", "record_balances")

    assert [each.result for each in found] == [Result.HOLDS] * 2, found


@pytest.mark.parametrize(
    ("node", "taken_before", "result"),
    [
        ("sidecar-shipping-0", False, Result.HOLDS),
        ("sidecar-shipping-0", True, Result.VIOLATED),
        ("sidecar-1", False, Result.VIOLATED),
    ],
)
def test_what_another_application_was_not_there_for_is_ordered_by_a_later_turn(tmp_path, node, taken_before, result):
    rows = Rows()
    order(rows)
    events = rows.of["history"]
    ordered = next(event for event in events if event["event"] == "childWorkflowInstanceCreated")
    again = [{"instance_id": "a", "event_id": -1, "event": "workflowStarted", "at_ns": ordered["at_ns"]}]
    if taken_before:
        again = [*again, again[0] | {"event": "eventRaised"}, *again]
    events[events.index(ordered) : events.index(ordered)] = again
    for position, event in enumerate(events):
        event["position"] = position
    made = plan()
    made = made.model_copy(update={"nodes": (*made.nodes, node)})

    _, (causes,) = asked(made, rows, tmp_path, "history_causes")

    assert causes.result is result
