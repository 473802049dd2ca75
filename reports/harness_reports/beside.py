"""
One run beside another: the figures of both, measure by measure. Two runs are too few for statistics, so none are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.comparing import figures
from harness.comparing.figures import Figures
from harness.rundir import RunDir
from harness_reports import words


@dataclass(frozen=True)
class Measure:
    """
    One measure of both runs, and by how much this run differs from the base, in words.
    """

    name: str
    this: str
    base: str
    change: str


@dataclass(frozen=True)
class Beside:
    """
    A run beside its base. `caveats`: what else differs between them, so that not all is the doing of one change.
    """

    base: str
    caveats: tuple[str, ...]
    measures: tuple[Measure, ...]


def read(run: RunDir, base: RunDir) -> Beside:
    """
    Return a run beside its base. Raises EvidenceError if one of them was not judged by this version.
    """
    return of(figures.read(run), figures.read(base))


def of(this: Figures, base: Figures) -> Beside:
    """
    Return the measures of a run beside those of its base.
    """
    differ = (
        ("scenario", this.scenario, base.scenario),
        ("seed", this.seed, base.seed),
        ("Dapr", this.dapr_version, base.dapr_version),
        ("planted defect", this.defect or "none", base.defect or "none"),
    )
    return Beside(
        base.run,
        tuple(f"{name}: {here} here, {there} there" for name, here, there in differ if here != there),
        (Measure("verdict", this.result.value, base.result.value, ""), *_measures(this, base)),
    )


def _measures(this: Figures, base: Figures) -> Iterator[Measure]:
    for name, value, told in _VALUES:
        yield Measure(name, told(value(this)), told(value(base)), _change(value(this), value(base)))


def _number(value: float | None) -> str:
    return words.NOTHING if value is None else f"{value:,.4g}"


def _change(this: float | None, base: float | None) -> str:
    if this is None or base is None:
        return "cannot be told"
    if this == base:
        return "none"
    return words.NOTHING if not base else f"{100 * (this - base) / base:+.1f} %"


def _recovery(figures: Figures) -> float | None:
    return max((each.seconds for each in figures.recoveries if each.seconds is not None), default=None)


_VALUES: tuple[tuple[str, Callable[[Figures], float | None], Callable[[float | None], str]], ...] = (
    ("instances", lambda each: each.instances, _number),
    ("instances in violations", lambda each: each.violated, _number),
    ("throughput, per second", lambda each: each.throughput, _number),
    ("start, median", lambda each: each.start.median if each.start else None, words.took),
    ("start, 99 %", lambda each: each.start.p99 if each.start else None, words.took),
    ("completion, median", lambda each: each.completion.median if each.completion else None, words.took),
    ("completion, 99 %", lambda each: each.completion.p99 if each.completion else None, words.took),
    ("longest recovery", _recovery, words.took),
    ("repeated attempts", lambda each: each.repeated_attempts, _number),
)
