"""
Where values lie in small drawings of inline SVG: in per cent of the width, on a linear or a logarithmic axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_ROOM = 0.06
"""On each side of what is drawn, as a part of it."""


@dataclass(frozen=True)
class Axis:
    """
    An axis from `low` to `high`. On a logarithmic one both are above 0.
    """

    low: float
    high: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """
        Return where a value lies, from 0 to 100. What is beyond an end lies at the end.
        """
        low, high, at = (self._forward(each) for each in (self.low, self.high, self._within(value)))
        return round(100 * (at - low) / (high - low), 2)

    def holds(self, value: float) -> bool:
        """
        Return whether a value lies on the axis, not beyond its ends.
        """
        return self.low <= value <= self.high

    def _within(self, value: float) -> float:
        return min(max(value, self.low), self.high)

    def _forward(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def around(values: Iterable[float], *, logarithmic: bool = False) -> Axis:
    """
    Return an axis on which all these values lie, with some room beside them.
    """
    every = list(values)
    low, high = min(every), max(every)
    if logarithmic and low > 0:
        factor = max((high / low) ** _ROOM, 1.01)
        return Axis(low / factor, high * factor, logarithmic=True)
    room = (high - low) * _ROOM or abs(high) * _ROOM or 1.0
    return Axis(low - room, high + room)


def symmetric(values: Iterable[float], *, least: float, most: float) -> Axis:
    """
    Return an axis with 0 in its middle on which all these values lie. Its ends are at least `least` from 0, and at most
    `most`.
    """
    end = min(max([least, *(abs(value) for value in values)]) * (1 + _ROOM), most)
    return Axis(-end, end)
