"""
The same scenario under several seeds: how many hold, and how much that says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

from harness.errors import Exit
from harness.model import Result

_CONFIDENCE = 0.95
_WORST_FIRST = (Exit.INTERRUPTED, Exit.VIOLATED, Exit.SOFTWARE, Exit.UNKNOWN, Exit.GATE_MISSED, Exit.HOLDS)
"""A violation that was seen is not taken back by a run that failed beside it."""


def worst(codes: Iterable[int]) -> Exit:
    """
    The exit code of several runs: the worst of theirs.
    """
    return min((Exit(code) for code in codes), key=_WORST_FIRST.index)


def interval(held: int, runs: int) -> tuple[float, float]:
    """
    The 95 % confidence interval of the share of runs that hold, when `held` of `runs` (at least one) did.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927): unlike the
    usual one it says something where all runs held, or few were made (Brown, Cai and DasGupta 2001).
    """
    z = NormalDist().inv_cdf(0.5 + _CONFIDENCE / 2)
    share = held / runs
    scale = 1 + z * z / runs
    middle = (share + z * z / (2 * runs)) / scale
    half = z * math.sqrt(share * (1 - share) / runs + z * z / (4 * runs * runs)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def summary(results: Iterable[Result | None]) -> str:
    """
    `8 of 10 runs hold (95 % interval: 49 % to 94 %); 1 cannot tell`; None stands for a run that failed.

    Runs that could not tell are no evidence either way, so the interval is over those that could.
    """
    every = list(results)
    held, decided = every.count(Result.HOLDS), every.count(Result.HOLDS) + every.count(Result.VIOLATED)
    told = f"{held} of {decided} runs hold"
    if decided:
        low, high = interval(held, decided)
        told += f" (95 % interval: {100 * low:.0f} % to {100 * high:.0f} %)"
    for result, word in ((Result.UNKNOWN, "cannot tell"), (None, "failed")):
        if count := every.count(result):
            told += f"; {count} {word}"
    return told
