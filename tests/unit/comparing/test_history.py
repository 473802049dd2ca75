"""Runs over time: which belong together, and where they changed."""

import random

import numpy as np
import pytest

from harness.comparing import sets
from harness.comparing.changes import changes
from harness.comparing.figures import Latency
from harness.comparing.history import history
from harness.model import Result
from tests.builders import runs, shop


def trend(track, name):
    return next(each for each in track.trends if each.name == name)


@pytest.mark.parametrize("length", [12, 20, 50, 100])
def test_of_series_without_a_change_few_have_one(length):
    dice = np.random.default_rng(18)

    assert sum(bool(changes(dice.normal(size=length))) for _ in range(200)) <= 4


@pytest.mark.parametrize("length", [20, 50])
def test_a_change_by_three_standard_deviations_is_found_where_it_is(length):
    dice = np.random.default_rng(18)
    found = 0
    for _ in range(100):
        series = dice.normal(size=length)
        series[length // 2 :] -= 3
        found += any(abs(change - length // 2) <= 1 for change in changes(series))

    assert found >= 90


@pytest.mark.parametrize("series", [[], [1.0] * 9, [1.0] * 50, [1.0, 9.0] * 4, [*[1.0] * 9, 50.0, *[1.0] * 10]])
def test_too_few_or_equal_values_and_one_odd_run_are_no_change(series):
    assert changes(series) == []


def test_a_track_tells_since_which_run_a_measure_is_another():
    dice = random.Random(1)
    before = [runs.chance(seed, dice) for seed in range(12)]
    late = Latency(median=0.4, p99=2.0)
    after = [runs.chance(seed, dice, start=late, dapr_version="1.19.0") for seed in range(12, 24)]

    (track,) = history(runs.found([*before, *after])).tracks

    (step,) = trend(track, "start_median").steps
    assert track.points[step.first].run == "run-12"
    assert (step.after, step.is_better) == (pytest.approx(0.4), False)
    assert trend(track, "throughput").steps == []
    assert [(each.dapr_version, each.runs) for each in track.releases] == [("1.18.2", 12), ("1.19.0", 12)]


def test_a_track_counts_violated_runs_with_their_interval_and_leaves_out_what_cannot_tell():
    told = [runs.figures(seed, result=Result.VIOLATED if seed < 3 else Result.HOLDS) for seed in range(10)]

    (track,) = history(runs.found([*told, runs.figures(10, result=Result.UNKNOWN)])).tracks

    (release,) = track.releases
    assert (release.violated, release.runs) == (3, 10)
    assert (release.low, release.high) == (pytest.approx(0.1078, abs=1e-4), pytest.approx(0.6032, abs=1e-4))
    assert track.left_out == ("run-10",)
    assert len(track.points) == 10


def test_runs_of_another_plan_or_with_a_defect_are_tracks_of_their_own():
    other = shop.plan()
    load = other.scenario.load.model_copy(update={"rate": 50.0})
    other = other.model_copy(update={"scenario": other.scenario.model_copy(update={"load": load})})
    usual = runs.found([runs.figures(1), runs.figures(2, dapr_version="1.17.0")]).runs
    faulty = runs.found([runs.figures(3, defect="double_ship")]).runs
    busy = runs.found([runs.figures(4)], plan=other).runs

    told = history(sets.Found((*faulty, *usual, *busy), ()))

    assert [(len(track.points), track.apart) for track in told.tracks] == [
        (2, ()),
        (1, ("planted defect none and double_ship",)),
        (1, ("load.rate 15.0 and 50.0",)),
    ]


def test_a_run_that_does_not_tell_a_measure_is_a_gap():
    told = [runs.figures(seed, throughput=None if seed == 2 else 10.0 + seed % 2) for seed in range(4)]

    (track,) = history(runs.found(told)).tracks

    assert trend(track, "throughput").values == (10.0, 11.0, None, 11.0)
    (segment,) = trend(track, "throughput").segments
    assert (segment.first, segment.end) == (0, 4)
