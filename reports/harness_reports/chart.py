"""
What one chart of a run is: its title, its legend, its fault windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model import FaultFinding


@dataclass(frozen=True)
class Key:
    """
    One entry of a chart's legend.
    """

    label: str
    colour: str
    stroke: str = "area"


@dataclass(frozen=True)
class Chart:
    """
    One chart on the page. If it cannot be drawn, `missing` says why, and there is no model.
    """

    name: str
    title: str
    caption: str
    height: int
    keys: tuple[Key, ...] = ()
    model: str | None = None
    missing: str | None = None


@dataclass(frozen=True)
class Window:
    """
    The time in which one step of the plan was in force, in seconds after the load began.
    """

    step: int
    fault: str
    left: float
    right: float

    @property
    def label(self) -> str:
        """
        The label of the window, the same everywhere: the number of the step, and the fault.
        """
        return f"#{self.step} {self.fault}"


def windows(faults: Sequence[FaultFinding], end: float) -> tuple[Window, ...]:
    """
    Return one window for each step that was applied. The window of a step that was never healed lasts until `end`.
    """
    applied = sorted((fault for fault in faults if fault.at is not None), key=lambda fault: fault.step)
    found = []
    for (step, name), group in itertools.groupby(applied, key=lambda fault: (fault.step, fault.fault)):
        members = list(group)
        left = min(fault.at for fault in members if fault.at is not None)
        right = max(end if fault.healed_at is None else fault.healed_at for fault in members)
        found.append(Window(step, name, left, right))
    return tuple(found)
