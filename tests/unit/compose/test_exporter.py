"""compose/exporter.py: a run's journals as Prometheus metrics."""

import importlib.util
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from harness.journal import Journal, Journals
from harness.rows import Applied, BodyBegan, BodyEnded, Completed, Felt, Healed, Intended, Invoked, Unfelt

FILE = Path(__file__).resolve().parents[3] / "compose/exporter.py"
FAULT = {"at_ns": 1, "step": 0, "fault": "kill", "node": "sidecar-0"}
IN_FORCE = 'harness_fault_in_force{fault="kill",node="sidecar-0"}'


@pytest.fixture(name="journals")
def _journals(tmp_path):
    return Journals(tmp_path)


@pytest.fixture(name="samples")
def _samples(journals):
    """What Prometheus would get now."""
    spec = importlib.util.spec_from_file_location("exporter", FILE)
    exporter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exporter)
    disable_created_metrics()
    registry = CollectorRegistry()
    registry.register(exporter.Exporter(journals))

    def samples():
        lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    return samples


def append(file, *rows):
    with Journal(file) as journal:
        for row in rows:
            journal.write(row)


def test_a_fault_is_in_force_from_applied_to_healed(journals, samples):
    append(journals.faults, Intended(**FAULT, planned_ns=1))
    assert IN_FORCE not in samples()
    append(journals.faults, Applied(**FAULT), Felt(**FAULT, proof={}))
    assert samples()[IN_FORCE] == 1
    append(journals.faults, Healed(**FAULT))
    assert samples()[IN_FORCE] == 0
    assert samples()['harness_faults_total{event="felt",fault="kill"}'] == 1


def test_a_fault_that_was_not_felt_is_not_in_force(journals, samples):
    append(journals.faults, Applied(**FAULT), Unfelt(**FAULT, proof={}))

    assert samples()[IN_FORCE] == 0


def test_calls_and_bodies_are_counted_once_however_often_it_is_asked(journals, samples):
    call = {
        "at_ns": 1,
        "op_id": "c/1",
        "instance_id": "a",
        "workflow": "w",
        "kind": "k",
        "client": "c",
        "node": "app-1",
    }
    append(journals.operations("7"), Invoked(**call, attempt=1, intended_ns=1))
    append(journals.operations("7"), Completed(at_ns=2, op_id="c/1", outcome="unknown", status=None, detail=None))
    body = {"at_ns": 1, "attempt_id": "x", "instance_id": "a", "activity": "reserve_stock_v1", "task_id": 1}
    append(journals.attempts("app-0"), BodyBegan(**body, node="app-0"))
    append(journals.attempts("app-0"), BodyEnded(at_ns=2, attempt_id="x", outcome="ok"))
    first = samples()

    assert samples() == first
    assert first == {
        'harness_calls_total{node="app-1"}': 1,
        'harness_answers_total{outcome="unknown"}': 1,
        'harness_attempts_total{activity="reserve_stock_v1",node="app-0"}': 1,
        'harness_attempts_ended_total{outcome="ok"}': 1,
    }


def test_a_torn_line_waits_until_it_is_whole_and_a_broken_one_is_told_and_passed_over(journals, samples, capsys):
    answer = Completed(at_ns=2, op_id="c/1", outcome="ok", status=202, detail=None).model_dump_json()
    file = journals.operations("1")
    file.write_text(answer[:20])
    assert samples() == {}
    file.write_text(answer + "\n" + '{"event":"nothing known"}\n' + answer + "\n")
    assert samples() == {'harness_answers_total{outcome="ok"}': 2}
    assert "operations-1.jsonl:2: a broken line in a journal" in capsys.readouterr().err
