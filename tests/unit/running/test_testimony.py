"""What the sources show of one execution: the attempts file, the ledgers, the engine's stored state."""

import json

import pytest

from harness.journal import Journals
from harness.planning.target import load
from harness.running import testimony
from harness.running.aim import Announcement
from harness.runtime import shipped

SCHEDULED = {"event": "taskScheduled", "task_id": 5}
COMPLETED = {"event": "taskCompleted", "task_id": 5}
OTHERS = [{"event": "timerFired", "task_id": 5}, {"event": "taskCompleted", "task_id": 4}]
START = {
    "event": "start",
    "attempt_id": "x",
    "instance_id": "a",
    "activity": "register_shipment_v1",
    "task_id": 5,
    "node": "app-0",
    "at_ns": 1,
}
END = {"event": "end", "attempt_id": "x", "at_ns": 2, "outcome": "ok", "detail": None}
SHIPPED = {"instance_id": "a", "effect": "ship"}


class Engine:
    """What is stored of any instance."""

    def __init__(self, events):
        self.stored = events

    def head(self, instance):
        return instance

    def events(self, _):
        return self.stored


class Kept:
    """What the ledgers have."""

    def __init__(self, effects):
        self.effects = lambda: iter(effects)


@pytest.fixture(name="ask")
def _ask(tmp_path):
    described = load(shipped.TARGET)

    def ask(events=(), attempts=(), effects=(), activity="register_shipment_v1", node="app-0", told=True):
        (tmp_path / "attempts-app-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in attempts))
        target = described.model_copy(update={"attempts": told})
        sources = testimony.Sources(
            target,
            target.workflows["order_v1"].activities,
            Kept(effects),
            Engine([*OTHERS, *events]),
            Journals(tmp_path),
        )
        return sources.testify(
            Announcement(
                instance_id="a",
                activity=activity,
                task_id=5,
                attempt_id="x",
                node=node,
                point="after_effect",
                at_ns=1,
            )
        )

    return ask


def test_nothing_is_known_of_what_left_no_trace(ask):
    found = ask()

    assert (found.attempt, found.effects, found.scheduled, found.recorded) == ("not begun", 0, False, False)


@pytest.mark.parametrize(
    ("attempts", "attempt"),
    [
        ([START], "begun"),
        ([START, END], "returned"),
        ([START, {**END, "outcome": "error"}], "raised"),
        ([{**START, "attempt_id": "y"}], "not begun"),
    ],
)
def test_an_attempt_is_told_by_its_file(ask, attempts, attempt):
    assert ask(attempts=attempts).attempt == attempt


def test_a_tap_knows_the_task_and_not_what_the_file_calls_its_execution(ask):
    other = {**START, "attempt_id": "z", "task_id": 6}

    assert ask(attempts=[{**START, "attempt_id": "y"}, other], node="sidecar-0").attempt == "begun"
    assert ask(attempts=[other], node="sidecar-0").attempt == "not begun"


def test_where_the_target_writes_no_attempts_nothing_is_told_of_them(ask):
    assert ask(attempts=[START], told=False).attempt is None


def test_the_engine_tells_what_it_has_stored_of_that_task(ask):
    assert ask(events=[SCHEDULED]).scheduled
    assert not ask(events=[SCHEDULED]).recorded
    assert ask(events=[SCHEDULED, COMPLETED]).recorded
    assert ask(events=[SCHEDULED, {**COMPLETED, "event": "taskFailed"}]).recorded


def test_only_the_activity_s_own_effect_of_that_instance_counts(ask):
    others = [{"instance_id": "b", "effect": "ship"}, {"instance_id": "a", "effect": "reserve"}]

    assert ask(effects=[*others, SHIPPED]).effects == 1
    assert ask(effects=others).effects == 0
    assert ask(effects=[SHIPPED], activity="quote_v1").effects is None
