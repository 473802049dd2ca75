"""The workflows of one pattern each: what their code asks for, and the invariant that computes what they must give."""

import json
from types import SimpleNamespace

import pytest

from harness.checkers import invariant, plants
from harness.checkers.database import open_database
from harness.checkers.examining import examine
from harness.checkers.telling import Telling
from harness.evidence import schema
from harness.model import Retry
from harness.planning import target
from harness.planning.request import Request
from harness.runtime import shipped
from target import approval, granularity, monitor, patterns, versions
from target.workflows import NAME as ORDER
from tests.builders.evidence import write_evidence

OTHERS = (ORDER, versions.VERSIONED, versions.PATCHED, approval.NAME, monitor.NAME, *granularity.WORKFLOWS)
NAME = "as_computed"
TEXT = invariant.load(target.load(shipped.TARGET).invariants)[NAME]
T0 = 1_790_000_000 * 1_000_000_000
MS = 1_000_000
GIVEN = {
    patterns.SERIES: {"number": 103},
    patterns.PARALLEL: {"number": 103},
    patterns.WIDE: {"tasks": 12, "bytes": 1000},
    patterns.DELAY: {"seconds": 5},
    patterns.PAYLOAD: {"key": "value-1", "bytes": 300},
    patterns.BATCH: {"batch_id": "batch-1", "sku": "sku-00"},
    patterns.FAMILY: {"number": 103, "seconds": [1, 2, 4]},
}
ENDS = {"plain": "completed", "flaky": "completed", "refused": "compensated"}


class Store:
    """The state store, as the activities use it."""

    def __init__(self):
        self.values = {}

    def save_state(self, _, key, value):
        self.values[key] = value

    def get_state(self, _, key):
        return SimpleNamespace(text=lambda: self.values[key])

    def delete_state(self, _, key):
        del self.values[key]


class Engine:
    """Runs a workflow's code: each call is answered at once, and written down as the engine's history has it."""

    def __init__(self, instance, store):
        self.instance = instance
        self.bodies = patterns.Values(store, "statestore").bodies
        self.history, self.children, self.timers, self.policies = [], [], [], {}
        self.now = T0

    def _note(self, event, **others):
        self.now += MS
        row = {"instance_id": self.instance, "position": len(self.history), "event_id": -1, "event": event}
        self.history.append(row | {"at_ns": self.now} | others)

    def call_activity(self, name, *, input, retry_policy=None):  # noqa: A002 - as the SDK has it
        number = len(self.history)
        self.policies[name] = retry_policy
        answer = self.bodies[name](input)
        self._note("taskScheduled", name=name, task_id=number, payload=json.dumps(input))
        self._note("taskCompleted", task_id=number, payload=json.dumps(answer))
        return answer

    def call_child_workflow(self, name, *, input, instance_id=None):  # noqa: A002 - as the SDK has it
        self.now += MS
        if name != ORDER:
            return Engine(f"{self.instance}:{len(self.children)}", Store()).run(name, input)
        child = {"instance_id": instance_id, "workflow": name, "status": "COMPLETED", "created_ns": self.now}
        child |= {"outcome": ENDS[input["kind"]], "completed_ns": self.now, "parent_id": self.instance}
        self.children.append(child)
        return {"outcome": child["outcome"]}

    def create_timer(self, after):
        self.timers.append(after.total_seconds())

    def run(self, name, given):
        """Return what the workflow gives."""
        self._note("executionStarted", name=name, payload=json.dumps(given))
        steps = (patterns.WORKFLOWS | {patterns.PARALLEL: patterns.parallel_v1})[name](self, given)
        answer = next(steps)
        while True:
            try:
                answer = steps.send(answer)
            except StopIteration as end:
                self._note("executionCompleted", payload=json.dumps(end.value))
                return end.value


@pytest.fixture(name="engines")
def _engines(monkeypatch):
    """Workflow -> the engine that has run it, and what it gave."""
    monkeypatch.setattr(patterns, "when_all", list)
    store = Store()
    engines = {name: Engine(f"{name}-1", store) for name in GIVEN}
    given = {name: (engine, engine.run(name, GIVEN[name])) for name, engine in engines.items()}
    assert store.values == {}
    return given


@pytest.fixture(name="evidence")
def _evidence(engines, tmp_path):
    """The evidence of one instance of each, as a function of what is changed in its rows."""

    def write(change=lambda _: None):
        rows = {table.name: [] for table in schema.TABLES}
        for name, (engine, output) in engines.items():
            rows["history"] += engine.history
            row = {"instance_id": engine.instance, "workflow": name, "status": "COMPLETED", "created_ns": T0}
            rows["instances"] += [row | {"output": json.dumps(output), "completed_ns": engine.now}, *engine.children]
        change(rows)
        return write_evidence(tmp_path, rows)

    return write


def against(evidence):
    """What the invariant says of this evidence."""
    with open_database(Request("patterns").plan(1), evidence, None) as database:
        return examine(database, Telling(T0), NAME, TEXT, "target")


def test_each_gives_what_its_input_says(engines):
    assert {name: output for name, (_, output) in engines.items()} == {
        patterns.SERIES: 5356,
        patterns.PARALLEL: 5356,
        patterns.WIDE: 12_000,
        patterns.DELAY: 5,
        patterns.PAYLOAD: 300,
        patterns.BATCH: {"compensated": 1, "completed": 5},
        patterns.FAMILY: 5363,
    }
    assert engines[patterns.DELAY][0].timers == [5]


@pytest.mark.parametrize("number", [0, 1, 4, 5, 6, 103])
def test_the_parts_of_a_number_are_all_numbers_up_to_it_once(number):
    found = [each for part in patterns.parts(number) for each in range(part["first"], part["last"] + 1)]

    assert found == list(range(1, number + 1))


def test_the_description_declares_the_retries_that_the_code_asks_for(engines):
    described = target.load(shipped.TARGET).retries
    policies = {name: policy for engine, _ in engines.values() for name, policy in engine.policies.items()}

    for name, policy in policies.items():
        assert described[name] == (
            Retry(attempts=1)
            if policy is None
            else Retry(attempts=policy.max_number_of_attempts, first=policy.first_retry_interval.total_seconds())
        )


def test_the_description_has_each_of_them_with_its_code():
    described = target.load(shipped.TARGET).workflows

    assert {name: of.code for name, of in described.items() if name not in OTHERS} == {
        name: f"target.patterns:{name}" for name in GIVEN
    }
    assert {name: set(of.body) for name, of in described.items() if name not in OTHERS} == {
        name: set(given) for name, given in GIVEN.items()
    }


def test_what_they_give_is_computed_again_from_what_they_got(evidence):
    found = against(evidence())

    assert (found.violations, found.examined, found.reason) == (0, 7, None)


def of_workflow(rows, name):
    return next(row for row in rows["instances"] if row["workflow"] == name)


def _output(name, value):
    return lambda rows: of_workflow(rows, name).update(output=value)


def _task(name, payload):
    def change(rows):
        task = next(row for row in rows["history"] if row.get("name") == name)
        for row in rows["history"]:
            if (row["instance_id"], row["event"], row.get("task_id")) == (
                (task["instance_id"], "taskCompleted", task["task_id"])
            ):
                row["payload"] = payload

    return change


def _late(rows):
    next(row for row in rows["instances"] if row.get("parent_id"))["completed_ns"] += 60_000 * MS


def _lost(rows):
    rows["instances"].remove(next(row for row in rows["instances"] if row.get("parent_id")))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_output(patterns.SERIES, "5355"), "series_v1-1 (series_v1): its output is 5355, and must be 5356."),
        (_output(patterns.PARALLEL, "4000"), "parallel_v1-1 (parallel_v1): its output is 4000, and must be 5356."),
        (_output(patterns.WIDE, "11000"), "wide_v1-1 (wide_v1): its output is 11000, and must be 12000."),
        (_output(patterns.DELAY, None), "delay_v1-1 (delay_v1): its output is nothing, and must be 5."),
        (_output(patterns.FAMILY, "5359"), "family_v1-1 (family_v1): its output is 5359, and must be 5363."),
        (_output(patterns.PAYLOAD, "299"), "payload_v1-1 (payload_v1): its output is 299, and must be 300."),
        (_task(patterns.SUM, "9"), "what task 1 (sum_v1) gave is 9, and must be 210."),
        (_task(patterns.FILL, '"00"'), "what task 1 (fill_v1) gave is 4, and must be 1002."),
        (_task(patterns.GET, None), "what task 3 (get_value_v1) gave is nothing, and must be 302."),
        (
            _output(patterns.BATCH, '{"completed": 6}'),
            "batch_v1-1 (batch_v1): the number of its orders that are compensated is 1, and must be none.",
        ),
        (_lost, "the number of its orders that are completed is 4, and must be 5."),
        (_late, "its end is 59994 ms before the last of its orders ended, and must be after it."),
    ],
)
def test_what_is_not_as_computed_is_told(evidence, change, sentence):
    found = against(evidence(change))

    assert found.result == "VIOLATED"
    assert any(sentence in witness.sentence for witness in found.witnesses), found.witnesses


def test_what_the_invariant_plants_itself_is_caught_by_it(evidence, tmp_path):
    for plant in invariant.parse(TEXT).plants:
        folder = evidence()
        assert plants.make(plant, folder, tmp_path)
        assert against(tmp_path).violations > 0, plant.sql


def test_a_part_that_is_forgotten_is_missing_in_the_sum(monkeypatch):
    monkeypatch.setattr(patterns, "when_all", list)
    steps = patterns.parallel_v1(Engine("p", Store()), {"number": 103}, "forgotten_part")
    sums = next(steps)

    with pytest.raises(StopIteration) as end:
        steps.send(sums)

    assert end.value.value == 5356 - sum(range(83, 104))
