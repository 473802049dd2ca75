"""The same work in three granularities: equal results, and no step is done twice, however often it is executed."""

import json
from types import SimpleNamespace

import grpc
import pytest

from harness.model import Retry
from harness.planning import target
from harness.runtime import shipped
from target import granularity
from target.granularity import SAVE, SPLIT, STEPS, WHOLE

GIVEN = {"key": "work-1", "number": 103}
SUM = 103 * 104 // 2


class Refused(grpc.RpcError):
    def __init__(self, code):
        super().__init__()
        self._code = code

    def code(self):
        return self._code


class Store:
    """A state store with versions: a save over another version than the last is refused, as Dapr does it."""

    def __init__(self):
        self.data, self.version = b"", 0

    def get_state(self, _, key):
        assert key == "work-1"
        return SimpleNamespace(data=self.data, etag=str(self.version) if self.version else "")

    def save_state(self, _, key, value, *, etag, options):
        assert (key, options.concurrency.name) == ("work-1", "first_write")
        if etag != (str(self.version) if self.version else None):
            raise Refused(grpc.StatusCode.ABORTED)
        self.data, self.version = value.encode(), self.version + 1


class Context:
    """Executes each activity at once, `times` times, as an engine may; and remembers what it was asked for."""

    def __init__(self, store, times):
        self.bodies, self.times = granularity.Work(store, "statestore").bodies, times
        self.calls, self.policies = [], {}

    def call_activity(self, name, *, input, retry_policy=None):  # noqa: A002 - as the SDK has it
        given = json.loads(json.dumps(input))
        self.calls.append((name, given))
        self.policies[name] = retry_policy
        first, *_ = [self.bodies[name](given) for _ in range(self.times)]
        return json.loads(json.dumps(first))


def ran(name, store, times=1):
    """The context in which a workflow has run, and what it gave."""
    context = Context(store, times)
    turns = granularity.WORKFLOWS[name](context, GIVEN)
    answer = next(turns)
    while True:
        try:
            answer = turns.send(answer)
        except StopIteration as end:
            return context, end.value


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(("name", "activities"), [(WHOLE, 1), (STEPS, 5), (SPLIT, 15)])
def test_all_give_the_same_and_write_each_step_once(name, activities, times):
    store = Store()

    context, output = ran(name, store, times)

    assert output == SUM
    assert len(context.calls) == activities
    assert json.loads(store.data) == {"step": 5, "sum": SUM}
    assert store.version == 5


@pytest.mark.parametrize("name", [WHOLE, STEPS, SPLIT])
def test_an_execution_that_comes_late_changes_nothing(name):
    store = Store()
    context, _ = ran(name, store)
    data = store.data

    for activity, given in context.calls:
        context.bodies[activity](given)

    assert store.data == data


def test_a_save_that_somebody_else_overtook_without_doing_the_step_fails_and_is_tried_again():
    store = Store()
    work = granularity.Work(store, "statestore")
    store.save_state("", "work-1", '{"step": 1, "sum": 1}', etag=None, options=granularity._FIRST_WRITE)

    with pytest.raises(Refused):
        work.save({"key": "work-1", "etag": "7", "document": {"step": 2, "sum": 3}})


def test_the_description_declares_the_retries_that_the_code_asks_for():
    described = target.load(shipped.TARGET).retries

    for name in (WHOLE, STEPS, SPLIT):
        for activity, policy in ran(name, Store())[0].policies.items():
            expected = (
                Retry(attempts=1)
                if policy is None
                else Retry(attempts=policy.max_number_of_attempts, first=policy.first_retry_interval.total_seconds())
            )
            assert described[activity] == expected
    assert described[SAVE].attempts > 1


def test_the_description_has_each_of_them_with_its_code():
    described = target.load(shipped.TARGET).workflows

    for name in granularity.WORKFLOWS:
        assert (described[name].code, set(described[name].body)) == (f"target.granularity:{name}", set(GIVEN))
