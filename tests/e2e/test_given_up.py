"""A run that is given up is healed, settled, judged and never HOLDS."""

import pytest

from tests.builders import lines

pytestmark = pytest.mark.e2e


def test_a_spent_error_budget_ends_the_run_in_good_order(harness):
    finished = harness.run("tests/e2e/no_answers.yaml", check=2)

    assert any("cut short: the error budget is spent" in reason for reason in finished.verdict["reasons"])
    assert [row["event"] for row in lines.read(finished.run / "journal/faults.jsonl")][-2:] == ["healed", "healed"]
    assert "given up: the error budget is spent" in finished.out
