"""The SQL and the oracle say the same of every instance: 10,000 in correct runs, and 10,000 in corrupted ones."""

import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.checkers import invariant
from harness.checkers import planned as tables_of_plan
from harness.checkers.database import open_database
from harness.checkers.judge import judge
from harness.planning import plan, scenario, target
from tests.builders.evidence import write_evidence
from tests.oracle import histories, oracle

COUNT = 2_500
SEEDS = range(4)


@pytest.fixture(name="planned", scope="module")
def _planned():
    overrides = ["checks.minimum={instances: 1}", "checks.ends={scarce: [refused]}", "load.retries=2"]
    read = scenario.load(scenario.find("baseline"), overrides)
    made = plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")
    # These histories are about the general invariants alone.
    return made.model_copy(update={"target": made.target.model_copy(update={"invariants": None})})


def write(folder, rows):
    return write_evidence(folder, rows)


def sql_says(planned, folder):
    """Instance id -> (its class, the names of what it violates)."""
    queries = {name: invariant.parse(text).query for name, text in invariant.load(invariant.GENERAL).items()}
    with open_database(planned, folder, None) as database:
        found = {
            row["instance_id"]: (row["class"], {name for name in oracle.CLASSES if row[name]})
            for row in database.rows("SELECT * FROM classes")
        }
        for name in oracle.OTHERS:
            for row in database.rows(queries[name]):
                found.setdefault(row["instance_id"], (None, set()))[1].add(name)
    return found


def oracle_says(rows):
    return {
        instance: (
            oracle.class_of(one),
            {name for name, is_so in (oracle.CLASSES | oracle.OTHERS).items() if is_so(one)},
        )
        for instance, one in oracle.instances(rows).items()
    }


def compared(planned, folder, rows):
    """What the SQL says of the rows that were written to `folder`, once the oracle has said the same."""
    said, expected = sql_says(planned, folder), oracle_says(rows)
    assert said.keys() == expected.keys()
    different = [instance for instance in sorted(said) if said[instance] != expected[instance]]
    assert not different, f"SQL {said[different[0]]}, oracle {expected[different[0]]}: {of(different[0], rows)}"
    return said


def of(instance, rows):
    return {name: [row for row in table if row.get("instance_id") == instance] for name, table in rows.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_correct_histories_raise_no_alarm_and_both_say_so(planned, tmp_path, seed, monkeypatch):
    rows = histories.correct(Random(seed), COUNT)
    monkeypatch.setattr(tables_of_plan, "schedule", lambda *_: histories.arrivals(rows))

    verdict = judge("run", planned, write(tmp_path, rows))

    alarms = [(f.name, f.witnesses[0].sentence) for f in verdict.findings if f.violations]
    assert alarms == []
    assert sum(verdict.classes.values()) == COUNT
    assert set(verdict.classes) == {"completed", "compensated", "rejected", "refused", "never_started"}
    assert not any(violated for _, violated in compared(planned, tmp_path, rows).values())


@pytest.mark.parametrize("seed", SEEDS)
def test_both_say_the_same_of_corrupted_ones(planned, tmp_path, seed):
    random = Random(seed)
    rows = histories.corrupted(random, histories.correct(random, COUNT), 0.7)

    said = compared(planned, write(tmp_path, rows), rows)

    seen = set().union(*(violated for _, violated in said.values()))
    assert seen == set(oracle.CLASSES | oracle.OTHERS), "every one of them was violated by some instance"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(random=st.randoms(use_true_random=False), count=st.integers(1, 12))
def test_both_say_the_same_of_what_can_be_made_smaller(planned, random, count):
    rows = histories.corrupted(random, histories.correct(random, count), 1.0)
    # Of a run that has no attempts at all it cannot be told what ran: this one has one, of nobody.
    rows["attempts"].append({"attempt_id": "x", "instance_id": "x", "task_id": 1, "started_ns": histories.T0})

    with tempfile.TemporaryDirectory() as folder:
        compared(planned, write(Path(folder), rows), rows)
