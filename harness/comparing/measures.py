"""
What is compared of runs: for each measure the values of the runs, how large a difference matters, and which way is
better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.comparing.figures import Figures, Recovery
from harness.model import Result

Of = Callable[[Figures], float | None]


class Scale(StrEnum):
    """
    How a difference is told: of two shares; candidate / base - 1; candidate - base.
    """

    SHARE = "share"
    RATIO = "ratio"
    DIFFERENCE = "difference"


class Unit(StrEnum):
    """
    In what a measure is told.
    """

    SHARE = "share"
    SECONDS = "seconds"
    PER_SECOND = "per second"
    COUNT = "count"


@dataclass(frozen=True)
class Measure:
    """
    One measure. A difference below `margin` does not matter: a part of the base for a ratio, else as it stands.

    `is_limited`: some times count only as far as they are known in all runs. `notes` are plain sentences about what the
    values rest on.
    """

    name: str
    title: str
    unit: Unit
    scale: Scale
    margin: float
    of: Of
    more_is_better: bool = False
    is_limited: bool = False
    notes: tuple[str, ...] = ()


VIOLATED_RUNS = Measure(
    "violated_runs",
    "violated runs",
    Unit.SHARE,
    Scale.SHARE,
    0.05,
    lambda run: float(run.result is Result.VIOLATED),
)
VIOLATED_INSTANCES = Measure(
    "violated_instances",
    "violated instances",
    Unit.SHARE,
    Scale.SHARE,
    0.005,
    lambda run: None if run.violated is None or not run.instances else min(1.0, run.violated / run.instances),
)
SHARES = (VIOLATED_RUNS, VIOLATED_INSTANCES)
_OF_ALL = (
    Measure(
        "throughput", "throughput", Unit.PER_SECOND, Scale.RATIO, 0.05, lambda run: run.throughput, more_is_better=True
    ),
    Measure(
        "accepted_starts",
        "accepted starts",
        Unit.SHARE,
        Scale.DIFFERENCE,
        0.01,
        lambda run: run.accepted,
        more_is_better=True,
    ),
    Measure(
        "start_median",
        "start latency, median",
        Unit.SECONDS,
        Scale.RATIO,
        0.1,
        lambda run: run.start.median if run.start else None,
    ),
    Measure(
        "start_p99",
        "start latency, p99",
        Unit.SECONDS,
        Scale.RATIO,
        0.2,
        lambda run: run.start.p99 if run.start else None,
    ),
    Measure(
        "completion_median",
        "completion latency, median",
        Unit.SECONDS,
        Scale.RATIO,
        0.1,
        lambda run: run.completion.median if run.completion else None,
    ),
    Measure(
        "completion_p99",
        "completion latency, p99",
        Unit.SECONDS,
        Scale.RATIO,
        0.2,
        lambda run: run.completion.p99 if run.completion else None,
    ),
    Measure(
        "repeated_attempts",
        "repeats per 100 instances",
        Unit.COUNT,
        Scale.DIFFERENCE,
        1.0,
        lambda run: 100 * run.repeated_attempts / run.instances if run.instances else None,
    ),
)


def means(*sides: Sequence[Figures]) -> tuple[Measure, ...]:
    """
    Return the measures of which runs have a mean: those of all runs, and the recovery from each kind of fault, and role
    that it hit, that these runs have.

    The recovery of a run is the mean over its faults of that kind. One that was not seen took longer than it was
    watched. So the times of a step of the plan count only up to the shortest of these: up to there all are known, on
    all sides alike (restricted mean; J. O. Irwin, "The standard error of an estimate of expectation of life", Journal
    of Hygiene 47, 1949).
    """
    kinds = sorted({(each.fault, each.role) for side in sides for run in side for each in run.recoveries})
    return (*_OF_ALL, *(_recovery(fault, role, sides) for fault, role in kinds))


def _recovery(fault: str, role: str, sides: Sequence[Sequence[Figures]]) -> Measure:
    def of_kind(runs: Sequence[Figures]) -> list[Recovery]:
        return [each for run in runs for each in run.recoveries if (each.fault, each.role) == (fault, role)]

    every = [each for side in sides for each in of_kind(side)]
    limits: dict[int, float] = {}
    for each in every:
        if each.seconds is None and each.watched is not None:
            limits[each.step] = min(each.watched, limits.get(each.step, each.watched))

    def value(run: Figures) -> float | None:
        known = ((each.step, each.watched if each.seconds is None else each.seconds) for each in of_kind([run]))
        times = [min(time, limits.get(step, time)) for step, time in known if time is not None]
        return sum(times) / len(times) if times else None

    notes = []
    if limits:
        seen = " and ".join(_seen(of_kind(side)) for side in sides)
        parts = ", ".join(f"step {step} up to {limit:.3g} s" for step, limit in sorted(limits.items()))
        notes.append(f"Recoveries seen: {seen}. Others were watched in vain, so times count only in part: {parts}.")
    if unknown := sum(each.seconds is None and each.watched is None for each in every):
        notes.append(f"Of {unknown} of {len(every)} faults nothing about the recovery is known; they are left out.")
    return Measure(
        f"recovery_{fault}_{role}",
        f"recovery, {fault} {role}" + (", at least" if limits else ""),
        Unit.SECONDS,
        Scale.RATIO,
        0.2,
        value,
        is_limited=bool(limits),
        notes=tuple(notes),
    )


def _seen(of: Sequence[Recovery]) -> str:
    return f"{sum(each.seconds is not None for each in of)} of {len(of)}"
