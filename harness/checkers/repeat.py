"""
The same scenario with several seeds: how many runs hold, how certain this is, and how long the recovery from faults
took.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import Exit
from harness.model import FaultFinding, Result, Verdict
from harness.names import role

_CONFIDENCE = 0.95
WORST_FIRST = (
    Exit.INTERRUPTED,
    Exit.VIOLATED,
    Exit.SOFTWARE,
    Exit.USAGE,
    Exit.UNKNOWN,
    Exit.GATE_MISSED,
    Exit.HOLDS,
)
"""A violation is still a violation if another run failed."""


def worst(codes: Iterable[int]) -> Exit:
    """
    Return the exit code for several runs: the worst of their exit codes.
    """
    return min((Exit(code) for code in codes), key=WORST_FIRST.index)


def interval(held: int, runs: int) -> tuple[float, float]:
    """
    Return the 95 % confidence interval of the share of runs that hold, if `held` of `runs` (at least one) did.

    The method is that of E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927). Unlike the usual interval, it is also useful if all runs held, or if there are few runs (Brown, Cai and
    DasGupta 2001).
    """
    from scipy.stats import binomtest  # noqa: PLC0415 - half a second to load, and only several runs need it

    found = binomtest(held, runs).proportion_ci(_CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def summary(results: Iterable[Result | None]) -> str:
    """
    Return, for example, `8 of 10 runs hold (95 % interval: 49 % to 94 %); 1 cannot tell`. None stands for a run that
    failed.

    An UNKNOWN run is no evidence for or against the claim, so the interval is over the other runs.
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


@dataclass(frozen=True)
class Spread:
    """
    What one kind of fault on one role (or link between roles) did in several runs: how often it was felt, and for each
    time of FaultFinding the known values, in seconds, in ascending order.
    """

    fault: str
    role: str
    felt: int
    first_failure: tuple[float, ...]
    first_success: tuple[float, ...]
    recovery: tuple[float, ...]


def spreads(verdicts: Iterable[Verdict]) -> list[Spread]:
    """
    Return the faults of several runs that were felt, one Spread per kind and role, sorted by their names.
    """
    found: dict[tuple[str, str], list[FaultFinding]] = defaultdict(list)
    for verdict in verdicts:
        for fault in verdict.faults:
            if fault.felt_after is not None:
                found[fault.fault, role(fault.node)].append(fault)
    return [
        Spread(
            fault=kind,
            role=of,
            felt=len(faults),
            first_failure=_told(fault.first_failure for fault in faults),
            first_success=_told(fault.first_success for fault in faults),
            recovery=_told(fault.recovery for fault in faults),
        )
        for (kind, of), faults in sorted(found.items())
    ]


def _told(seconds: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(sorted(each for each in seconds if each is not None))
