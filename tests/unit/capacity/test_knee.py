"""Kneedle, on literal points."""

import random

import pytest

from harness.capacity.knee import knee


def curve(rates, capacity):
    return [(float(rate), float(min(rate, capacity))) for rate in rates]


@pytest.mark.parametrize("rates", [(5, 10, 20, 40, 80), (5, 10, 20, 40, 50, 56, 80), (10, 40, 160)])
def test_where_a_curve_bends_is_its_knee(rates):
    capacity = 40
    assert rates[knee(curve(rates, capacity))] == capacity


def test_the_example_of_the_paper():
    """Y = -1 / x + 5 over (0, 1]: Satopää et al. 2011, figure 2, has its knee near x = 0.22."""
    xs = [0.1 * number for number in range(1, 11)]
    assert xs[knee([(x, -1 / x + 5) for x in xs])] == pytest.approx(0.3)


def test_a_curve_that_falls_behind_its_top_has_its_knee_before():
    assert knee([(10, 10), (20, 20), (40, 39), (80, 30), (160, 20)]) == 2


def test_of_several_knees_the_one_that_stands_out_most_is_taken():
    points = [(0, 0), (10, 12), (20, 13), (40, 60), (60, 61), (100, 62)]
    assert knee(points) == 3


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(1, 1), (2, 2)],
        [(1, 1), (2, 2), (4, 4), (8, 8)],
        [(1, 5), (2, 5), (4, 5)],
        [(3, 1), (3, 2), (3, 3)],
        [(1, 1), (2, 2), (4, 4.1), (8, 7.9)],  # noise
        [(1, 1), (2, 1), (4, 2), (8, 8)],  # convex
    ],
)
def test_what_has_no_bend_has_no_knee(points):
    assert knee(points) is None


def test_a_bend_counts_only_if_the_curve_falls_far_enough_behind_it():
    points = curve((10, 20, 40, 50), 44)
    assert knee(points) is None
    assert knee(points, sensitivity=0.1) == 2


def test_noise_of_a_twentieth_moves_the_knee_by_no_more_than_one_rate():
    dice = random.Random(1)
    rates = (5, 10, 20, 40, 45, 57, 80)
    for _ in range(200):
        at = knee([(x, y * dice.uniform(0.95, 1.05)) for x, y in curve(rates, 50)])
        assert rates[at] in (40, 45, 57)
