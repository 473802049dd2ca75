"""A run that is given up is healed, settled, judged and never HOLDS; its plan can be run again."""

import pytest

from tests.builders import lines

pytestmark = pytest.mark.e2e


def test_a_spent_error_budget_ends_the_run_in_good_order_and_the_plan_can_be_replayed(harness):
    finished = harness.run("tests/e2e/no_answers.yaml", check=2)
    first = finished.run

    assert any("cut short: the error budget is spent" in reason for reason in finished.verdict["reasons"])
    assert [row["event"] for row in lines.read(first / "journal/faults.jsonl")][-2:] == ["healed", "healed"]
    assert "given up: the error budget is spent" in finished.out

    again = harness(
        *("replay", first, "--target", "tests/targets/payments/target.yaml", "--out", finished.runs), check=2
    )

    assert again.out
    assert finished.run != first
    assert (finished.run / "plan.json").read_bytes() == (first / "plan.json").read_bytes()
