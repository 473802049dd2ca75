"""Effects and intervals: against published figures, and against what must be so for any data."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.comparing import statistics
from harness.comparing.statistics import Share

SHARES = st.integers(1, 60).flatmap(lambda of: st.integers(0, of).map(lambda number: Share(number, of)))
TIMES = st.lists(st.floats(0.1, 100), min_size=3, max_size=12)


def test_newcombe_s_interval_is_as_he_printed_it():
    """R. G. Newcombe (1998), table II, method 10: (a) 56/70 - 48/80, (d) 5/56 - 0/29, (g) 9/10 - 3/10."""
    for number, of, other, others, low, high in (
        (56, 70, 48, 80, 0.0524, 0.3339),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (9, 10, 3, 10, 0.1705, 0.8090),
    ):
        found = statistics.shares(Share(other, others), Share(number, of))
        assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@settings(deadline=None)
@given(SHARES, SHARES)
def test_shares_the_other_way_round_are_the_same_difference(one, other):
    there, back = statistics.shares(one, other), statistics.shares(other, one)

    assert there.effect == pytest.approx(-back.effect)
    assert there.low == pytest.approx(-back.high)
    assert there.p == pytest.approx(back.p, rel=1e-3)
    assert -1 <= there.low <= there.effect + 1e-9
    assert there.effect - 1e-9 <= there.high <= 1


def test_many_runs_are_compared_quickly_and_alike():
    few, many = (statistics.shares(Share(n // 10, n), Share(n // 5, n)).p for n in (200, 201))

    assert many == pytest.approx(few, rel=0.3)


@settings(deadline=None)
@given(TIMES, TIMES)
def test_means_the_other_way_round_are_the_same_difference(one, other):
    try:
        there, back = statistics.means(one, other, paired=False), statistics.means(other, one, paired=False)
    except statistics.NoSpreadError:
        return
    assert there.effect == pytest.approx(-back.effect)
    assert there.low == pytest.approx(-back.high)
    assert there.p == pytest.approx(back.p)
    assert there.low <= there.effect <= there.high


def test_pairs_find_what_the_spread_between_seeds_hides():
    base = [10.0, 20.0, 30.0, 40.0, 50.0]
    candidate = [value + 1 + 0.1 * (number % 2) for number, value in enumerate(base)]

    assert statistics.means(base, candidate, paired=True).p < 0.001
    assert statistics.means(base, candidate, paired=False).p > 0.9


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("other", [1.0, 2.0])
def test_runs_without_any_spread_tell_nothing(paired, other):
    with pytest.raises(statistics.NoSpreadError):
        statistics.means([1.0] * 5, [other] * 5, paired=paired)


def test_instances_that_fail_together_are_not_taken_for_independent():
    """40 of 4,000 on each side of which one has them all in one run."""
    spread = [Share(4, 400)] * 10
    together = [Share(40, 400)] + [Share(0, 400)] * 9

    low, high = statistics.clustered_interval(spread)
    low_together, high_together = statistics.clustered_interval(together)

    assert (low, high) == (pytest.approx(0.0074, abs=1e-4), pytest.approx(0.0136, abs=1e-4))
    assert high_together - low_together > 5 * (high - low)
    assert statistics.clustered_shares(spread, together).p > 0.5


def test_one_bad_run_of_many_instances_is_one_bad_run():
    base, candidate = [Share(0, 300)] * 10, [Share(250, 300)] + [Share(0, 300)] * 9

    assert statistics.clustered_shares(base, candidate).p > 0.5
    assert statistics.shares(Share(0, 3000), Share(250, 3000)).p < 1e-9


def test_no_violated_instance_at_all_tells_no_more_than_as_many_runs():
    none = [Share(0, 300)] * 10

    found = statistics.clustered_shares(none, none)

    assert found.p == 1
    assert (found.low, found.high) == (pytest.approx(-0.2775, abs=1e-4), pytest.approx(0.2775, abs=1e-4))


def test_the_runs_that_are_said_to_be_enough_are():
    """Of 200 comparisons with that many runs, nine of ten find the difference."""
    dice = random.Random(7)
    spread, difference = 0.1, 0.05
    pilot = [[dice.gauss(0, spread) for _ in range(400)] for _ in range(2)]
    runs = statistics.runs_for_means(*pilot, difference, paired=False)

    found = 0
    for _ in range(200):
        base = [dice.gauss(0, spread) for _ in range(runs)]
        candidate = [dice.gauss(difference, spread) for _ in range(runs)]
        found += statistics.means(base, candidate, paired=False).p <= statistics.LEVEL

    assert 0.84 <= found / 200 <= 0.96


def test_many_p_values_are_adjusted_together():
    assert statistics.adjusted([0.01, 0.04, 0.03, 0.2]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.2])
    assert statistics.adjusted([]) == []
