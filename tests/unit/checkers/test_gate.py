"""From a verdict to an exit code, also where a violation is expected."""

import pytest
from harness_reports import words

from harness.checkers.gate import decide, is_as_expected, refuse_unusable
from harness.errors import Exit, UsageError
from harness.model import Expectation, Result
from tests.builders import shop
from tests.builders.shop import finding

KNOWN = {"violated": ["lost"], "upstream": "https://example.org/issues/1"}
LOST = finding("lost", Result.VIOLATED, violations=3)
STUCK = finding("stuck", Result.VIOLATED, violations=1)
FINE = finding("duplicated")


def verdict(*findings, **changes):
    return shop.verdict(findings, **changes)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (verdict(FINE), Exit.HOLDS),
        (verdict(FINE, missed_levels=("start_p99: 1 s",)), Exit.GATE_MISSED),
        (verdict(LOST, missed_levels=("start_p99: 1 s",)), Exit.VIOLATED),
        (verdict(FINE, result=Result.UNKNOWN), Exit.UNKNOWN),
        (verdict(LOST, FINE, expect=KNOWN), Exit.HOLDS),
        (verdict(LOST, FINE, expect=KNOWN, missed_levels=("start_p99: 1 s",)), Exit.GATE_MISSED),
        (verdict(LOST, STUCK, expect=KNOWN), Exit.VIOLATED),
        (verdict(FINE, expect=KNOWN), Exit.VIOLATED),
        (verdict(FINE, result=Result.UNKNOWN, expect=KNOWN), Exit.UNKNOWN),
    ],
    ids=[
        "holds",
        "level missed",
        "violated",
        "unknown",
        "as expected",
        "as expected, level missed",
        "and more",
        "unexpectedly holds",
        "cannot tell",
    ],
)
def test_each_verdict_has_its_exit_code(made, code):
    assert decide(shop.plan(), made).code == code


def test_a_violation_is_not_as_expected_where_something_was_not_seen():
    """A fault that was never applied has no row of its own: only the verdict's reasons tell of it."""
    thin = verdict(LOST, expect=KNOWN, lacking=("kill of redis (step 1) was never applied",), faults=())

    assert is_as_expected(verdict(LOST, expect=KNOWN)) is True
    assert is_as_expected(thin) is False
    assert decide(shop.plan(), thin).code == Exit.VIOLATED
    assert words.expectation(thin).startswith("Not as expected: kill of redis (step 1) was never applied")


def test_what_was_expected_is_told_with_its_reference():
    assert words.expectation(verdict(LOST)) is None
    assert words.expectation(verdict(LOST, expect=KNOWN)) == (
        "Violated, as expected (lost: https://example.org/issues/1)"
    )
    assert words.expectation(verdict(FINE, expect=KNOWN)).startswith("Not expected: it holds")
    assert words.expectation(verdict(LOST, STUCK, expect=KNOWN)).startswith("Not as expected: also violated stuck")


def test_a_scenario_that_expects_what_no_invariant_says_is_refused_before_it_runs(planned):
    known = Expectation(violated=("stuk",), upstream="docs/findings.md, 1")
    plan = planned.model_copy(update={"scenario": planned.scenario.model_copy(update={"expect": known})})

    with pytest.raises(UsageError, match=r'expect\.violated: "stuk" is not an invariant; did you mean "stuck"'):
        refuse_unusable(plan)


def test_a_target_whose_invariant_is_none_is_refused_before_it_runs(planned, tmp_path):
    (tmp_path / "mine.sql").write_text("SELECT 1")
    plan = planned.model_copy(update={"target": planned.target.model_copy(update={"invariants": tmp_path})})

    with pytest.raises(UsageError, match=r"mine\.sql: the header lacks claim"):
        refuse_unusable(plan)
