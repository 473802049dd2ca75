"""
Swim-lanes of one timeline: which lane is drawn where, and where its marks and their labels have room.

Time runs from left to right, but not to scale: a stretch in which nothing happens is drawn shorter, so that what
happens within milliseconds can be read beside what happens a minute later. The order is always true.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import names
from harness_reports import words
from harness_reports.timeline import CLIENT, SCHEDULER, STORE, Entry, Timeline

_SHRINK = 0.35
"""A stretch of t seconds between two things that happen is drawn as long as t to this power."""

_LETTER = 0.68
"""Per cent of the lane's width for one letter of a label."""

_MOST_TRACKS = 8
_MOST_BANDS = 12
_NEAREST_TICKS = 9.0
"""Per cent: no two times are written closer to each other."""

_LEFT_OF_MARK = 72.0
"""Per cent: to the right of this the label stands left of its mark."""


@dataclass(frozen=True)
class Mark:
    """
    One entry in its lane. `left` and `width` are per cent of the lane; `track` is its line in it, from 0. `side` is
    where its label stands: none if there is no room.
    """

    entry: Entry
    left: float
    width: float
    track: int
    side: str

    @property
    def shape(self) -> str:
        """
        How it is drawn: a moment, a span, or a span without an end.
        """
        return "moment" if self.entry.end == self.entry.at else "open" if self.entry.end is None else "span"


@dataclass(frozen=True)
class Lane:
    """
    One lane: who it is, and what happened there.
    """

    name: str
    marks: tuple[Mark, ...]

    @property
    def tracks(self) -> int:
        """
        How many lines it needs.
        """
        return 1 + max((mark.track for mark in self.marks), default=0)


@dataclass(frozen=True)
class Band:
    """
    A fault in force: its place on the axis, and the lanes that it hit.
    """

    label: str
    text: str
    left: float
    width: float
    lanes: tuple[str, ...]
    number: int


@dataclass(frozen=True)
class Lanes:
    """
    All that is drawn of one timeline. `ticks` are (per cent, time in words).
    """

    lanes: tuple[Lane, ...]
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]


class Scale:
    """
    From seconds to per cent of the width, by the moments at which something happens.
    """

    def __init__(self, moments: Sequence[float]) -> None:
        self._moments = sorted(set(moments)) or [0.0]
        steps = [math.pow(after - before, _SHRINK) for before, after in itertools.pairwise(self._moments)]
        whole = sum(steps) or 1.0
        self._places = [100 * each / whole for each in itertools.accumulate(steps, initial=0.0)]

    def __call__(self, seconds: float) -> float:
        """
        Return the place of a time; a time outside of the scale is at its edge.
        """
        place = bisect_left(self._moments, seconds)
        if place == 0:
            return 0.0
        if place == len(self._moments):
            return round(self._places[-1], 2)
        before, after = self._moments[place - 1], self._moments[place]
        left, right = self._places[place - 1], self._places[place]
        return round(left + (right - left) * (seconds - before) / (after - before), 2)


def draw(timeline: Timeline, nodes: Sequence[str], services: Sequence[str]) -> Lanes:
    """
    Lay out a timeline. `nodes` are those of the plan, and `services` the names of the target's own.
    """
    faults = [entry for entry in timeline.entries if entry.kind == "fault"]
    others = [entry for entry in timeline.entries if entry.kind != "fault" and entry.label]
    edges = [
        edge
        for entry in (*others, *faults)
        for edge in (entry.at, entry.at if entry.end is None else entry.end)
        if timeline.first <= edge <= timeline.last
    ]
    scale = Scale([timeline.first, timeline.last, *edges])
    hit = {lane for fault in faults for lane in fault.lanes}
    drawn = [lane for lane in _order(nodes, services) if names.role(lane) != "placement" or lane in hit]
    drawn += sorted({lane for entry in others for lane in entry.lanes} - set(drawn))
    return Lanes(
        tuple(Lane(name, tuple(_marks(name, others, scale))) for name in drawn),
        tuple(_bands(faults, timeline, scale)),
        tuple(_ticks(timeline, others, scale)),
    )


def _order(nodes: Sequence[str], services: Sequence[str]) -> list[str]:
    """
    Return the lanes of a system from the client to what it all rests on.
    """
    of = {role: [node for node in nodes if names.role(node) == role] for role in map(names.role, nodes)}
    within = [*of.get("app", ()), *of.get("sidecar", ()), SCHEDULER, *of.get("placement", ())]
    return [CLIENT, *within, *(node for service in services for node in of.get(service, ())), STORE]


def _marks(lane: str, entries: Sequence[Entry], scale: Scale) -> Iterator[Mark]:
    """
    Give each entry of a lane the first line where it and its label have room. If there is none, it has no label.
    """
    taken = [0.0] * _MOST_TRACKS
    for entry in entries:
        if lane not in entry.lanes:
            continue
        left = scale(entry.at)
        width = round((100.0 if entry.end is None else scale(entry.end)) - left, 2)
        label = len(entry.label) * _LETTER + 1.5
        if left > _LEFT_OF_MARK:
            since, until, side = left - label, left + max(width, 0.8), "before"
        elif label <= width:
            since, until, side = left, left + width, "inside"
        else:
            since, until, side = left, left + max(width, 0.8) + label, "after"
        free = [track for track in range(_MOST_TRACKS) if taken[track] <= since]
        track = free[0] if free else taken.index(min(taken))
        taken[track] = until if free else max(taken[track], left + max(width, 0.8))
        yield Mark(entry, left, width, track, side if free else "none")


def _bands(faults: Sequence[Entry], timeline: Timeline, scale: Scale) -> Iterator[Band]:
    for number, fault in enumerate(faults[:_MOST_BANDS]):
        left = scale(max(fault.at, timeline.first))
        right = 100.0 if fault.end is None else scale(fault.end)
        yield Band(fault.label, fault.text, left, round(right - left, 2), fault.lanes, number)


def _ticks(timeline: Timeline, entries: Sequence[Entry], scale: Scale) -> Iterator[tuple[float, str]]:
    last = -_NEAREST_TICKS
    for at in sorted({timeline.first, *(entry.at for entry in entries)}):
        place = scale(at)
        if place - last >= _NEAREST_TICKS and place <= 100 - _NEAREST_TICKS:
            last = place
            yield place, words.at(at)
