"""compose/exporter.py: a run's journals as Prometheus metrics."""

import importlib.util
import json
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[3] / "compose/exporter.py"


@pytest.fixture(name="journals")
def _journals(tmp_path):
    """The journals of a folder, and a way to append to one of them."""
    spec = importlib.util.spec_from_file_location("exporter", FILE)
    exporter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exporter)
    journals = exporter.Journals(tmp_path)

    def append(name, *rows, raw=""):
        with (tmp_path / name).open("a") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows) + raw)

    journals.append = append
    return journals


def samples(journals):
    lines = [line for line in journals.metrics().splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


def fault(event):
    return {"event": event, "step": 0, "fault": "kill", "node": "sidecar-0", "at_ns": 1}


IN_FORCE = 'harness_fault_in_force{fault="kill",node="sidecar-0"}'


def test_a_fault_is_in_force_from_applied_to_healed(journals):
    journals.append("faults.jsonl", fault("intent"))
    assert IN_FORCE not in samples(journals)
    journals.append("faults.jsonl", fault("applied"), fault("felt"))
    assert samples(journals)[IN_FORCE] == "1"
    journals.append("faults.jsonl", fault("healed"))
    assert samples(journals)[IN_FORCE] == "0"
    assert samples(journals)['harness_faults_total{event="felt",fault="kill"}'] == "1"


def test_a_fault_that_could_not_be_applied_is_not_in_force(journals):
    journals.append("faults.jsonl", fault("applied"), fault("unfelt"))

    assert samples(journals)[IN_FORCE] == "0"


def test_calls_and_bodies_are_counted_once_however_often_it_is_asked(journals):
    journals.append("operations-7.jsonl", {"event": "invoke", "node": "app-1"})
    journals.append("operations-7.jsonl", {"event": "complete", "outcome": "unknown"})
    journals.append("attempts-app-0.jsonl", {"event": "start", "activity": "reserve_stock_v1", "node": "app-0"})
    journals.append("attempts-app-0.jsonl", {"event": "end", "outcome": "ok"})
    first = samples(journals)

    assert samples(journals) == first
    assert first == {
        'harness_calls_total{node="app-1"}': "1",
        'harness_answers_total{outcome="unknown"}': "1",
        'harness_attempts_total{activity="reserve_stock_v1",node="app-0"}': "1",
        'harness_attempts_ended_total{outcome="ok"}': "1",
    }


def test_a_torn_line_waits_until_it_is_whole_and_a_broken_one_is_passed_over(journals):
    journals.append("operations-1.jsonl", raw='{"event":"invoke","no')
    assert samples(journals) == {}
    journals.append("operations-1.jsonl", raw='de":"app-0"}\n{"event":\nnull\n')
    assert samples(journals) == {'harness_calls_total{node="app-0"}': "1"}
