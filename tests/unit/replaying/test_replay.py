"""Saved histories through workflow code: what is the same, what is not, and what cannot be told."""

import contextlib
from datetime import timedelta

import pytest
from dapr.ext.workflow import when_all

from harness.errors import EvidenceError
from harness.evidence import tables
from harness.evidence.schema import HISTORY, INSTANCES
from harness.replaying import events, replay
from harness.replaying.code import Code
from harness.replaying.replay import Answer
from tests.builders.travel import TWICE, began, row, scheduled, trip, trip_rows


def history(rows, length=None):
    """The rows of one instance, of which its metadata counts `length`; by default what is there."""
    rows = [each | {"workflow": "trip", "history_length": length or len(rows)} for each in rows]
    turns = events.turns(rows)
    return events.Saved("trip-1", "trip", turns, events.lacks(rows, turns))


def one(code, rows, length=None):
    (answer,) = replay.replayed(Code({"trip": code}), [history(rows, length)])
    return answer


def test_the_code_that_ran_orders_what_was_ordered():
    assert one(trip, trip_rows()).answer is Answer.SAME


def test_a_history_in_flight_is_replayed_as_far_as_it_goes():
    rows = trip_rows()
    for length in (3, 6, 9, 13, 15, 18):
        assert one(trip, rows[:length]).answer is Answer.SAME, length


def test_a_task_in_another_place_is_named_with_its_turn():
    def other(ctx, given):
        seat = yield ctx.call_activity("hold", input=given, retry_policy=TWICE)
        return seat

    told = one(other, trip_rows())
    assert (told.answer, told.turn) == (Answer.DIFFERENT, 0)
    assert told.what == "the history has task 1 book; the code orders task 1 hold"


def test_one_task_more_and_one_less_are_named():
    def more(ctx, given):
        seat = yield ctx.call_activity("book", input=given, retry_policy=TWICE)
        ctx.call_activity("log", input=seat)
        yield when_all([ctx.call_activity("price", input={"seat": seat, "by": by}) for by in ("rail", "bus")])

    def less(ctx, given):
        seat = yield ctx.call_activity("book", input=given, retry_policy=TWICE)
        yield ctx.call_activity("price", input={"seat": seat, "by": "rail"})
        yield ctx.create_timer(timedelta(seconds=5))

    assert one(more, trip_rows()).what == "the history has task 4 price; the code orders task 4 log"
    assert one(less, trip_rows()).what == "the history has task 5 price; the code orders nothing more"


def test_another_input_and_another_result_are_named_and_shown():
    def dearer(ctx, given):
        seat = yield ctx.call_activity("book", input={**given, "class": 1}, retry_policy=TWICE)
        return seat

    def silent(ctx, given):
        yield from trip(ctx, given)

    told = one(dearer, trip_rows())
    assert told.what == "the code gives task 1 book another input than the history has"
    assert told.saved == 'task 1 book: {"to": "Rome"}'
    assert told.ordered == 'task 1 book: {"class": 1, "to": "Rome"}'
    assert one(silent, trip_rows()).what == "the code gives end 7 another result than the history has"


def test_code_that_goes_on_where_the_history_ends_is_named():
    def longer(ctx, given):
        yield from trip(ctx, given)
        yield ctx.call_activity("survey", input=given)

    assert one(longer, trip_rows()).what == "the history has end 7; the code orders task 7 survey"


def stays(ctx, given):
    seat = yield ctx.call_activity("hold", input=given, retry_policy=TWICE)
    return seat


def of_version(name, patches=None):
    """The rows of a trip, each of whose turns was executed as this version, and the first with these patches."""
    of = {"version": name, "patches": None}
    rows = [row | of if row["event"] == "workflowStarted" else row for row in trip_rows()]
    rows[0] = rows[0] | {"patches": patches}
    return rows


def test_a_history_is_replayed_as_the_version_that_it_has():
    (as_first,) = replay.replayed(Code({"trip": {"first": trip, "second": stays}}), [history(of_version("first"))])
    (as_second,) = replay.replayed(Code({"trip": {"first": trip, "second": stays}}), [history(of_version("second"))])
    (without,) = replay.replayed(Code({"trip": {"first": stays, "last": trip}}), [history(trip_rows())])

    assert as_first.answer is Answer.SAME
    assert as_second.what == "the history has task 1 book; the code orders task 1 hold"
    assert without.answer is Answer.SAME, "the last one is the latest"


def test_a_version_that_the_code_no_longer_has_is_a_difference():
    (told,) = replay.replayed(Code({"trip": {"second": trip}}), [history(of_version("first"))])

    assert told.answer is Answer.DIFFERENT
    assert told.what == "the history has task 1 book; the code orders stall for want of the version, as number 1"


def test_a_patch_that_the_history_has_is_applied():
    def patched(ctx, given):
        return (yield from (trip(ctx, given) if ctx.is_patched("new") else stays(ctx, given)))

    with_it = history(of_version(None, '["new"]'))
    (told,) = replay.replayed(Code({"trip": patched}), [with_it])
    assert told.answer is Answer.SAME
    (dropped,) = replay.replayed(Code({"trip": stays}), [with_it])
    assert dropped.what == "the history has task 1 book; the code orders task 1 hold"


def test_code_that_raises_is_named_as_a_failure():
    def broken(ctx, given):
        yield ctx.call_activity("book", input=given, retry_policy=TWICE)
        raise KeyError("seat")

    told = one(broken, trip_rows())
    assert (told.what, told.ordered) == (
        "the history has task 4 price; the code orders failure 4",
        "failure 4: KeyError",
    )


def test_code_that_never_ends_its_turn_is_interrupted(monkeypatch):
    monkeypatch.setattr(replay, "LONGEST", 0.2)

    def endless(ctx, given):
        while True:
            with contextlib.suppress(Exception):  # code may catch all that is an Exception
                given = dict(given)

    assert one(endless, trip_rows()).what == "the code does not end its turns within 0.2 s"


def test_a_patch_lets_old_histories_and_new_ones_pass():
    def patched(ctx, given):
        seat = yield ctx.call_activity("book", input=given, retry_policy=TWICE)
        if ctx.is_patched("log"):
            ctx.call_activity("log", input=seat)
        prices = yield when_all([ctx.call_activity("price", input={"seat": seat, "by": by}) for by in ("rail", "bus")])
        yield ctx.create_timer(timedelta(seconds=5))
        return {"seat": seat, "price": min(prices)}

    assert one(patched, trip_rows()).answer is Answer.SAME
    newer = trip_rows()[:11]
    for number, name, payload in (
        (4, "log", '"12a"'),
        (5, "price", '{"seat": "12a", "by": "rail"}'),
        (6, "price", '{"seat": "12a", "by": "bus"}'),
    ):
        newer.append(scheduled(number, name, payload))
    newer += [began(), row("taskCompleted", 6, payload="30")]
    newer = [each | {"position": position} for position, each in enumerate(newer)]
    assert one(patched, newer).answer is Answer.SAME
    assert one(trip, newer).answer is Answer.DIFFERENT


@pytest.mark.parametrize("gone", range(len(trip_rows())))
def test_a_history_that_lacks_a_row_is_never_called_different(gone):
    rows = [each for each in trip_rows() if each["position"] != gone]
    assert one(trip, rows, len(trip_rows())).answer is Answer.UNTOLD


@pytest.mark.parametrize("gone", [2, 8, 11, 17])
def test_an_order_that_the_engine_did_not_save_is_never_called_a_difference(gone):
    rows = [each for each in trip_rows() if each["position"] != gone]
    rows = [each | {"position": position} for position, each in enumerate(rows)]
    assert one(trip, rows).answer is Answer.UNTOLD


def test_a_workflow_without_code_is_not_replayed():
    (told,) = replay.replayed(Code({}), [history(trip_rows())])
    assert told.answer is Answer.NO_CODE


def test_a_function_that_was_registered_before_can_be_replayed():
    trip.__dict__["_workflow_registered"] = True
    trip.__dict__["_dapr_alternate_name"] = "elsewhere"
    try:
        assert one(trip, trip_rows()).answer is Answer.SAME
    finally:
        trip.__dict__.clear()


def test_histories_are_read_from_the_evidence(tmp_path):
    rows = trip_rows()
    tables.write(tmp_path, HISTORY, rows)
    instance = {"instance_id": "trip-1", "workflow": "trip", "history_length": len(rows)}
    tables.write(tmp_path, INSTANCES, [instance])
    (saved,) = events.saved(tmp_path)
    assert saved.lacks is None
    assert [len(turn.ordered) for turn in saved.turns] == [1, 1, 1, 2, 0, 1, 1]
    (told,) = replay.replayed(Code({"trip": trip}), [saved])
    assert told.answer is Answer.SAME


def test_evidence_without_histories_is_an_error(tmp_path):
    with pytest.raises(EvidenceError, match=r"history\.parquet is missing"):
        list(events.saved(tmp_path))
