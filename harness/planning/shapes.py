"""
The rate of a load over time, and when the next start is due.

A shape is a row of pieces in which the rate is a straight line. Starts are due where the area under the rate reaches
the next gap. With exponential gaps of mean 1 this gives a Poisson process of exactly this rate (time change of a
Poisson process: Çinlar, Introduction to Stochastic Processes, 1975, section 4.7), with gaps of 1 a regular one.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from harness.model import Load

_WAVE = 32
"""Straight pieces in one period of a wave: the rate is off by at most 0.5 % of the wave's height."""


@dataclass(frozen=True)
class Piece:
    """
    From `begin` to `end` (seconds after the load began) the rate goes from `first` to `last` (starts per second) in a
    straight line.
    """

    begin: float
    end: float
    first: float
    last: float

    def area(self, since: float) -> float:
        """
        Return how many starts are due from `since` until the end of the piece.
        """
        return (self.end - since) * (self._rate(since) + self.last) / 2

    def reaches(self, since: float, area: float) -> float:
        """
        Return when `area` starts are due after `since`. There must be that many.
        """
        rate = self._rate(since)
        slope = (self.last - self.first) / (self.end - self.begin)
        if slope == 0:
            return since + area / rate
        # The stable solution of rate * t + slope * t^2 / 2 = area.
        return since + 2 * area / (rate + math.sqrt(max(0.0, rate * rate + 2 * slope * area)))

    def _rate(self, at: float) -> float:
        return self.first + (self.last - self.first) * (at - self.begin) / (self.end - self.begin)


def pieces(load: Load) -> list[Piece]:
    """
    Return the rate of a load from its begin to its end.
    """
    rate, end, shape = load.rate, load.duration, load.shape
    if shape is None or end <= 0:
        points = [(0.0, rate), (end, rate)]
    elif shape.ramp is not None:
        until = min(end, shape.ramp.until or end)
        points = [(0.0, rate), (until, shape.ramp.to), (end, shape.ramp.to)]
    elif shape.steps is not None:
        each = shape.steps.every
        rates = [max(0.0, rate + number * shape.steps.by) for number in range(math.ceil(end / each))]
        points = [point for n, r in enumerate(rates) for point in ((n * each, r), (min(end, (n + 1) * each), r))]
    elif shape.spike is not None:
        at, over = min(end, shape.spike.at), min(end, shape.spike.at + shape.spike.hold)
        points = [(0.0, rate), (at, rate), (at, shape.spike.to), (over, shape.spike.to), (over, rate), (end, rate)]
    elif shape.wave is not None:
        height, step = shape.wave.to - rate, shape.wave.every / _WAVE
        times = [min(end, number * step) for number in range(math.ceil(end / step) + 1)]
        points = [(at, rate + height * (1 - math.cos(2 * math.pi * at / shape.wave.every)) / 2) for at in times]
    else:
        points = [(0.0, rate), (end, rate)] if shape.replay is None else []
    return [Piece(begin, until, first, last) for (begin, first), (until, last) in pairwise(points) if until > begin]


def peak(load: Load) -> float:
    """
    Return the highest rate of a load, in starts per second. Bursts are not part of it.
    """
    return max((max(piece.first, piece.last) for piece in pieces(load)), default=0.0)


def expected(load: Load) -> float:
    """
    Return how many starts a load makes on average.
    """
    by_rate = sum(piece.area(piece.begin) for piece in pieces(load))
    if load.shape is not None and load.shape.burst is not None:
        return by_rate + load.shape.burst.size * (math.ceil(load.duration / load.shape.burst.every) - 1)
    return by_rate + sum(1 for _ in _at_fixed_times(load, load.duration))


def times(load: Load, rng: random.Random, *, endless: bool = False) -> Iterator[float]:
    """
    Return when the starts of a load are due, in order: seconds after the load began. Gaps are drawn from `rng`, one
    for each start, when it is asked for. If `endless`, the rate of the load's end continues without an end.
    """
    until = math.inf if endless else load.duration
    shape = pieces(load)
    if endless and shape:
        shape.append(Piece(load.duration, 1e9, shape[-1].last, shape[-1].last))
    drawn = _drawn(shape, load, rng)
    fixed = _at_fixed_times(load, until)
    return drawn if load.shape is None else heapq.merge(drawn, fixed)


def _drawn(shape: list[Piece], load: Load, rng: random.Random) -> Iterator[float]:
    def gap() -> float:
        return rng.expovariate(1.0) if load.arrivals == "poisson" else 1.0

    due = gap() if load.arrivals == "poisson" else 0.5  # regular starts: the first one after half a gap
    for piece in shape:
        at = piece.begin
        while (left := piece.area(at)) > due:
            at = piece.reaches(at, due)
            yield at
            due = gap()
        due -= left


def _at_fixed_times(load: Load, until: float) -> Iterator[float]:
    if load.shape is not None and load.shape.burst is not None:
        burst = load.shape.burst
        at = burst.every
        while at < until:
            yield from (at for _ in range(burst.size))
            at += burst.every
    if load.shape is not None and load.shape.replay is not None:
        yield from (at for at in load.shape.replay.times if at < until)
