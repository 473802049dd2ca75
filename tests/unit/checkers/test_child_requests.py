"""A terminate and a purge reach the children: what they leave behind is told, what had ended before is not."""

import pytest

from tests.builders.literal import MS, append_event, change, one, sound

SECOND = 1_000 * MS
CHILD = {"instance_id": "g:1"}
PARENT_ENDED = one(sound(), "instances", instance_id="g")["completed_ns"]


def ended(status, after):
    """A change: the child ended with this status, so long after its parent (nanoseconds)."""

    def tell(rows):
        change(rows, "instances", {"status": status, "completed_ns": PARENT_ENDED + after}, **CHILD)
        rows["history"] = [row for row in rows["history"] if row["instance_id"] != "g:1" or row["position"] < 3]
        rows["history"][-1].update(at_ns=PARENT_ENDED + after - MS)

    return tell


def fault(rows, applied_ns, healed_ns):
    """A fault was in force meanwhile."""
    row = {"step": 0, "fault": "kill", "node": "sidecar-0", "planned_ns": applied_ns, "begun_ns": applied_ns}
    rows["faults"].append(
        row | {"applied_ns": applied_ns, "felt_ns": applied_ns, "healed_ns": healed_ns, "proof": "{}"}
    )


def test_a_child_that_is_terminated_with_its_parent_is_as_it_must_be(found):
    assert found("child_not_terminated", lambda _: None) == ([], 1)
    assert found("child_not_purged", lambda _: None) == ([], 1)


@pytest.mark.parametrize("after", [-SECOND, SECOND])
def test_one_that_ended_by_itself_before_the_terminate_came_may(found, after):
    assert found("child_not_terminated", ended("COMPLETED", after))[0] == []


def test_one_that_goes_on_to_its_own_end_is_told(found):
    (sentence,), _ = found("child_not_terminated", ended("COMPLETED", 10 * SECOND))

    assert sentence.startswith("g:1: its parent g ended as TERMINATED")
    assert "it ended as COMPLETED 10000 ms later" in sentence


def test_while_a_fault_is_in_force_a_terminate_may_be_on_its_way_for_longer(found):
    def tell(rows):
        ended("COMPLETED", 10 * SECOND)(rows)
        fault(rows, PARENT_ENDED - SECOND, PARENT_ENDED + 12 * SECOND)

    def too_long(rows):
        ended("COMPLETED", 90 * SECOND)(rows)
        fault(rows, PARENT_ENDED - SECOND, PARENT_ENDED + 12 * SECOND)

    assert found("child_not_terminated", tell)[0] == []
    assert len(found("child_not_terminated", too_long)[0]) == 1


def test_one_that_orders_something_later_is_told_whatever_its_end(found):
    def tell(rows):
        append_event(rows, "g:1", event="taskScheduled", name="quote_v1", task_id=7, event_id=7)
        rows["history"][-1].update(at_ns=PARENT_ENDED + 4 * SECOND)

    assert "it ordered something 4000 ms later" in found("child_not_terminated", tell)[0][0]


def test_one_that_stands_is_told(found):
    def tell(rows):
        change(rows, "instances", {"status": "RUNNING", "completed_ns": None}, **CHILD)

    assert "it is RUNNING" in found("child_not_terminated", tell)[0][0]


def test_children_of_what_nobody_terminated_are_not_examined(found):
    assert found(
        "child_not_terminated", lambda rows: change(rows, "instances", {"status": "COMPLETED"}, instance_id="g")
    ) == (
        [],
        0,
    )


def purged(**facts):
    """A change: the child belongs to `h`, which a client has purged."""

    def tell(rows):
        change(rows, "instances", {"parent_id": "h", "root_id": "h", **facts}, **CHILD)

    return tell


def test_a_child_that_is_left_by_a_purge_is_told(found):
    asked = next(row for row in sound()["requests"] if row["operation"] == "purge")

    (sentence,), _ = found("child_not_purged", purged(created_ns=asked["completed_ns"] - 1))

    assert "g:1: the purge of h" in sentence
    assert "the store still has it as TERMINATED, with 5 rows of its history" in sentence
    assert found("child_not_purged", purged(created_ns=asked["completed_ns"] + 1))[0] == []


@pytest.mark.parametrize("outcome", ["fail", "unknown"])
def test_a_purge_that_was_not_acknowledged_may_leave_it(found, outcome):
    def tell(rows):
        purged(created_ns=None)(rows)
        next(row for row in rows["requests"] if row["operation"] == "purge").update(outcome=outcome)

    assert found("child_not_purged", tell)[0] == []


@pytest.mark.parametrize(("instance", "violations"), [("h:0001", 0), ("h:0001:0002", 0), ("g:0001", 1), ("hh:0001", 1)])
def test_the_body_of_a_purged_child_is_known_by_its_id(found, instance, violations):
    def tell(rows):
        body = next(row for row in rows["attempts"] if row["instance_id"] == "h")
        rows["attempts"].append(body | {"instance_id": instance, "attempt_id": "x"})

    assert len(found("record_bodies", tell)[0]) == violations
