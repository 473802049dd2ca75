"""
The statistics of a comparison: each effect with a 95 % confidence interval and the p-value of a two-sided test.

Everything that SciPy has is SciPy's. The unit is always the run, because what happens within one run belongs together.

- Means of two sets of runs: the t test of B. L. Welch, "The generalization of 'Student's' problem when several
  different population variances are involved" (Biometrika 34, 1947); of pairs of runs with the same seed: Student's
  paired t test. Ratios are compared by their logarithms, so the means are geometric (P. J. Fleming and J. J. Wallace,
  "How not to lie with statistics", CACM 29, 1986).
- Shares of runs: the exact test of R. D. Boschloo ("Raised conditional level of significance for the 2x2-table when
  testing the equality of two probabilities", Statistica Neerlandica 24, 1970); the interval of the difference is method
  10 of R. G. Newcombe, "Interval estimation for the difference between independent proportions" (Statistics in Medicine
  17, 1998), made of two intervals of E. B. Wilson (JASA 22, 1927).
- Shares of instances: instances of a run fail together, so they are no independent trials. The test permutes whole runs
  (R. A. Fisher, "The Design of Experiments", 1935). The interval is Newcombe's, of counts divided by the design effect
  (J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered binary data", Biometrics 48, 1992).
- Many comparisons: the p-values are adjusted by Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate"
  (JRSS B 57, 1995).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
LEVEL = 0.01
"""
Of the differences that are named, at most this share is expected to be false. Of sets that are equal in everything, at
most this share is told to differ.
"""
POWER = 0.9
LEAST_RUNS = 3
"""Fewer runs on a side do not tell how much runs differ among themselves."""

WELCH = "Welch's t test"
PAIRED = "paired t test"
BOSCHLOO = "Boschloo's or Fisher's exact test, Newcombe's interval"
PERMUTATION = "permutation of whole runs, Newcombe's interval with the design effect of Rao and Scott"

_MANY = 400
_PERMUTATIONS = 9_999
_SEED = 1
_Z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))


class NoSpreadError(Exception):
    """
    The runs of each side are all alike, so nothing tells by how much runs differ by chance.
    """


@dataclass(frozen=True)
class Estimate:
    """
    The difference between candidate and base, with its interval, and the p-value of no difference.
    """

    effect: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Share:
    """
    So many of so many. The numbers are no integers if they were divided by a design effect.
    """

    number: float
    of: float

    @property
    def value(self) -> float:
        """
        The share, from 0 to 1.
        """
        return self.number / self.of

    def divided(self, effect: float) -> Share:
        """
        Return the same share of as many independent trials as tell as much, for a design effect.
        """
        return Share(self.number / effect, self.of / effect)

    def interval(self) -> tuple[float, float]:
        """
        Return Wilson's 95 % interval.
        """
        middle = (self.number + _Z**2 / 2) / (self.of + _Z**2)
        half = _Z * math.sqrt(self.value * (1 - self.value) * self.of + _Z**2 / 4) / (self.of + _Z**2)
        return max(0.0, middle - half), min(1.0, middle + half)


def mean(values: Sequence[float]) -> tuple[float, float, float]:
    """
    Return the mean of at least one value, and its 95 % interval by Student's t; infinite for a single value.
    """
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return values[0], -math.inf, math.inf
    middle, error = float(np.mean(values)), float(stats.sem(values))
    half = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return middle, middle - half, middle + half


def means(base: Sequence[float], candidate: Sequence[float], *, paired: bool) -> Estimate:
    """
    Compare the means of at least two values on each side. If `paired`, values at the same place belong together.

    Raises NoSpreadError if the values of each side, or the differences of all pairs, are equal.
    """
    first, second = np.asarray(base), np.asarray(candidate)
    spread = np.ptp(second - first) if paired else max(np.ptp(first), np.ptp(second))
    if spread <= 1e-12 * max(1.0, float(np.abs(first).max()), float(np.abs(second).max())):
        raise NoSpreadError
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy warns if one side is constant, which does no harm
        found = stats.ttest_rel(second, first) if paired else stats.ttest_ind(second, first, equal_var=False)
    interval = found.confidence_interval(CONFIDENCE)
    return Estimate(float(second.mean() - first.mean()), float(interval.low), float(interval.high), float(found.pvalue))


def shares(base: Share, candidate: Share) -> Estimate:
    """
    Compare two shares of independent trials. Of many trials the test is R. A. Fisher's: Boschloo's takes minutes and is
    then hardly more powerful.
    """
    table = [[candidate.number, base.number], [candidate.of - candidate.number, base.of - base.number]]
    test = stats.boschloo_exact if base.of + candidate.of <= _MANY else stats.fisher_exact
    # With an empty row both shares are 0, or both are 1, and nothing speaks against their being equal.
    p = float(test(table).pvalue) if all(map(any, table)) else 1.0
    return Estimate(candidate.value - base.value, *_newcombe(base, candidate), min(1.0, p))


def clustered_shares(base: Sequence[Share], candidate: Sequence[Share]) -> Estimate:
    """
    Compare two shares of instances. Each run is one cluster: so many of its instances.
    """
    effect = _design_effect(base, candidate)
    low, high = _newcombe(pooled(base).divided(effect), pooled(candidate).divided(effect))
    return Estimate(pooled(candidate).value - pooled(base).value, low, high, _permuted(base, candidate))


def pooled(runs: Sequence[Share]) -> Share:
    """
    Return the share in all runs together.
    """
    return Share(sum(run.number for run in runs), sum(run.of for run in runs))


def clustered_interval(runs: Sequence[Share]) -> tuple[float, float]:
    """
    Return the 95 % interval of the share in all runs together: Wilson's, of counts divided by the design effect.
    """
    return pooled(runs).divided(_design_effect(runs)).interval()


def adjusted(p_values: Sequence[float]) -> list[float]:
    """
    Return the p-values, adjusted by Benjamini and Hochberg for all the comparisons that are made together.
    """
    return [float(p) for p in stats.false_discovery_control(p_values)] if p_values else []


def runs_for_means(base: Sequence[float], candidate: Sequence[float], difference: float, *, paired: bool) -> int:
    """
    Return about how many runs a side would find this difference of means, with a probability of POWER at LEVEL.

    It is the usual approximation by the normal distribution (J. Cohen, "Statistical Power Analysis for the Behavioral
    Sciences", 1988), with the spread of the runs that there are.
    """
    if paired:
        variance = float(np.var(np.asarray(candidate) - np.asarray(base), ddof=1))
    else:
        variance = float(np.var(base, ddof=1) + np.var(candidate, ddof=1))
    return max(LEAST_RUNS, math.ceil(variance * _quantiles() / difference**2))


def runs_for_shares(base: float, difference: float) -> int:
    """
    Return about how many runs a side would find that a share grew from `base` by `difference` (or fell, if it cannot
    grow as much).
    """
    other = base + difference if base + difference <= 1 else base - difference
    variance = base * (1 - base) + other * (1 - other)
    return max(LEAST_RUNS, math.ceil(variance * _quantiles() / difference**2))


def _quantiles() -> float:
    return float(stats.norm.ppf(1 - LEVEL / 2) + stats.norm.ppf(POWER)) ** 2


def _newcombe(base: Share, candidate: Share) -> tuple[float, float]:
    (base_low, base_high), (low, high) = base.interval(), candidate.interval()
    difference = candidate.value - base.value
    return (
        difference - math.hypot(candidate.value - low, base_high - base.value),
        difference + math.hypot(high - candidate.value, base.value - base_low),
    )


def _design_effect(*sides: Sequence[Share]) -> float:
    """
    Return by how much the variance of a share is larger than that of independent trials: the largest of the sides', and
    at least 1.

    If no instance differs from the others, on no side, there is nothing to estimate it from. Then all instances of a
    run are taken for one trial, which is the worst that can be.
    """
    effects = []
    for runs in sides:
        total = pooled(runs)
        if len(runs) > 1 and 0 < total.number < total.of:
            residuals = sum((run.number - run.of * total.value) ** 2 for run in runs)
            variance = len(runs) / (len(runs) - 1) * residuals / total.of**2
            effects.append(variance * total.of / (total.value * (1 - total.value)))
    worst = max(pooled(runs).of / len(runs) for runs in sides)
    return max(1.0, *effects) if effects else worst


def _permuted(base: Sequence[Share], candidate: Sequence[Share]) -> float:
    """
    Return the p-value of the difference of the mean shares of runs, over all or many assignments of runs to sides.
    """
    first, second = ([run.value for run in runs] for runs in (base, candidate))
    if len({*first, *second}) == 1:
        return 1.0

    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> Any:
        return np.mean(y, axis=axis) - np.mean(x, axis=axis)

    found = stats.permutation_test(
        (first, second),
        difference,
        vectorized=True,
        n_resamples=_PERMUTATIONS,
        batch=10_000,
        rng=np.random.default_rng(_SEED),
    )
    return float(found.pvalue)
