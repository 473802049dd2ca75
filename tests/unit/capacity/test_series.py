"""A series of runs at growing rates, on a system whose capacity is known."""

import pytest

from harness.capacity import series
from harness.capacity.result import Capacity, Curve, Measured
from harness.capacity.series import Rates
from harness.errors import UsageError
from harness.model import Expectation
from harness.model.load import Ramp, Shape
from harness.planning import scenario
from harness.planning.request import Request
from tests.builders import capacity as builder

RATES = Rates(first=5, last=200, factor=2, refine=2, most=8)


def run_all(capacity, rates=RATES, curve=None):
    made = []

    def run(rate):
        made.append(rate)
        return builder.step(rate, capacity=capacity)

    *_, end = series.go(curve or Curve(faults=False), rates, run)
    return made, end


def test_rates_grow_until_it_does_not_keep_up_and_then_lie_around_the_knee():
    made, end = run_all(50)
    assert made == [5, 10, 20, 40, 80, 56.6, 47.6]
    assert (end.kept_up, end.saturated) == (47.6, 56.6)
    assert (end.knee.rate, end.knee.throughput) == (47.6, 47.6)
    assert end.ended == "the rates around the knee were refined 2 times (--refine)"
    assert end.exhausted.startswith("nothing was full")


def test_nothing_is_run_above_the_highest_rate_and_the_last_is_that_rate():
    made, end = run_all(10_000, Rates(5, 30, 2, 2, 8))
    assert made == [5, 10, 20, 30]
    assert end.ended == "30 starts/s is the highest rate that was asked for (--to)"
    assert (end.knee, end.saturated, end.kept_up, end.exhausted) == (None, None, 30, "")


def test_a_first_rate_that_is_too_high_is_followed_by_lower_ones():
    made, end = run_all(7, Rates(40, 200, 2, 1, 8))
    assert made == [40, 20, 10, 5, 7.07]
    assert (end.kept_up, end.saturated) == (7.07, 10)


def test_no_more_runs_are_made_than_allowed():
    made, end = run_all(50, Rates(5, 200, 1.1, 2, 4))
    assert len(made) == 4
    assert end.ended == "the 4 runs that are allowed (--runs) were made"


def test_rates_that_no_run_can_tell_apart_are_not_refined():
    made, end = run_all(50, Rates(47, 200, 1.1, 5, 20))
    assert made == [47, 51.7, 56.9]
    assert end.ended == "51.7 and 56.9 starts/s are as near to each other as runs can tell apart"


def test_after_an_interruption_nothing_more_is_run_and_the_run_under_way_does_not_count():
    asked = []

    def run(rate):
        asked.append(rate)
        return None if len(asked) == 3 else builder.step(rate, capacity=50)

    *_, end = series.go(Curve(faults=False), RATES, run)

    assert len(asked) == 3
    assert [step.rate for step in end.steps] == [5, 10]
    assert builder.capacity(end).with_curve(0, end).exit_code == 130


def test_a_run_of_which_nothing_was_measured_is_no_point_of_the_curve():
    nothing = Measured(
        offered=None, throughput=None, behind=None, end=None, unanswered=None, late=None, used=(), machine=None
    )
    curve = series.with_step(Curve(faults=False), builder.step(5, measured=nothing))
    assert (curve.knee, curve.kept_up) == (None, 5)


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ({}, 0),
        ({80: 1}, 1),
        ({5: 1, 10: 2}, 1),
        ({10: 2}, 2),
        ({80: 2}, 0),
        ({10: 3}, 0),
    ],
    ids=["all hold", "violated beyond the knee", "both", "unknown below it", "unknown beyond it", "level missed"],
)
def test_a_violated_run_counts_at_every_rate_and_an_unknown_one_only_where_it_kept_up(codes, code):
    curve = Curve(faults=False)
    for rate in (5, 10, 20, 40, 80):
        curve = series.with_step(curve, builder.step(rate, capacity=50, code=codes.get(rate, 0)))
    assert builder.capacity(curve).exit_code == code


def test_a_curve_without_a_knee_is_no_answer():
    curve = series.with_step(Curve(faults=False), builder.step(5, capacity=50))
    assert builder.capacity(curve).exit_code == 2


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        (Rates(0, 200, 2, 2, 8), "--from 0 --to 200: expected rates above 0"),
        (Rates(50, 10, 2, 2, 8), "--from 50 --to 10"),
        (Rates(5, 2001, 2, 2, 8), "up to 2000 starts/s"),
        (Rates(5, float("nan"), 2, 2, 8), "--to nan"),
        (Rates(5, 200, 1, 2, 8), "--step 1: expected a factor of at least 1.1"),
        (Rates(5, 200, float("nan"), 2, 8), "--step nan"),
        (Rates(5, 200, float("inf"), 2, 8), "--step inf"),
    ],
)
def test_rates_of_which_no_series_can_be_made_are_refused(rates, told):
    with pytest.raises(UsageError, match=told):
        rates.refuse_unusable()


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_can_be_run_at_another_rate_without_its_faults_unless_it_expects_a_violation(name):
    read = Request(name).plan(1).scenario
    if read.expect is not None:
        with pytest.raises(UsageError, match="expects a violation"):
            series.settings(read)
        return
    settings = (*series.settings(read), *series.without_faults(read))
    made = Request(name, settings=settings, rate=3.5).plan(1)
    assert (made.steps, made.scenario.load.rate, made.scenario.load.shape) == ((), 3.5, None)
    assert made.scenario.checks.minimum.instances == 1
    assert made.scenario.checks.minimum.in_flight == read.checks.minimum.in_flight
    assert not series.has_faults(made)


def test_a_shape_gives_way_to_the_rate():
    read = Request("baseline").plan(1).scenario
    shaped = read.model_copy(update={"load": read.load.model_copy(update={"shape": Shape(ramp=Ramp(to=9))})})
    assert series.settings(shaped)[0] == "load.shape="
    expecting = read.model_copy(update={"expect": Expectation(violated=("lost",), upstream="dapr/dapr#10394")})
    with pytest.raises(UsageError, match="expects a violation"):
        series.settings(expecting)


def test_curves_are_kept_apart():
    one = Capacity(**builder.capacity(Curve(faults=False)).model_dump() | {"curves": (Curve(faults=False),) * 2})
    grown = one.with_curve(1, Curve(faults=True, ended="done"))
    assert [curve.ended for curve in grown.curves] == ["", "done"]
    assert not grown.interrupted
