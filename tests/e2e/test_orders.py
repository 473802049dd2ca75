"""The reference target on real Dapr: it holds, and each planted defect is found by the invariant that names it."""

import pytest

from harness.checkers.judge import judge
from harness.model import Plan, Result
from tests.builders import by_hand

pytestmark = pytest.mark.e2e

SHORT = "tests/e2e/short_kill.yaml"


def test_it_holds_and_exercises_every_branch(harness):
    finished = harness.run(SHORT, "--set", "checks.determinism=1.0")

    assert finished.holds(), finished.out
    assert {"completed", "compensated", "rejected"} <= finished.verdict["classes"].keys()
    assert finished.verdict["operations"]["ok"] > finished.verdict["operations"]["unknown"], "answers are understood"
    assert finished.finding("nondeterministic")["examined"] > 500
    assert finished.finding("record_attempts")["examined"] >= 2 * finished.verdict["attempts"] > 0
    assert all(fault["felt_after"] is not None for fault in finished.verdict["faults"])

    # A start that got no answer, made one that was accepted: the client's own record does not bear that out.
    plan = Plan.model_validate_json((finished.run / "plan.json").read_bytes())
    by_hand.changed(finished.run / "evidence", "operations", "outcome = 'unknown'", by_hand.replaced("outcome", "'ok'"))
    verdict = judge("a run", plan, finished.run / "evidence")
    assert verdict.result is not Result.HOLDS
    assert any("record_client" in reason for reason in verdict.reasons), verdict.reasons


@pytest.mark.parametrize(
    ("defect", "invariant", "duration"),
    [  # double_ship is in test_capacity.py, and skip_release in test_ci.py
        ("early_ack", "lost", "10s"),
        ("lost_update", "contradiction", "18s"),  # two orders must meet
    ],
)
def test_a_planted_defect_is_found(harness, defect, invariant, duration):
    settings = ("--duration", duration, "--set", "checks.settle=15s", "--set", "checks.minimum={instances: 40}")
    finished = harness.run(SHORT, "--defect", defect, *settings, check=1)

    assert finished.names_what_violates(invariant)


def test_no_load_is_unknown(harness):
    finished = harness.run("baseline", "--rate", "0", "--duration", "2s", check=2)

    assert finished.verdict["result"] == "UNKNOWN"
    assert finished.verdict["reasons"]
