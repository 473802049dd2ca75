"""The figures of a run, from evidence that is written down here."""

import pytest

from harness.comparing import figures
from harness.comparing.figures import Recovery
from harness.errors import EvidenceError
from harness.evidence import schema
from harness.model import Result, Witness
from harness.rundir import RunDir
from tests.builders import runs, shop
from tests.builders.evidence import write_evidence

T0 = shop.LOAD_START_NS


def ns(seconds):
    return T0 + round(seconds * 1e9)


def call(instance, due, answered, outcome="ok", number=1, client="locust-1"):
    return {
        "op_id": f"{instance}/{number}",
        "instance_id": instance,
        "workflow": "order_v1",
        "kind": "plain",
        "client": client,
        "node": "app-0",
        "try": number,
        "intended_ns": ns(due),
        "invoked_ns": ns(due),
        "completed_ns": ns(answered),
        "outcome": outcome,
    }


def instance(name, created, ended):
    completed = None if ended is None else ns(ended)
    return {"instance_id": name, "workflow": "order_v1", "created_ns": ns(created), "completed_ns": completed}


@pytest.fixture(name="run")
def _run(tmp_path):
    """Four starts in 40 s of load and 20 s after it: quick; at the second try; in vain; accepted, and never ended."""
    run = RunDir(tmp_path / "run")
    run.evidence.mkdir(parents=True)
    run.save_plan(shop.plan())
    run.save_verdict(shop.verdict())
    rows = {table.name: [] for table in schema.TABLES}
    rows["operations"] = [
        call("canary", -9, -8, client="canary"),
        call("a", 0, 0.5),
        call("b", 10, 11, "unknown"),
        call("b", 10, 13, number=2),
        call("c", 20, 21, "fail"),
        call("d", 30, 30.5),
    ]
    rows["instances"] = [
        instance("canary", -9, -7),
        instance("a", 0, 2),
        instance("b", 12, 50),
        instance("d", 30, None),
    ]
    rows["phases"] = [
        {"phase": phase, "started_ns": ns(begin), "ended_ns": ns(end)}
        for phase, begin, end in (("load", 0, 40), ("heal", 40, 41), ("settle", 41, 60), ("collect", 60, 70))
    ]
    write_evidence(run.evidence, rows)
    return run


def test_latency_counts_from_the_time_at_which_a_start_was_first_due(run):
    told = figures.read(run)

    assert (told.start.median, told.start.p99) == (0.5, pytest.approx(3 - 0.02 * 2.5))


def test_what_never_ended_counts_until_the_run_was_over_and_is_told(run):
    told = figures.read(run)

    assert (told.completion.median, told.completion.p99) == (30, pytest.approx(40 - 0.02 * 10))
    assert told.unended == 1


def test_throughput_is_what_ended_within_the_load(run):
    told = figures.read(run)

    assert (told.throughput, told.offered) == (1 / 40, 4 / 40)
    assert told.began_ns == T0


def test_a_start_is_accepted_once_whatever_its_first_try_said(run):
    assert figures.read(run).accepted == 3 / 4


def test_what_the_verdict_says_is_taken_from_there(run):
    told = figures.read(run)

    assert (told.result, told.instances, told.repeated_attempts) == (Result.HOLDS, 600, 59)
    assert (told.seed, told.dapr_version, told.defect) == (7, "1.18.2", None)


@pytest.mark.parametrize("lost", ["operations", "instances", "phases", "faults"])
def test_what_needs_lost_evidence_is_not_told_and_the_rest_is(run, lost):
    (run.evidence / f"{lost}.parquet").unlink()

    told = figures.read(run)

    needed = {
        "start": {"operations"},
        "accepted": {"operations"},
        "completion": {"operations", "instances", "phases"},
        "throughput": {"operations", "instances", "phases", "faults"},
    }
    for name, of in needed.items():
        assert (getattr(told, name) is None) is (lost in of), name


def test_instances_that_several_invariants_name_count_once(tmp_path):
    from harness.checkers import violations

    rows = [Witness(instance_id=name, sentence="", row={"instance_id": name}) for name in ("a", "a", "b")]
    violations.write(tmp_path, "stuck", {"instance_id": "VARCHAR"}, rows)
    violations.write(tmp_path, "lost", {"instance_id": "VARCHAR"}, rows[:1])
    violations.write(tmp_path, "stock", {"sku": "VARCHAR"}, [Witness(instance_id=None, sentence="", row={"sku": "x"})])
    broken = [shop.finding(name, Result.VIOLATED) for name in ("stuck", "lost", "stock")]
    verdict = shop.verdict(tuple(broken))

    assert figures.violated_instances(tmp_path, verdict) == 2
    (tmp_path / "lost.parquet").unlink()
    assert figures.violated_instances(tmp_path, verdict) is None
    assert figures.violated_instances(tmp_path, shop.verdict()) == 0


def test_a_recovery_that_was_not_seen_says_how_long_it_was_watched(tmp_path):
    run = runs.save(tmp_path, 7, number=600)

    told = figures.read(run)

    kills = [each for each in told.recoveries if each.fault == "kill"]
    assert [each.role for each in told.recoveries] == ["sidecar", "sidecar->redis", "sidecar->redis", "sidecar"]
    assert all(each.seconds is not None for each in kills)
    thin = figures.read(runs.save(tmp_path / "thin", 7, number=20))
    assert set(thin.recoveries) == {
        Recovery(step=0, fault="kill", role="sidecar", seconds=None),
        Recovery(step=1, fault="latency", role="sidecar->redis", seconds=None),
        Recovery(step=2, fault="kill", role="sidecar", seconds=None),
    }


def test_a_run_that_was_not_judged_has_no_figures(run):
    run.verdict.unlink()

    with pytest.raises(EvidenceError, match="harness check"):
        figures.read(run)
