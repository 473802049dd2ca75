"""Service levels: what counts, from when, and in which windows."""

import pytest

from harness.checkers import judge, levels, recovery
from harness.checkers.database import open_database
from harness.model import Gate
from tests.builders.evidence import write_evidence

MS = 10**6


def call(instance, attempt, due, done, outcome):
    """One try of a start; times in ms."""
    return {
        "instance_id": instance,
        "op_id": f"{instance}/{attempt}",
        "try": attempt,
        "client": "c",
        "workflow": "order_v1",
        "kind": "plain",
        "intended_ns": due * MS,
        "invoked_ns": due * MS,
        "completed_ns": done * MS,
        "outcome": outcome,
    }


def gated(planned, gate):
    scenario = planned.scenario.model_copy(update={"gate": Gate.model_validate(gate)})
    return planned.model_copy(update={"scenario": scenario})


@pytest.fixture(name="missed")
def _missed(planned, tmp_path):
    """`missed(gate, calls, ends, faults)` -> sentences. `ends`: instance -> ms; `faults`: pairs of ms."""

    def missed(gate, calls, ends=None, faults=()):
        rows = {
            "operations": [call(*each) for each in calls],
            "instances": [
                {"instance_id": name, "workflow": "order_v1", "status": "COMPLETED", "completed_ns": at * MS}
                for name, at in (ends or {}).items()
            ],
            "faults": [
                {"step": step, "fault": "kill", "node": "sidecar-0", "proof": "{}"}
                | {"planned_ns": begin * MS, "applied_ns": begin * MS, "felt_ns": begin * MS, "healed_ns": end * MS}
                for step, (begin, end) in enumerate(faults)
            ],
        }
        write_evidence(tmp_path, rows)
        plan = gated(planned, gate)
        with open_database(plan, tmp_path, None) as database:
            return tuple(levels.missed(database, plan, recovery.findings(database)))

    return missed


def test_what_was_missed_is_in_the_verdict(planned, tmp_path):
    rows = {"operations": [call("a", 1, 0, 900, "ok")]}

    verdict = judge.judge("run", gated(planned, {"start": {"p99": 0.5}}), write_evidence(tmp_path, rows))

    assert verdict.missed_levels == ("start p99: 0.900 s; the level is 0.5 s",)


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ([("a", 1, 0, 1, "unknown"), ("a", 2, 900, 1000, "ok")], "start p99: 1.000 s; the level is 0.5 s"),
        ([("a", 1, 0, 1, "unknown"), ("b", 1, 0, 1, "ok")], "start p99: more than 1 % was never accepted"),
        ([("a", 1, 0, 1, "fail")], "start p99: there is no such start that was not refused"),
        ([("a", 1, 0, 900, "fail"), ("b", 1, 0, 100, "ok")], None),
    ],
    ids=["from when it was due", "none is slower than any", "all were refused", "a refusal is none"],
)
def test_the_latency_of_starts_counts_those_that_had_to_be_repeated(missed, calls, told):
    found = missed({"start": {"p99": 0.5}}, calls)

    assert [level for level in found if told is None or told not in level] == []
    assert bool(found) == (told is not None)


def test_an_instance_without_an_end_is_slower_than_any(missed):
    calls = [(name, 1, 0, 10, "ok") for name in "abcd"]
    ends = {"a": 1000, "b": 2000, "c": 3000}

    assert missed({"end": {"p50": 2}}, calls, ends) == ()
    assert missed({"end": {"p50": 1.9}}, calls, ends) == ("end p50: 2.000 s; the level is 1.9 s",)
    assert missed({"end": {"p90": 60}}, calls, ends) == ("end p90: more than 10 % never ended; the level is 60 s",)


def test_starts_in_a_fault_are_apart_from_the_others(missed):
    calls = [("a", 1, 100, 110, "ok"), ("b", 1, 200, 700, "ok"), ("c", 1, 400, 420, "ok")]
    gate = {"start": {"in_faults": {"p99": 0.4}, "outside_faults": {"p99": 0.1}}}

    assert missed(gate, calls, faults=[(150, 300)]) == ("start p99 in faults: 0.500 s; the level is 0.4 s",)
    assert missed(gate, calls, faults=[(350, 450)]) == ("start p99 outside faults: 0.500 s; the level is 0.1 s",)
    assert "there is no such start" in missed(gate, calls, faults=[(5000, 6000)])[0]


def test_only_ends_during_the_load_are_throughput(missed, planned):
    duration = planned.scenario.load.duration
    calls = [(str(number), 1, number, number + 1, "ok") for number in range(40)]
    late = round(duration * 1000) + 1000
    ends = {str(number): 50 if number < 30 else late for number in range(40)}

    assert missed({"throughput": 30 / duration}, calls, ends) == ()
    (told,) = missed({"throughput": 31 / duration}, calls, ends)
    assert told.startswith(f"throughput: {30 / duration:.2f} instances/s ended during the load")


def test_errors_are_starts_without_a_clear_answer(missed):
    calls = [("a", 1, 0, 1, "ok"), ("b", 1, 0, 1, "fail"), ("c", 1, 0, 1, "unknown"), ("d", 1, 0, 1, "ok")]

    assert missed({"errors": 0.25}, calls) == ()
    (told,) = missed({"errors": 0.2}, calls)
    assert told == "errors: clients got no clear answer to 25.00 % of the starts; the level is 20 %"
    assert missed({"errors": 0.2}, []) != ()
