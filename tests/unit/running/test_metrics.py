"""A run's journals as Prometheus metrics."""

import httpx
import pytest
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from harness.backends.ports import lease
from harness.errors import UsageError
from harness.journal import Journal, Journals
from harness.model import Progress
from harness.rows import Applied, BodyBegan, BodyEnded, Completed, Dropped, Felt, Healed, Intended, Invoked, Unfelt
from harness.running.metrics import METRICS, RunMetrics, served

FAULT = {"at_ns": 1, "step": 0, "fault": "kill", "node": "sidecar-0"}
IN_FORCE = 'harness_fault_in_force{fault="kill",node="sidecar-0"}'


@pytest.fixture(name="journals")
def _journals(tmp_path):
    return Journals(tmp_path)


@pytest.fixture(name="samples")
def _samples(journals, tmp_path):
    """What Prometheus would get now; what is 0 is left out."""
    disable_created_metrics()
    registry = CollectorRegistry()
    registry.register(RunMetrics(journals, tmp_path / "progress.json"))

    def samples(*, buckets=False, zeros=False):
        lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
        found = {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
        return {
            name: value for name, value in found.items() if (zeros or value) and (buckets or "_bucket{" not in name)
        }

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
    assert samples(zeros=True)[IN_FORCE] == 0
    assert samples()['harness_faults_total{event="felt",fault="kill"}'] == 1


def test_a_fault_that_was_not_felt_is_not_in_force(journals, samples):
    append(journals.faults, Applied(**FAULT), Unfelt(**FAULT, proof={}))

    assert samples(zeros=True)[IN_FORCE] == 0


def test_calls_and_bodies_are_counted_once_however_often_it_is_asked(journals, samples):
    call = {
        "at_ns": 3_000_000,
        "op_id": "c/1",
        "instance_id": "a",
        "workflow": "w",
        "kind": "k",
        "client": "c",
        "node": "app-1",
    }
    append(journals.operations("7"), Invoked(**call, attempt=1, intended_ns=1_000_000))
    append(
        journals.operations("7"), Completed(at_ns=500_000_000, op_id="c/1", outcome="unknown", status=None, detail=None)
    )
    body = {"at_ns": 1, "attempt_id": "x", "instance_id": "a", "activity": "reserve_stock_v1", "task_id": 1}
    append(journals.attempts("app-0"), BodyBegan(**body, node="app-0"))
    append(journals.attempts("app-0"), BodyEnded(at_ns=2, attempt_id="x", outcome="ok"))
    first = samples()

    assert samples() == first
    assert first == {
        'harness_calls_total{node="app-1"}': 1,
        'harness_answers_total{outcome="unknown"}': 1,
        "harness_start_lateness_seconds_count": 1,
        "harness_start_lateness_seconds_sum": 0.002,
        'harness_start_latency_seconds_count{outcome="unknown"}': 1,
        'harness_start_latency_seconds_sum{outcome="unknown"}': 0.499,
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


def test_lateness_is_in_buckets_and_only_first_tries_are_late(journals, samples):
    call = {"instance_id": "a", "workflow": "w", "kind": "k", "client": "c", "node": "app-1"}
    for number, late_ns in enumerate((400_000, 4_000_000, 2_000_000_000)):
        row = Invoked(**call, op_id=f"c/{number}", attempt=1 + number // 2, intended_ns=10, at_ns=10 + late_ns)
        append(journals.operations("7"), row)
    found = samples(buckets=True)
    assert found['harness_start_lateness_seconds_bucket{le="0.001"}'] == 1
    assert found['harness_start_lateness_seconds_bucket{le="0.005"}'] == 2
    assert found['harness_start_lateness_seconds_bucket{le="+Inf"}'] == 2
    assert samples()['harness_calls_total{node="app-1"}'] == 3


def test_instances_are_told_as_the_run_last_knew_them(journals, samples, tmp_path):
    assert samples() == {}
    file = tmp_path / "progress.json"
    file.write_text(Progress(phase="load", in_flight=4, ended={"completed": 7, "failed": 1}).model_dump_json())
    told = {
        "harness_instances_in_flight": 4,
        'harness_instances_ended_total{outcome="completed"}': 7,
        'harness_instances_ended_total{outcome="failed"}': 1,
    }
    assert samples() == told
    file.unlink()
    assert samples() == told


def test_a_start_that_is_dropped_is_told_at_once(journals, samples):
    row = Dropped(instance_id="a", client="c", intended_ns=1, at_ns=2)
    append(journals.operations("7"), row)
    append(journals.operations("7"), row)
    assert samples()["harness_arrivals_dropped_total"] == 2


def test_every_metric_is_served_under_its_name_with_its_unit(journals, tmp_path):
    row = {"at_ns": 1, "attempt_id": "x", "instance_id": "a", "activity": "b", "task_id": 1}
    call = {"op_id": "c/1", "instance_id": "a", "workflow": "w", "kind": "k", "client": "c", "node": "app-1"}
    append(journals.faults, Applied(**FAULT))
    append(journals.operations("7"), Invoked(**call, attempt=1, intended_ns=1, at_ns=2))
    append(journals.operations("7"), Completed(at_ns=3, op_id="c/1", outcome="ok", status=202, detail=None))
    append(journals.attempts("app-0"), BodyBegan(**row, node="app-0"), BodyEnded(at_ns=2, attempt_id="x", outcome="ok"))
    (tmp_path / "progress.json").write_text(Progress(phase="load", ended={"completed": 1}).model_dump_json())
    with lease() as ports, served(port := ports.take()) as registry:
        registry.register(RunMetrics(journals, tmp_path / "progress.json"))
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        with pytest.raises(UsageError, match="cannot be had for metrics"), served(port):
            pass
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families.keys() == {told.name.removesuffix("_total") for told in METRICS}
    for told in METRICS:
        family = families[told.name.removesuffix("_total")]
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert (family.type, family.documentation, labels) == (told.kind, told.meaning, set(told.labels))
        assert told.name.endswith("_total") == (told.kind == "counter")
        assert told.name.endswith("_seconds") == (told.kind == "histogram")
