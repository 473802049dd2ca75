"""
A series of runs at growing rates: which rate comes next, when it ends, and what all of them show.

Rates grow by a factor until the system does not keep up. Then some more lie between the last rate at which it did and
the first at which it did not, each in their geometric middle. Nothing is run beyond the first rate that is too high.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.capacity import knee, measure
from harness.capacity.result import INTERRUPTED, Curve, Knee, RateStep
from harness.errors import UsageError
from harness.model import Plan, Result, Scenario, Verdict
from harness.rundir import RunDir

_CLOSE = 1.05
"""Two rates of which one is at most so many times the other are near enough: the noise of runs is larger."""
_LEAST_FACTOR = 1.1
_HIGHEST = 2000.0
"""Starts per second: the highest rate of a load (`harness.model.load.Rate`)."""


@dataclass(frozen=True)
class Rates:
    """
    The rates that a series may try, in starts per second: from `first`, each `factor` times the one before, to `last`,
    and then `refine` more around the knee; at most `most` in total.
    """

    first: float
    last: float
    factor: float
    refine: int
    most: int

    def refuse_unusable(self) -> None:
        """
        Raise UsageError if no series can be made of it.
        """
        if not 0 < self.first <= self.last <= _HIGHEST:
            raise UsageError(
                f"--from {self.first:g} --to {self.last:g}: expected rates above 0, up to {_HIGHEST:g} starts/s, and "
                "--from not above --to"
            )
        if not self.factor >= _LEAST_FACTOR or math.isinf(self.factor):
            raise UsageError(f"--step {self.factor:g}: expected a factor of at least {_LEAST_FACTOR:g}, like 2")


def without_faults(scenario: Scenario) -> tuple[str, ...]:
    """
    Return the settings (`path=value`) that take away a scenario's faults, and the spare replicas that only they start.
    """
    nemesis = () if scenario.nemesis is None else ("nemesis=",)
    return ("faults=[]", *nemesis, *(("topology.spare=0",) if scenario.topology.spare else ()))


def settings(scenario: Scenario) -> tuple[str, ...]:
    """
    Return the settings of each run of a series: a rate that does not change, and the least of what a run must contain,
    since the scenario's own minimum is for its own rate. Raises UsageError if the scenario expects a violation.
    """
    if scenario.expect is not None:
        raise UsageError(
            f"scenario {scenario.name} expects a violation (`expect`), and no rate at which that happens is a capacity"
        )
    shape = ("load.shape=",) if scenario.load.shape is not None else ()
    return (*shape, f"checks.minimum={{in_flight: {scenario.checks.minimum.in_flight}}}")


def step_of(rate: float, plan: Plan, folder: RunDir, verdict: Verdict, code: int, took: float) -> RateStep:
    """
    Return what a judged run shows. `code` is its exit code, `took` is in seconds. Raises EvidenceError if its evidence
    cannot be read.
    """
    measured = measure.read(folder, plan)
    return RateStep(
        rate=rate,
        run=folder.name,
        took=round(took, 1),
        result=verdict.result,
        code=code,
        violated=tuple(found.name for found in verdict.findings if found.result is Result.VIOLATED),
        reasons=verdict.reasons,
        measured=measured,
        saturated=measure.saturated(measured),
    )


def has_faults(plan: Plan) -> bool:
    """
    Return whether the scenario of a plan makes faults.
    """
    return bool(plan.scenario.faults) or plan.scenario.nemesis is not None


def following(curve: Curve, rates: Rates) -> float | str:
    """
    Return the next rate of a curve; or in words why there is none.
    """
    if not curve.steps:
        return rates.first
    if len(curve.steps) >= rates.most:
        return f"the {rates.most} runs that are allowed (--runs) were made"
    low, high = _bounds(curve.steps)
    if high is None:
        return _higher(curve, rates)
    if low is None:
        return _rounded(high / rates.factor)
    return _between(curve, rates, low, high)


def _higher(curve: Curve, rates: Rates) -> float | str:
    top = max(step.rate for step in curve.steps)
    if top >= rates.last:
        return f"{top:g} starts/s is the highest rate that was asked for (--to)"
    return min(_rounded(top * rates.factor), rates.last)


def _between(curve: Curve, rates: Rates, low: float, high: float) -> float | str:
    if sum(None not in _bounds(curve.steps[:number]) for number in range(len(curve.steps))) >= rates.refine:
        return f"the rates around the knee were refined {rates.refine} times (--refine)"
    between = _rounded(math.sqrt(low * high))
    if high / low <= _CLOSE**2 or not low < between < high:
        return f"{low:g} and {high:g} starts/s are as near to each other as runs can tell apart"
    return between


def with_step(curve: Curve, step: RateStep) -> Curve:
    """
    Return the curve with one more run, and what all of its runs show.
    """
    steps = (*curve.steps, step)
    grown = curve.model_copy(update={"steps": steps})
    low, high = _bounds(steps)
    first = next((each for each in in_order(grown) if each.rate == high), None)
    return grown.model_copy(
        update={
            "knee": _knee(grown),
            "kept_up": low,
            "saturated": high,
            "exhausted": "" if first is None else measure.exhausted(first.measured),
        }
    )


def in_order(curve: Curve) -> list[RateStep]:
    """
    Return the runs of a curve by their rates.
    """
    return sorted(curve.steps, key=lambda step: step.rate)


def go(curve: Curve, rates: Rates, run: Callable[[float], RateStep | None]) -> Iterator[Curve]:
    """
    Run one rate after the other. After each, return the curve so far; after the last, also why it was the last. `run`
    makes the run at a rate, and returns None if the user interrupted it: it is then the last, and does not count.
    """
    while not isinstance(rate := following(curve, rates), str):
        step = run(rate)
        if step is None:
            yield curve.model_copy(update={"ended": INTERRUPTED})
            return
        curve = with_step(curve, step)
        yield curve
    yield curve.model_copy(update={"ended": rate})


def _bounds(steps: Sequence[RateStep]) -> tuple[float | None, float | None]:
    """
    Return the highest rate below all that were too high, and the lowest that was too high; None where there is none.
    """
    high = min((step.rate for step in steps if step.saturated), default=None)
    low = max((step.rate for step in steps if high is None or step.rate < high), default=None)
    return low, high


def _knee(curve: Curve) -> Knee | None:
    known = [
        (step.measured.offered, step.measured.throughput, step.rate)
        for step in in_order(curve)
        if step.measured.offered is not None and step.measured.throughput is not None
    ]
    known.sort()
    at = knee.knee([(offered, throughput) for offered, throughput, _ in known])
    return None if at is None else Knee(rate=known[at][2], throughput=known[at][1])


def _rounded(rate: float) -> float:
    """
    Return a rate with three digits, which a person can type.
    """
    return float(f"{rate:.3g}")
