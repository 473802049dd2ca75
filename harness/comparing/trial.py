"""
One measure on two sets of runs: its difference, how certain that is, and what became of it.

A difference is named if its p-value, adjusted for all comparisons that are made together, is at most LEVEL. `no
difference` is said only if the whole 95 % interval lies within the measure's margin (D. J. Schuirmann, "A comparison of
the two one-sided tests procedure and the power approach", Journal of Pharmacokinetics and Biopharmaceutics 15, 1987).
If neither is so, the runs were not enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.comparing import statistics
from harness.comparing.figures import Figures
from harness.comparing.measures import VIOLATED_INSTANCES, Measure, Scale
from harness.comparing.result import Change, Measured, Side
from harness.comparing.statistics import LEAST_RUNS, LEVEL, NoSpreadError, Share


def of_shares(measure: Measure, base: Sequence[Figures], candidate: Sequence[Figures]) -> Measured:
    """
    Compare a share, before the adjustment for many comparisons.
    """
    clustered = measure is VIOLATED_INSTANCES
    trials = [
        [
            Share(value * weight, weight)
            for run in runs
            if (value := measure.of(run)) is not None and (weight := run.instances if clustered else 1)
        ]
        for runs in (base, candidate)
    ]
    sides = [_share_of(each, clustered=clustered) for each in trials]
    told = _told(measure, measure.scale, measure.margin, sides, (base, candidate))
    if min(map(len, trials)) < LEAST_RUNS:
        return told
    totals = [statistics.pooled(each) for each in trials]
    estimate = statistics.clustered_shares(*trials) if clustered else statistics.shares(*totals)
    return told.model_copy(
        update={
            "effect": estimate.effect,
            "low": estimate.low,
            "high": estimate.high,
            "p": estimate.p,
            "method": statistics.PERMUTATION if clustered else statistics.BOSCHLOO,
            "needed": None if clustered else statistics.runs_for_shares(totals[0].value, measure.margin),
        }
    )


def of_means(measure: Measure, base: Sequence[Figures], candidate: Sequence[Figures], *, paired: bool) -> Measured:
    """
    Compare a mean, before the adjustment for many comparisons.

    A ratio that cannot be told, because a value is 0, becomes a difference, with the margin as a part of the base.
    """
    values = _values(measure, base, candidate, paired=paired)
    ratio = measure.scale is Scale.RATIO and min((*values[0], *values[1]), default=1.0) > 0
    used = [[math.log(value) for value in side] if ratio else side for side in values]
    margin = measure.margin
    if measure.scale is Scale.RATIO and not ratio:
        margin *= statistics.mean(values[0])[0] if values[0] else 0.0
    told = _told(
        measure,
        Scale.RATIO if ratio else Scale.DIFFERENCE,
        margin,
        [_mean_of(each, of, ratio=ratio) for each, of in zip(values, used, strict=True)],
        (base, candidate),
    )
    if min(map(len, values)) < LEAST_RUNS:
        return told
    try:
        estimate = statistics.means(used[0], used[1], paired=paired)
    except NoSpreadError:
        return _alike(told, limited=measure.is_limited)
    smallest = math.log1p(margin) if ratio else margin
    back = math.expm1 if ratio else float
    return told.model_copy(
        update={
            "effect": back(estimate.effect),
            "low": back(estimate.low),
            "high": back(estimate.high),
            "p": estimate.p,
            "method": statistics.PAIRED if paired else statistics.WELCH,
            "needed": statistics.runs_for_means(used[0], used[1], smallest, paired=paired) if smallest else None,
        }
    )


def concluded(told: Measured, adjusted_p: float | None) -> Measured:
    """
    Return the measure with its change. Without a p-value it stays as it is.
    """
    if adjusted_p is None or told.effect is None or told.low is None or told.high is None:
        return told
    change = Change.NOT_ENOUGH
    if -told.margin <= told.low and told.high <= told.margin:
        change = Change.NO_DIFFERENCE
    elif adjusted_p <= LEVEL:
        change = Change.BETTER if (told.effect > 0) is told.more_is_better else Change.WORSE
    return told.model_copy(update={"change": change, "adjusted_p": adjusted_p})


def _values(
    measure: Measure, base: Sequence[Figures], candidate: Sequence[Figures], *, paired: bool
) -> tuple[list[float], list[float]]:
    """
    Return the values of both sides; if `paired`, seed by seed, and only of seeds that both sides tell of.
    """
    first, second = (
        [(run.seed, value) for run in runs if (value := measure.of(run)) is not None] for runs in (base, candidate)
    )
    if paired:
        others = dict(second)
        first = [(seed, value) for seed, value in first if seed in others]
        second = [(seed, others[seed]) for seed, _ in first]
    return [value for _, value in first], [value for _, value in second]


def _told(
    measure: Measure,
    scale: Scale,
    margin: float,
    sides: Sequence[Side],
    runs: tuple[Sequence[Figures], Sequence[Figures]],
) -> Measured:
    """
    Return a measure that nothing is told of yet but its values, and what they lack.
    """
    base, candidate = sides
    notes = list(measure.notes)
    for name, of in zip(("base", "candidate"), runs, strict=True):
        if lacking := sum(measure.of(run) is None for run in of):
            notes.append(f"{lacking} of {len(of)} runs of the {name} do not tell it.")
    if min(len(base.values), len(candidate.values)) < LEAST_RUNS:
        notes.append(
            f"Of {len(base.values)} and {len(candidate.values)} runs: fewer than {LEAST_RUNS} on a side do not tell by "
            "how much runs differ by chance."
        )
    effect = None
    if base.mean is not None and candidate.mean is not None:
        effect = candidate.mean / base.mean - 1 if scale is Scale.RATIO else candidate.mean - base.mean
    return Measured(
        name=measure.name,
        title=measure.title,
        unit=measure.unit,
        scale=scale,
        more_is_better=measure.more_is_better,
        base=base,
        candidate=candidate,
        change=Change.NOT_ENOUGH,
        effect=effect,
        margin=margin,
        notes=tuple(notes),
    )


def _alike(told: Measured, *, limited: bool) -> Measured:
    """
    Return what became of a measure if the runs of each side are all alike.
    """
    same = set(told.base.values) == set(told.candidate.values)
    if same and not limited:
        note = "It is the same in every run."
        return told.model_copy(update={"change": Change.NO_DIFFERENCE, "notes": (*told.notes, note)})
    note = "The runs do not differ among themselves, so nothing tells what is chance."
    return told.model_copy(update={"notes": (*told.notes, note)})


def _share_of(trials: Sequence[Share], *, clustered: bool) -> Side:
    values = tuple(each.value for each in trials)
    if not trials:
        return Side(values=values)
    low, high = statistics.clustered_interval(trials) if clustered else statistics.pooled(trials).interval()
    return Side(values=values, mean=statistics.pooled(trials).value, low=low, high=high)


def _mean_of(values: Sequence[float], used: Sequence[float], *, ratio: bool) -> Side:
    """
    Return the mean of `used`, which are the values or their logarithms, on the scale of the values.
    """
    if not values:
        return Side(values=())
    middle, low, high = (math.exp(each) if ratio else each for each in statistics.mean(used))
    if not math.isfinite(high):
        return Side(values=tuple(values), mean=middle)
    return Side(values=tuple(values), mean=middle, low=low, high=high)
