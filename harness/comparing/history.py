"""
Runs over time: for each scenario its measures in the order in which the runs began, and where they changed.

Runs belong to one track if they had the same plan, target, planted defect and backend. The Dapr release may change on
the way: that is what one wants to see.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pydantic import Field

from harness.comparing import measures, sets, statistics
from harness.comparing.changes import changes
from harness.comparing.measures import Measure, Scale, Unit
from harness.comparing.sets import Found, Run
from harness.comparing.statistics import Share
from harness.model import Result, Value

_MAY_CHANGE = "Dapr"


class Point(Value):
    """
    One run of a track.
    """

    run: str
    began_ns: int | None
    seed: int
    dapr_version: str
    result: Result


class Segment(Value):
    """
    Runs between two change points: those from `first` on, before `end` (their numbers in the track), and their mean.
    """

    first: int
    end: int
    mean: float


@dataclass(frozen=True)
class Step:
    """
    A change: the number of the first run after it, and the means before and after.
    """

    first: int
    before: float
    after: float
    is_better: bool


class Trend(Value):
    """
    One measure over the runs of a track, None for a run that does not tell it; more than one segment if it changed.
    """

    name: str
    title: str
    unit: Unit
    more_is_better: bool
    values: tuple[float | None, ...]
    segments: tuple[Segment, ...]

    @property
    def steps(self) -> list[Step]:
        """
        Return the changes between the segments.
        """
        return [
            Step(
                first=after.first,
                before=before.mean,
                after=after.mean,
                is_better=(after.mean > before.mean) is self.more_is_better,
            )
            for before, after in pairwise(self.segments)
        ]


class Release(Value):
    """
    The runs of one Dapr release: how many were violated, and Wilson's 95 % interval of their share.
    """

    dapr_version: str
    runs: int
    violated: int
    low: float
    high: float


class Track(Value):
    """
    The runs of one scenario over time. `apart` says why they are a track of their own, beside the scenario's first.
    """

    scenario: str
    apart: tuple[str, ...]
    points: tuple[Point, ...]
    left_out: tuple[str, ...] = Field(description="UNKNOWN or interrupted")
    releases: tuple[Release, ...]
    trends: tuple[Trend, ...]


class History(Value):
    """
    What history.json holds.
    """

    version: Literal[1] = 1
    tracks: tuple[Track, ...]
    unusable: tuple[str, ...] = ()


def history(found: Found) -> History:
    """
    Return the tracks of these runs.
    """
    tracks = []
    for runs in sets.by_scenario(found.runs).values():
        kinds = _alike(runs)
        tracks += [_track(kind, kinds[0][0]) for kind in kinds]
    return History(tracks=tuple(tracks), unusable=found.unusable)


def _alike(runs: Sequence[Run]) -> list[list[Run]]:
    """
    Return the runs of a scenario, those together that differ in nothing but seed and release; the most numerous first.
    """
    kinds: list[list[Run]] = []
    for run in runs:
        kind = next((kind for kind in kinds if not _apart(kind[0], run)), None)
        if kind is None:
            kinds.append([run])
        else:
            kind.append(run)
    return sorted(kinds, key=len, reverse=True)


def _apart(one: Run, other: Run) -> list[str]:
    first, second = sets.subjects(one), sets.subjects(other)
    differ = [name for name in first if name != _MAY_CHANGE and first[name] != second[name]]
    return [*(f"{name} {first[name]} and {second[name]}" for name in differ), *sets.differences(one.plan, other.plan)]


def _track(runs: Sequence[Run], main: Run) -> Track:
    used = sets.decided(runs)
    return Track(
        scenario=runs[0].plan.scenario.name,
        apart=tuple(_apart(main, runs[0])),
        points=tuple(
            Point(
                run=run.run,
                began_ns=run.began_ns,
                seed=run.seed,
                dapr_version=run.dapr_version,
                result=run.result,
            )
            for run in used
        ),
        left_out=tuple(run.figures.run for run in runs if run.figures not in used),
        releases=tuple(
            _release(version, [run.result for run in used if run.dapr_version == version])
            for version in dict.fromkeys(run.dapr_version for run in used)
        ),
        trends=tuple(_trend(each, [each.of(run) for run in used]) for each in measures.means(used)),
    )


def _release(version: str, results: Sequence[Result]) -> Release:
    violated = results.count(Result.VIOLATED)
    low, high = Share(violated, len(results)).interval()
    return Release(dapr_version=version, runs=len(results), violated=violated, low=low, high=high)


def _trend(measure: Measure, values: Sequence[float | None]) -> Trend:
    return Trend(
        name=measure.name,
        title=measure.title,
        unit=measure.unit,
        more_is_better=measure.more_is_better,
        values=tuple(values),
        segments=tuple(_segments(measure, values)),
    )


def _segments(measure: Measure, values: Sequence[float | None]) -> Iterator[Segment]:
    """
    Return the segments of a measure. Times and rates are looked at by their logarithms, as in a comparison.
    """
    known = [(number, value) for number, value in enumerate(values) if value is not None]
    if not known:
        return
    logarithmic = measure.scale is Scale.RATIO and min(value for _, value in known) > 0
    series = [math.log(value) if logarithmic else value for _, value in known]
    for first, end in pairwise([0, *changes(series), len(series)]):
        middle = statistics.mean(series[first:end])[0]
        yield Segment(
            first=known[first][0], end=known[end - 1][0] + 1, mean=math.exp(middle) if logarithmic else middle
        )
