"""The statuses that clients read of an instance: what is taken back, what was never true, what has a reason."""

import pytest

from tests.builders.literal import MS, drop, events, one

SECOND = 1_000 * MS


def reads(rows):
    """The reads of `e`, in order of time: six have it RUNNING, the last has it COMPLETED."""
    return [row for row in rows["requests"] if row["operation"] == "get"]


def told_as(number, status):
    """A change: the read with this number told this status, or that there is no such instance (None)."""

    def tell(rows):
        row = reads(rows)[number]
        row["runtime_status"] = status
        if status is None:
            row.update(outcome="fail", status=404, detail="no such instance")

    return tell


def and_purged(number, outcome="ok"):
    """A change: a client has `e` purged just before the read with this number, which does not find it."""

    def tell(rows):
        told_as(number, None)(rows)
        row = reads(rows)[number]
        rows["requests"].append(
            row
            | {"operation": "purge", "request_id": "locust-1/99", "number": 99, "outcome": outcome, "status": 202}
            | {"invoked_ns": row["invoked_ns"] - 1, "detail": None}
        )

    return tell


def began_anew(rows):
    """A start of `e` was sent twice, and once there was no answer."""
    call = one(rows, "operations", instance_id="e")
    rows["operations"].append(call | {"op_id": "locust-1/98", "try": 2, "outcome": "unknown", "status": None})


def test_what_was_read_is_as_it_was(found):
    assert found("monotonic_reads", lambda _: None) == ([], 21)
    assert found("wrong_read", lambda _: None) == ([], 7)


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [
        (2, "COMPLETED", "e was COMPLETED at"),
        (3, "PENDING", "e was RUNNING at"),
        (4, None, "and not there at"),
        (2, "FAILED", "e was FAILED at"),
    ],
)
def test_a_status_that_is_taken_back_is_told_once(found, number, status, sentence):
    (told,), _ = found("monotonic_reads", told_as(number, status))

    assert sentence in told


def test_one_that_was_first_pending_or_paused_meanwhile_goes_on(found):
    def tell(rows):
        told_as(0, "PENDING")(rows)
        told_as(2, "SUSPENDED")(rows)

    assert found("monotonic_reads", tell)[0] == []


def test_a_read_before_the_start_was_saved_takes_nothing_back(found):
    assert found("monotonic_reads", told_as(0, None))[0] == []


def test_of_two_reads_on_their_way_at_once_nothing_is_said(found):
    def tell(rows):
        told_as(2, "COMPLETED")(rows)
        for row in reads(rows)[3:6]:
            row["invoked_ns"] = reads(rows)[2]["completed_ns"]

    assert found("monotonic_reads", tell)[0] == []


def test_what_the_harness_reads_last_counts(found):
    (told,), _ = found("monotonic_reads", lambda rows: one(rows, "readings", instance_id="e").update(status="RUNNING"))

    assert "the last reading" in told


def test_a_purge_takes_an_instance_away_unless_it_was_refused(found):
    # The store still has `e`, which others tell; what was read before the purge is not taken back by what came after.
    assert found("monotonic_reads", and_purged(6))[0] == []
    assert found("monotonic_reads", and_purged(6, "unknown"))[0] == []
    assert len(found("monotonic_reads", and_purged(6, "fail"))[0]) == 1


def test_a_start_without_an_answer_may_begin_it_anew(found):
    def tell(rows):
        told_as(2, "COMPLETED")(rows)
        began_anew(rows)

    assert found("monotonic_reads", tell)[0] == []
    assert found("wrong_read", tell)[0] == []


@pytest.mark.parametrize(
    ("number", "status", "fault"),
    [
        (6, "FAILED", "the store has it as COMPLETED"),
        (5, "COMPLETED", "it ended only later"),
        (1, "SUSPENDED", "nobody had paused it"),
        (1, "TERMINATED", "nobody had terminated it"),
        (1, "DONE", "Dapr has no such status"),
        (1, None, "it had been accepted before, and nobody purged it"),
    ],
)
def test_a_status_that_it_never_had_is_told(found, number, status, fault):
    (told,), _ = found("wrong_read", told_as(number, status))

    assert fault in told
    assert told.startswith(f"e was read as {status or 'not there'} at")


def test_an_end_is_read_within_five_seconds(found):
    def late(seconds):
        def tell(rows):
            told_as(6, "RUNNING")(rows)
            row = reads(rows)[6]
            ended = one(rows, "instances", instance_id="e")["completed_ns"]
            row.update(invoked_ns=ended + seconds * SECOND, completed_ns=ended + seconds * SECOND + MS)

        return tell

    assert found("wrong_read", late(4))[0] == []
    assert "it had ended more than five seconds before" in found("wrong_read", late(6))[0][0]


def test_one_that_was_read_and_is_nowhere_is_told(found):
    def tell(rows):
        drop(rows, "instances", instance_id="e")
        for row in events(rows, "e"):
            rows["history"].remove(row)

    assert len(found("wrong_read", tell)[0]) == 7


def test_a_read_without_an_answer_says_nothing(found):
    def tell(rows):
        reads(rows)[3].update(outcome="unknown", status=None, runtime_status=None, detail="no answer")

    assert found("monotonic_reads", tell) == ([], 15)
    assert found("wrong_read", tell) == ([], 6)
