"""How long until things were well again: small loads with a known hole."""

import pytest

from harness.checkers import recovery
from harness.checkers.database import open_database
from harness.checkers.judge import judge
from harness.checkers.recovery import Band
from harness.evidence import schema
from harness.planning import plan, scenario, target
from tests.builders.evidence import write_evidence

T0 = 1_790_000_000 * 1_000_000_000
RATE = 20
LOAD = 30.0


def ns(seconds):
    return T0 + round(seconds * 1e9)


@pytest.fixture(name="planned", scope="module")
def _planned():
    read = scenario.load(scenario.find("baseline"), ["checks.minimum={instances: 1}"])
    return plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")


def load(down=(), *, outcome="unknown", rate=RATE):
    """
    A start every 1/rate s to app-0 and app-1 in turn, answered in 10 ms; its instance ends after 100 ms. What is
    started while `down` (from, until) fails at app-0, and nothing at all ends then; it all ends half a second later.
    """
    rows = {table.name: [] for table in schema.TABLES}
    for number in range(int(LOAD * rate)):
        at = number / rate
        dark = next((until for since, until in down if since <= at < until), None)
        name, node = f"i-{number}", f"app-{number % 2}"
        fails = dark is not None and node == "app-0"
        call = {"op_id": name, "instance_id": name, "workflow": "order_v1", "kind": "plain", "client": "locust-1"}
        call |= {"node": node, "try": 1, "intended_ns": ns(at), "invoked_ns": ns(at), "completed_ns": ns(at + 0.01)}
        rows["operations"].append(call | {"outcome": outcome if fails else "ok", "status": 503 if fails else 202})
        if not fails:
            ended = ns(at + 0.1 if dark is None else dark + 0.5)
            row = {"instance_id": name, "workflow": "order_v1", "status": "COMPLETED", "created_ns": ns(at)}
            rows["instances"].append(row | {"completed_ns": ended})
    for phase in ("load", "settle"):
        rows["phases"].append({"phase": phase, "started_ns": T0, "ended_ns": ns(LOAD)})
    return rows


def fault(step, at, node="sidecar-0", kind="kill"):
    return {"step": step, "fault": kind, "node": node, "applied_ns": ns(at), "felt_ns": ns(at + 0.02)}


def found(planned, folder, rows):
    write_evidence(folder, rows)
    with open_database(planned, folder, None) as database:
        return recovery.findings(database)


def test_a_hole_is_told_with_its_failure_its_success_and_its_end(planned, tmp_path):
    rows = load([(10.0, 13.0)])
    rows["faults"].append(fault(0, 10.0))

    (kill,) = found(planned, tmp_path, rows)

    assert (kill.first_failure, kill.first_success) == (0.01, 3.01)
    assert kill.recovery == 3.25
    assert kill.unrecovered is None


def test_only_starts_through_the_replica_that_was_hit_tell_of_failure_and_success(planned, tmp_path):
    rows = load([(10.0, 13.0)])
    rows["faults"].append(fault(0, 10.0, "sidecar-1"))

    (kill,) = found(planned, tmp_path, rows)

    assert (kill.first_failure, kill.first_success) == (None, 0.06)
    assert kill.recovery == 3.0, "no window is steady in which a start failed, through whatever replica"


@pytest.mark.parametrize("node", ["client->app-0", "client->app-1", "app-1->sidecar-1", "sidecar-1->redis"])
def test_a_link_of_one_replica_is_told_of_by_starts_through_that_replica(planned, tmp_path, node):
    """Starts fail at app-0. A fault of client->app-1 touches app-1 alone: its first success is the next start there."""
    rows = load([(10.0, 13.0)])
    rows["faults"].append(fault(0, 10.0, node, "latency"))

    (slow,) = found(planned, tmp_path, rows)

    assert (slow.first_failure, slow.first_success) == ((0.01, 3.01) if "app-0" in node else (None, 0.06))


def test_a_start_that_failed_while_the_fault_was_being_applied_counts(planned, tmp_path):
    """The kill took 50 ms to land; a start that was answered in between failed because of it."""
    rows = load([(10.0, 13.0)])
    rows["faults"].append({**fault(0, 10.05), "begun_ns": ns(10.0)})

    (kill,) = found(planned, tmp_path, rows)

    assert (kill.first_failure, kill.first_success) == (0.0, 2.96)


def test_a_fault_that_nobody_feels_is_over_at_once(planned, tmp_path):
    rows = load()
    rows["faults"].append(fault(0, 10.0))

    (kill,) = found(planned, tmp_path, rows)

    assert (kill.first_failure, kill.first_success) == (None, 0.11)
    assert kill.recovery == 0.25


@pytest.mark.parametrize(
    ("down", "faults", "why", "watched"),
    [
        ([(10.0, 13.0)], [(0, 10.0), (1, 13.2)], "the next fault came before 24 instances", 1.25),
        ([(10.0, 13.0)], [(0, 10.0), (1, 12.0)], "the next fault came before a start was accepted again", 0.25),
        ([(28.0, 30.0)], [(0, 28.0)], "the load ended before a start was accepted again", 0.0),
    ],
)
def test_a_recovery_that_was_not_seen_says_why_and_for_how_long_it_was_looked_for(
    planned, tmp_path, down, faults, why, watched
):
    rows = load(down)
    rows["faults"] = [fault(step, at) for step, at in faults]

    first, *_ = found(planned, tmp_path, rows)

    assert first.recovery is None
    assert first.unrecovered.startswith(why)
    assert first.watched == watched


def test_faults_of_one_step_do_not_cut_each_other_off(planned, tmp_path):
    rows = load([(10.0, 13.0)])
    rows["faults"] = [fault(0, 10.0), fault(0, 10.2, "sidecar-1")]

    assert [one.recovery for one in found(planned, tmp_path, rows)] == [3.25, 2.8]


def test_a_refusal_that_the_kind_allows_is_no_failure(planned, tmp_path):
    rows = load([(10.0, 13.0)], outcome="fail")
    for row in rows["operations"]:
        row["kind"] = "refusable"
    kinds = dict(planned.target.workflows["order_v1"].kinds)
    kinds["refusable"] = kinds["plain"].model_copy(update={"ends": ("completed", "refused")})
    order = planned.target.workflows["order_v1"].model_copy(update={"kinds": kinds})
    changed = planned.target.model_copy(update={"workflows": {"order_v1": order}})
    rows["faults"].append(fault(0, 10.0))

    (allowed,) = found(planned.model_copy(update={"target": changed}), tmp_path, rows)
    (refused,) = found(planned, tmp_path, rows)

    assert (allowed.first_failure, refused.first_failure) == (None, 0.01)


def test_a_fault_that_was_never_applied_has_no_times(planned, tmp_path):
    rows = load()
    rows["faults"].append({"step": 0, "fault": "kill", "node": "sidecar-0"})

    (kill,) = found(planned, tmp_path, rows)

    assert (kill.at, kill.first_failure, kill.recovery) == (None, None, None)
    assert kill.unrecovered == "it was never applied"


def test_what_is_steady_is_told_by_the_shortest_window_that_can_show_that_half_is_missing():
    assert recovery.band([5] * 120) == Band(width=8, least=pytest.approx(40 - 2.576 * 40**0.5))
    assert recovery.band([3] * 120) == Band(width=12, least=pytest.approx(36 - 2.576 * 6))


@pytest.mark.parametrize("due", [[], [0] * 120, [0, 1] * 10, [200] + [0] * 119])
def test_too_thin_or_uneven_a_load_does_not_tell_what_is_steady(due):
    assert "too few, or too uneven" in recovery.band(due)


def test_executions_that_overlap_are_counted_apart(planned, tmp_path):
    rows = load()
    body = {"instance_id": "i-1", "activity": "a", "task_id": 1, "node": "app-0", "outcome": "ok"}
    spans = [(1, 0, 5), (1, 4, 6), (1, 6, 7), (1, 6.5, None), (2, 0, 5), (2, 5, 6), (3, 0, None), (3, 1, 2)]
    for number, (task, begun, ended) in enumerate(spans):
        row = body | {"task_id": task, "attempt_id": f"{number}", "started_ns": ns(begun)}
        rows["attempts"].append(row | {"ended_ns": None if ended is None else ns(ended)})
    found(planned, tmp_path, rows)

    verdict = judge("run", planned, tmp_path)

    assert (verdict.attempts, verdict.repeated_attempts, verdict.overlapping_attempts) == (8, 5, 2)
