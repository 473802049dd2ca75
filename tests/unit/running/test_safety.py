"""When a run is given up, and what is told of what stands still."""

from dataclasses import replace

import pytest

from harness.backends.endpoints import Endpoints, StoreAddress
from harness.errors import EvidenceError, UsageError
from harness.evidence import stall
from harness.evidence.engine import State
from harness.journal import Journals
from harness.model import Ending, Safety, Stall
from harness.planning import plan, scenario, target
from harness.rundir import RunDir
from harness.running import watch as watching
from harness.running.safety import Reading, exceeded
from harness.running.watch import Watch
from tests.builders import lines

FINE = Reading(elapsed=50, still=3, unanswered=4, planned=320, disk_mb=9000, memory_mb=4000)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"disk_mb": 120.4}, "the disk has 120 MB left, below safety.disk_mb (500)"),
        ({"memory_mb": 80}, "the machine has 80 MB of memory left, below safety.memory_mb (200)"),
        ({"elapsed": 701}, "it took longer than 700 s: its load and settle time, and safety.overtime"),
        (
            {"unanswered": 161},
            "the error budget is spent: 161 starts have no clear answer, more than safety.errors (0.5) of 320",
        ),
        ({"unanswered": 160}, None),
        ({"still": 121}, "nothing moved for 121 s, longer than safety.standstill (120 s)"),
    ],
)
def test_each_limit_is_told_with_its_figures(change, told):
    assert exceeded(Safety(), replace(FINE, **change), allowed=700) == told


def test_a_plan_that_holds_too_much_at_once_is_refused():
    read = scenario.load(scenario.find("redis_latency"), ["safety.at_once=1"])
    with pytest.raises(
        UsageError, match=r"at 6 s faults would hold 2 nodes and links at once; safety\.at_once allows 1"
    ):
        plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")


class Engine:
    """The engine's answers, one after the other."""

    def __init__(self):
        self.now = {}

    def states(self, ids, field):
        return {instance: state for instance, state in self.now.items() if instance in ids}

    def standing(self, ids):
        raise EvidenceError("the state store could not be read: gone")


CALL = {"event": "invoke", "workflow": "w", "kind": "k", "client": "c", "node": "app-0", "intended_ns": 0}
ANSWER = {"event": "complete", "status": 202, "detail": None}


def start(written, number, outcome):
    call = {"op_id": str(number), "at_ns": number}
    written.write({**CALL, **call, "instance_id": f"i{number}", "try": 1})
    written.write({**ANSWER, **call, "outcome": outcome})


def test_progress_is_any_event_of_any_instance_and_an_answer_ends_doubt(tmp_path):
    engine = Engine()
    watch = Watch(Journals(tmp_path), engine, {"w": Ending()})
    with lines.Writer(tmp_path / "operations-1.jsonl") as written:
        start(written, 1, "ok")
        start(written, 2, "unknown")
        engine.now = {"i1": State(None, None, 3)}
        watch.poll()
        assert (watch.waiting, watch.unanswered) == ({"i1"}, 1)

        moved = watch._moved
        watch.poll()
        assert watch._moved == moved
        engine.now = {"i1": State(None, None, 4)}
        watch.poll()
        assert watch._moved > moved

        written.write({**CALL, "op_id": "2b", "at_ns": 3, "instance_id": "i2", "try": 2})
        written.write({**ANSWER, "op_id": "2b", "at_ns": 4, "outcome": "ok"})
        watch.poll()
        assert (watch.waiting, watch.unanswered) == ({"i1", "i2"}, 0)

        engine.now = {name: State("COMPLETED", "done", 9) for name in ("i1", "i2")}
        watch.poll()
        assert watch.waiting == set()
        assert watch.still < 1


def test_of_many_open_instances_some_are_asked_for_at_once_and_all_in_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "_AT_ONCE", 2)
    engine = Engine()
    watch = Watch(Journals(tmp_path), engine, {"w": Ending()})
    with lines.Writer(tmp_path / "operations-1.jsonl") as written:
        for number in range(5):
            start(written, number, "ok")
    engine.now = {f"i{number}": State(None, None, 3) for number in range(5)}

    counts = []
    for _ in range(3):
        watch.poll()
        counts.append((watch.running, watch.unsettled))
    assert counts == [(2, 5), (4, 5), (5, 5)]

    moved = watch._moved
    for _ in range(3):
        watch.poll()
    assert watch._moved == moved, "whoever is not asked for has not moved, and nobody has"

    engine.now["i4"] = State("COMPLETED", "done", 9)
    for _ in range(3):
        watch.poll()
    assert watch._moved > moved
    assert (watch.running, watch.waiting, watch.ended) == (4, {"i0", "i1", "i2", "i3"}, {"done": 1})


def test_an_instance_that_a_client_had_purged_is_not_waited_for(tmp_path):
    engine = Engine()
    watch = Watch(Journals(tmp_path), engine, {"w": Ending()})
    asked = {"event": "invoke", "instance_id": "i1", "name": None, "payload": None, "number": 1, "client": "c"}
    asked |= {"node": "sidecar-0", "intended_ns": 3, "at_ns": 3}
    with (
        lines.Writer(tmp_path / "operations-1.jsonl") as written,
        lines.Writer(tmp_path / "requests-1.jsonl") as requests,
    ):
        start(written, 1, "ok")
        requests.write({**asked, "request_id": "c/1", "operation": "terminate"})
        watch.poll()
        assert watch.waiting == {"i1"}

        requests.write({**asked, "request_id": "c/2", "operation": "purge"})
        watch.poll()
        assert watch.waiting == set()

        engine.now = {"i1": State(None, None, 3)}  # it still ran, so it was not purged
        watch.poll()
        assert watch.waiting == {"i1"}


@pytest.mark.parametrize(("outcome", "waits"), [("ok", True), ("unknown", True), ("fail", False)])
def test_an_instance_that_a_client_starts_again_is_waited_for_again(tmp_path, outcome, waits):
    engine = Engine()
    watch = Watch(Journals(tmp_path), engine, {"w": Ending()})
    asked = {"event": "invoke", "instance_id": "i1", "name": None, "payload": "{}", "number": 1, "client": "c"}
    asked |= {"node": "sidecar-0", "intended_ns": 3, "at_ns": 3, "operation": "start", "request_id": "c/1"}
    with (
        lines.Writer(tmp_path / "operations-1.jsonl") as written,
        lines.Writer(tmp_path / "requests-1.jsonl") as requests,
    ):
        start(written, 1, "ok")
        engine.now = {"i1": State("COMPLETED", "done", 9)}
        watch.poll()
        assert watch.waiting == set()

        requests.write(asked)
        engine.now = {"i1": State(None, None, 3)}
        watch.poll()
        assert watch.waiting == set(), "nobody knows yet whether it was started"

        requests.write({**ANSWER, "request_id": "c/1", "at_ns": 4, "outcome": outcome})
        watch.poll()
        assert watch.waiting == ({"i1"} if waits else set())


TASK = {"event": "taskScheduled", "name": "hold_v1", "task_id": 7, "at_ns": 500}
RAN = {"activity": "hold_v1", "task_id": 7, "node": "app-0", "started_ns": 600, "ended_ns": 700, "outcome": "ok"}


@pytest.mark.parametrize(
    ("inbox", "last", "attempt", "why"),
    [
        (2, TASK, RAN, "2 events wait in its inbox for the workflow to take them"),
        (0, None, None, "its first event was never taken"),
        (0, TASK, None, "task 7 is scheduled and was never executed"),
        (0, TASK, {**RAN, "task_id": 5}, "task 7 is scheduled and was never executed"),
        (0, TASK, {**RAN, "started_ns": 400}, "task 7 was executed before it was recorded as scheduled, and not since"),
        (0, TASK, {**RAN, "ended_ns": None}, "task 7 is being executed, or was cut off"),
        (0, TASK, RAN, "task 7 was executed, and its result has not arrived"),
        (0, {**TASK, "event": "timerCreated"}, None, "timer 7 has not fired"),
        (
            1,
            {**TASK, "event": "executionStalled", "error": "PATCH_MISMATCH: history has [a]"},
            RAN,
            "the engine stalled it: PATCH_MISMATCH: history has [a]",
        ),
        (0, {**TASK, "event": "timerFired"}, RAN, "nothing followed its last event, timerFired"),
    ],
)
def test_why_an_instance_waits_is_told_from_what_is_there(inbox, last, attempt, why):
    assert stall._why({"inbox_length": inbox}, last, attempt) == why


def test_a_stall_is_told_even_when_nothing_can_be_read(tmp_path):
    """The store is gone, and nobody listens where the sidecar was."""
    nowhere = StoreAddress(host="127.0.0.1", port=1)
    endpoints = Endpoints(
        apps={}, sidecars={"sidecar-0": nowhere}, services={}, store=nowhere, scheduler=nowhere, links={}
    )

    found = stall.look(
        ["a", "b"],
        engine=Engine(),
        endpoints=endpoints,
        jobs=list,
        journals=Journals(tmp_path),
        phase="settle",
        after=15.2,
    )

    assert (found.waiting, found.after, found.phase) == (2, 15.2, "settle")
    assert found.instances[0].why == "the state store could not be read: gone"
    assert found.workers["sidecar-0"].startswith("not known: ")
    run = RunDir(tmp_path)
    assert run.load_stall() is None
    run.save_stall(found)
    assert run.load_stall() == found
    assert isinstance(run.load_stall(), Stall)


class Standing(Engine):
    """An engine that can be read: each instance waits for its task."""

    def standing(self, ids):
        return [{"instance_id": name, "last": TASK, "history_length": 3, "inbox_length": 0} for name in ids]


def unreadable():
    raise EvidenceError("the scheduler does not answer")
    yield


@pytest.mark.parametrize(
    ("jobs", "names", "told"),
    [
        (lambda: [{"instance_id": "a", "name": "run-activity"}], ("run-activity",), "never executed"),
        (lambda: [{"instance_id": "b", "name": "run-activity"}], (), "never executed, and no job is left"),
        (unreadable, None, "never executed"),
    ],
)
def test_a_stall_tells_the_jobs_that_would_wake_an_instance(tmp_path, jobs, names, told):
    nowhere = StoreAddress(host="127.0.0.1", port=1)
    endpoints = Endpoints(apps={}, sidecars={}, services={}, store=nowhere, scheduler=nowhere, links={})
    found = stall.look(
        ["a"], engine=Standing(), endpoints=endpoints, jobs=jobs, journals=Journals(tmp_path), phase="settle", after=15
    )

    assert found.instances[0].jobs == names
    assert told in found.instances[0].why
    assert ("no job" in found.instances[0].why) == (names == ())


def test_the_newest_execution_of_an_instance_counts(tmp_path):
    with lines.Writer(tmp_path / "attempts-app-0.jsonl") as written:
        for number, at in (("1", 5), ("2", 9)):
            base = {"attempt_id": number, "instance_id": "a", "activity": "hold_v1", "task_id": int(number)}
            written.write({**base, "event": "start", "node": "app-0", "at_ns": at})

    newest = stall._last_attempts(Journals(tmp_path), {"a"})["a"]

    assert stall._attempt(newest) == "hold_v1 task 2 on app-0, not ended"
    assert len(list(lines.read(tmp_path / "attempts-app-0.jsonl"))) == 2


def test_an_answer_whose_call_was_torn_and_a_line_that_is_no_row_stop_nothing(tmp_path):
    file = tmp_path / "operations-1.jsonl"
    with lines.Writer(file) as written:
        written.write({**ANSWER, "op_id": "torn", "at_ns": 1, "outcome": "ok"})
        written.write({"event": "nothing known"})
        start(written, 1, "ok")
    watch = Watch(Journals(tmp_path), Engine(), {"w": Ending()})

    watch.poll()

    assert (watch.sent, watch.answers) == (1, {"ok": 1})
