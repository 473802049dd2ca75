"""Several runs of one scenario: the worst exit code, k of n, and how sure that makes us."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Exit
from harness.model import Result
from harness.repeat import interval, summary, worst


@pytest.mark.parametrize(
    ("held", "runs", "low", "high"),
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (1, 1, 0.2065, 1.0)],
)
def test_the_interval_is_wilsons(held, runs, low, high):
    """For n of n its lower end is n / (n + z²), which is easily worked out by hand; it is symmetric."""
    assert interval(held, runs) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 500).flatmap(lambda runs: st.tuples(st.integers(0, runs), st.just(runs))))
def test_the_interval_holds_the_share_that_was_seen_and_stays_a_share(counts):
    held, runs = counts
    low, high = interval(held, runs)

    assert 0 <= low <= held / runs + 1e-12
    assert held / runs - 1e-12 <= high <= 1
    assert interval(2 * held, 2 * runs)[0] >= low - 1e-12


def test_the_worst_exit_code_counts():
    assert worst([0, 3, 0]) == Exit.GATE_MISSED
    assert worst([0, 2, 3]) == Exit.UNKNOWN
    assert worst([70, 1, 2]) == Exit.VIOLATED
    assert worst([0, 70]) == Exit.SOFTWARE
    assert worst([1, 130]) == Exit.INTERRUPTED


def test_runs_that_could_not_tell_are_counted_apart():
    held, violated = [Result.HOLDS] * 8, [Result.VIOLATED] * 2
    assert summary([*held, *violated]) == "8 of 10 runs hold (95 % interval: 49 % to 94 %)"
    assert summary([*held, *violated, Result.UNKNOWN, None]) == (
        "8 of 10 runs hold (95 % interval: 49 % to 94 %); 1 cannot tell; 1 failed"
    )
    assert summary([None]) == "0 of 0 runs hold; 1 failed"
