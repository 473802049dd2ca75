"""
The knee of a curve: the point from which on more of x brings little more of y.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

SENSITIVITY = 1.0
"""How far the curve must fall away behind a knee, in mean distances of points; 1 is what the paper proposes."""
METHOD = (
    'Kneedle (V. Satopää, J. Albrecht, D. Irwin, B. Raghavan: Finding a "Kneedle" in a Haystack: Detecting Knee Points '
    "in System Behavior, ICDCS Workshops 2011), sensitivity 1, of instances ended per second over starts due per second"
)
"""The method, and on what it is used, in words."""
_LEAST = 3


def knee(points: Sequence[tuple[float, float]], sensitivity: float = SENSITIVITY) -> int | None:
    """
    Return the index of the knee of a concave curve that rises: of points (x, y) with x in rising order. None if it has
    no knee, or if there are fewer than three points.

    This is Kneedle, offline (Satopää et al. 2011, section III), without its first step: so few points are not smoothed.
    x and y are scaled to [0, 1]. Where y - x has a local maximum lies a knee if y - x falls below that maximum by more
    than `sensitivity` mean distances of x, before it reaches the next one. Of several knees that one is returned at
    which y - x is highest.
    """
    if len(points) < _LEAST:
        return None
    xs, ys = (_scaled([point[axis] for point in points]) for axis in (0, 1))
    if xs is None or ys is None:
        return None
    differences = [y - x for x, y in zip(xs, ys, strict=True)]
    falls = sensitivity * sum(after - before for before, after in pairwise(xs)) / (len(xs) - 1)
    tops = [
        at
        for at in range(1, len(points) - 1)
        if differences[at] >= differences[at - 1] and differences[at] > differences[at + 1]
    ]
    found = [
        at
        for at, end in zip(tops, [*tops, len(points)][1:], strict=True)
        if any(each < differences[at] - falls for each in differences[at + 1 : end])
    ]
    return max(found, key=lambda at: differences[at], default=None)


def _scaled(values: Sequence[float]) -> list[float] | None:
    low, high = min(values), max(values)
    return None if high <= low else [(value - low) / (high - low) for value in values]
