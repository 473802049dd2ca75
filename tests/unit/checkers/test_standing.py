"""What stands of an instance and what would mend it, on literal traces."""

from dataclasses import replace

import pytest

from harness.checkers import signs, standing
from harness.checkers.standing import Answer
from harness.checkers.telling import Telling
from harness.checkers.traces import Body, Call, Effect, Event, Job, Reading, Stored, Struck, Trace
from tests.builders import shop

TARGET = shop.plan().target
S = 1_000_000_000
TELLING = Telling(0)


def body(task, activity, at, ended=0.1, outcome="ok", node="app-0", execution=1):
    ends = None if ended is None else round((at + ended) * S)
    return Body(activity, task, execution, node, at * S, ends, None if ended is None else outcome, None)


def event(position, kind, at, task=None, name=None):
    return Event(position, kind, name, task, at * S, None, None, None)


def effect(name, at, key="i/1", source="providers"):
    return Effect(name, key, at * S, source, None)


def stored(status="COMPLETED", outcome="shipped", length=6, inbox=0, **changes):
    made = Stored("order_v1", status, outcome, None if status == "RUNNING" else 9 * S, length, length, inbox, inbox)
    return replace(made, **changes)


SOUND = Trace(
    "i",
    calls=(Call(1, "app-0", 1 * S, 2 * S, "ok", 202, None),),
    events=(
        event(0, "executionStarted", 1, name="order_v1"),
        event(1, "taskScheduled", 2, 1, "reserve_v1"),
        event(2, "taskCompleted", 3, 1),
        event(3, "taskScheduled", 3, 2, "ship_v1"),
        event(4, "taskCompleted", 5, 2),
        event(5, "executionCompleted", 9),
    ),
    bodies=(body(1, "reserve_v1", 2), body(2, "ship_v1", 4)),
    effects=(effect("reserve", 2), effect("ship", 4)),
    stored=stored(),
    reading=Reading("sidecar-0", 20 * S, "COMPLETED", None),
    begun_ns=1 * S,
    ended_ns=9 * S,
)
"""An order that was shipped, as it should be."""

OPEN = replace(
    SOUND, stored=stored("RUNNING", None), reading=Reading("sidecar-0", 20 * S, "RUNNING", None), ended_ns=None
)
FAILED = replace(SOUND, stored=stored("FAILED", None), reading=Reading("sidecar-0", 20 * S, "FAILED", None))
NOTHING = {"effects": (), "bodies": (), "events": SOUND.events[:1]}
JOB = Job("workflow", "timer-6", None, 20 * S)


def of(trace):
    return standing.of(trace, TARGET, TELLING)


def answers(trace):
    return {remedy.action: remedy.answer for remedy in of(trace).remedies}


def test_of_what_is_sound_nothing_is_to_be_mended_and_every_cause_is_excluded():
    told = of(SOUND)
    assert told.mends == ()
    assert told.seen == ()
    assert len(told.excluded) == 9
    assert told.excluded[0] == "No fault was in force while it lived, from 1.000 s to 9.000 s."
    assert told.stands == (
        "The engine ended it as COMPLETED at 9.000 s, with the outcome shipped.",
        "reserve was made once, release never: 1 stands, as its outcome says.",
        "ship was made once, cancel never: 1 stands, as its outcome says.",
    )
    assert answers(SOUND) == {
        "terminate": Answer.NEEDLESS,
        "purge": Answer.SAFE,
        "run again": Answer.NOT_SAFE,
    }


@pytest.mark.parametrize(
    ("trace", "terminate", "purge", "again"),
    [
        (OPEN, "not safe", "not safe", "not safe"),
        (replace(OPEN, **NOTHING), "safe", "not safe", "not safe"),
        (replace(OPEN, **NOTHING, jobs=(JOB,)), "safe", "not safe", "not safe"),
        (replace(OPEN, **NOTHING, jobs=(replace(JOB, kind="activity"),)), "not safe", "not safe", "not safe"),
        (replace(OPEN, **NOTHING, missing={"jobs": "it is gone"}), "cannot be told", "not safe", "not safe"),
        (replace(OPEN, **NOTHING, missing={"effects": "it is gone"}), "cannot be told", "not safe", "not safe"),
        (
            replace(OPEN, **NOTHING, stored=stored("RUNNING", None, inbox=2, inbox_rows=1)),
            "cannot be told", "not safe", "not safe",
        ),
        (replace(OPEN, **NOTHING | {"bodies": (body(1, "reserve_v1", 2, None),)}), "not safe", "not safe", "not safe"),
        (FAILED, "nothing to do", "not safe", "not safe"),
        (replace(FAILED, effects=()), "nothing to do", "safe", "safe"),
        (replace(FAILED, effects=(), settled=False), "nothing to do", "safe", "cannot be told"),
        (replace(FAILED, effects=(), jobs=(JOB,)), "nothing to do", "not safe", "not safe"),
        (replace(FAILED, effects=(), missing={"jobs": "gone"}), "nothing to do", "cannot be told", "cannot be told"),
        (replace(SOUND, **NOTHING, stored=None), "nothing to do", "nothing to do", "safe"),
        (replace(SOUND, stored=None), "nothing to do", "nothing to do", "not safe"),
        (replace(SOUND, stored=None, missing={"instances": "gone"}), "cannot be told", "cannot be told", "not safe"),
    ],
)  # fmt: skip
def test_what_is_safe_to_do(trace, terminate, purge, again):
    assert {name: str(answer) for name, answer in answers(trace).items()} == {
        "terminate": terminate,
        "purge": purge,
        "run again": again,
    }


def test_an_effect_too_many_is_taken_back_by_hand_and_its_keys_are_named():
    twice = replace(SOUND, effects=(*SOUND.effects, effect("ship", 5, "i/2")))
    told = of(twice)
    assert told.stands[2] == "ship was made twice, cancel never: 2 stand, and by its outcome 1 should."
    assert told.mends == ("Make cancel once by hand (ship has the keys i/1, i/2).",)
    assert "Each ship has a key of its own, so its service could not know that they are one." in told.seen
    assert answers(twice)["purge"] is Answer.NOT_SAFE


def test_an_effect_that_the_outcome_promises_and_that_does_not_stand_is_lacking():
    assert of(replace(SOUND, effects=SOUND.effects[:1])).mends == (
        "Make ship by hand: the outcome promises it, and it does not stand.",
    )


def test_of_a_compensated_order_nothing_may_stand():
    undone = stored(outcome="undone")
    whole = replace(SOUND, stored=undone, effects=(effect("reserve", 2), effect("release", 5)))
    assert of(whole).mends == ()
    assert answers(whole)["run again"] is Answer.SAFE
    half = replace(SOUND, stored=undone)
    assert [sentence.split(" once")[0] for sentence in of(half).mends] == ["Make release", "Make cancel"]
    over = replace(SOUND, stored=undone, effects=(effect("release", 5),))
    assert of(over).mends[0].startswith("Ask why release was made without reserve")


def test_what_a_failed_order_left_is_for_people_to_decide():
    assert [sentence.split(";")[0] for sentence in of(FAILED).mends] == [
        "Decide whether reserve shall stand",
        "Decide whether ship shall stand",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "Nothing that the evidence shows will wake it again."),
        ({"jobs": (JOB,)}, "It may still go on by itself"),
        ({"jobs": (JOB,), "stored": stored("RUNNING", None, length=9)}, "may still go on"),
        ({"jobs": (JOB,), "stored": stored("RUNNING", None, history_length=9)}, "may not be able to load it"),
        ({"missing": {"jobs": "it is gone"}}, "cannot be told: it is gone"),
    ],
)
def test_an_open_order_goes_on_by_itself_only_if_something_wakes_it(changes, told):
    assert told in of(replace(OPEN, **changes)).mends[0]
    assert "make release, cancel by hand" in of(replace(OPEN, **changes)).mends[-1]


def test_without_ledgers_nothing_is_said_of_the_outside_world():
    told = of(replace(SOUND, effects=(), missing={"effects": "evidence/effects.parquet is missing"}))
    assert told.stands[1] == "What the outside world has of it cannot be told: evidence/effects.parquet is missing."
    assert told.mends == ("What would mend it cannot be told: the evidence is not all there.",)


def seen(**changes):
    return [sign.text for sign in signs.of(replace(SOUND, **changes), TELLING) if not sign.excludes]


CUT_OFF = "ship_v1 (task 2) began at 4.000 s on app-0 and has no end in the evidence: it may still have been running."
KILLED = Struck(3, "kill", "app-0", 3 * S, 5 * S)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"faults": (KILLED,)}, "#3 kill of app-0 was in force in its life, from 3.000 s to 5.000 s."),
        ({"faults": (replace(KILLED, healed_ns=None),)}, "#3 kill of app-0 was in force in its life, since 3.000 s."),
        ({"faults": (KILLED,) * 5}, "2 faults more were in force in its life."),
        ({"calls": ()}, "No client asked for it."),
        (
            {"calls": (Call(1, "app-0", S, None, "unknown", None, None),)},
            "Try 1 of its start, at 1.000 s through app-0, had no clear answer: it may have been heard all the same.",
        ),
        (
            {"bodies": (body(1, "reserve_v1", 2), body(2, "ship_v1", 4, None))},
            CUT_OFF,
        ),
        (
            {"bodies": (SOUND.bodies[0], body(2, "ship_v1", 4), body(2, "ship_v1", 5, execution=2))},
            "A task was executed more than once, which is allowed: ship_v1 (task 2, execution 2).",
        ),
        (
            {"bodies": (SOUND.bodies[0], body(2, "ship_v1", 4, outcome="error"))},
            "ship_v1 (task 2) on app-0 ended with an error at 4.100 s, after providers had kept ship at 4.000 s.",
        ),
        (
            {"events": SOUND.events[:4]},
            "ship_v1 (task 2) ran on app-0 and ended at 4.100 s, and the history has no result of it.",
        ),
        (
            {"bodies": SOUND.bodies[:1]},
            "The history orders task 2 (ship_v1) at 3.000 s, and no body of it began.",
        ),
        (
            {"events": (*SOUND.events, event(6, "timerCreated", 9, 2))},
            "The history has the order 2 twice: taskScheduled at 3.000 s, timerCreated at 9.000 s.",
        ),
        (
            {"stored": stored(history_rows=5)},
            "The history is not whole: its metadata counts 6 events, and the store has 5.",
        ),
        ({"stored": stored(inbox=2)}, "2 events wait in its inbox."),
        (
            {"stored": stored(inbox_length=2)},
            "The inbox is not whole: its metadata counts 2 events, and the store has 0.",
        ),
        ({"jobs": (JOB,)}, "The scheduler still holds the job timer-6 of the workflow at 20.000 s."),
        (
            {"reading": Reading("sidecar-0", 20 * S, "RUNNING", None)},
            "Dapr's API says RUNNING, and the store COMPLETED.",
        ),
        (
            {"reading": Reading("sidecar-0", 20 * S, None, "HTTP 500\nno")},
            "Dapr's API could not tell its status (HTTP 500 no).",
        ),
        (
            {"effects": (*SOUND.effects, effect("ship", 5))},
            "ship was kept more than once with the same key: its service did not refuse it.",
        ),
    ],
)
def test_what_may_belong_to_the_cause_is_seen(changes, told):
    assert told in seen(**changes)


def test_a_body_whose_process_was_killed_after_it_began_cannot_still_run():
    cut = (SOUND.bodies[0], body(2, "ship_v1", 4, None))
    later = replace(KILLED, applied_ns=5 * S, healed_ns=6 * S)
    assert any("kill of app-0 at 5.000 s ended its process" in text for text in seen(bodies=cut, faults=(later,)))
    assert any("it may still have been running" in text for text in seen(bodies=cut, faults=(KILLED,))), "before it"


@pytest.mark.parametrize("table", ["faults", "operations", "attempts", "history", "instances", "jobs", "readings"])
def test_a_missing_table_excludes_nothing(table):
    """What nobody could see is not said to be absent."""
    bare = Trace("i", begun_ns=S, ended_ns=2 * S, missing={table: "it is gone"})
    whole = {sign.text for sign in signs.of(replace(bare, missing={}), TELLING)}
    assert {sign.text for sign in signs.of(bare, TELLING)} <= whole
    if table in ("faults", "operations", "jobs"):
        assert {sign.text for sign in signs.of(bare, TELLING)} < whole
