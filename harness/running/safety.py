"""
When a run gives up: the limits that its scenario sets, compared with what is observed during the run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.model import Limit, Plan, Safety
from harness.planning import shapes

_EVERY = 1.0
_MB = 1024 * 1024


@dataclass(frozen=True)
class Reading:
    """
    One observation of a run: seconds since it began (`elapsed`) and since anything moved (`still`); starts to which
    clients have no clear answer (`unanswered`), and starts that are planned; free disk and available memory in MB.
    """

    elapsed: float
    still: float
    unanswered: int
    planned: float
    disk_mb: float
    memory_mb: float


def exceeded(safety: Safety, reading: Reading, allowed: float) -> str | None:
    """
    Return why the run gives up; None if it does not. `allowed` is the number of seconds that it may take in total.
    """
    if reading.disk_mb < safety.disk_mb:
        return f"the disk has {reading.disk_mb:.0f} MB left, below safety.disk_mb ({safety.disk_mb})"
    if reading.memory_mb < safety.memory_mb:
        return f"the machine has {reading.memory_mb:.0f} MB of memory left, below safety.memory_mb ({safety.memory_mb})"
    if reading.elapsed > allowed:
        return f"it took longer than {allowed:.0f} s: its load and settle time, and safety.overtime"
    if reading.unanswered > safety.errors * reading.planned:
        return (
            f"the error budget is spent: {reading.unanswered} starts have no clear answer, "
            f"more than safety.errors ({safety.errors:g}) of {reading.planned:.0f}"
        )
    if reading.still > safety.standstill:
        return f"nothing moved for {reading.still:.0f} s, longer than safety.standstill ({safety.standstill:g} s)"
    return None


def limits(safety: Safety, reading: Reading, allowed: float) -> tuple[Limit, ...]:
    """
    Return every limit with what is observed, in the order of `exceeded`.
    """
    return (
        Limit(name="disk_mb", value=reading.disk_mb, limit=safety.disk_mb, unit="MB", least=True),
        Limit(name="memory_mb", value=reading.memory_mb, limit=safety.memory_mb, unit="MB", least=True),
        Limit(name="overtime", value=reading.elapsed, limit=allowed, unit="s"),
        Limit(name="errors", value=reading.unanswered, limit=safety.errors * reading.planned, unit="starts"),
        Limit(name="standstill", value=reading.still, limit=safety.standstill, unit="s"),
    )


class Lookout:
    """
    Decides whether one run gives up. It observes this machine at most once per second, and keeps the first reason.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._safety = plan.scenario.safety
        self._folder = folder
        load = plan.scenario.load
        self._planned = shapes.expected(load)
        self._allowed = load.duration + plan.scenario.checks.settle + self._safety.overtime
        self._began = self._looked = time.monotonic()
        self._gave_up = False
        self.reason: str | None = None
        """Why the present phase is cut short; None if it is not."""
        self.limits: tuple[Limit, ...] = ()
        """The limits, as they were observed last."""

    @property
    def gave_up(self) -> bool:
        """
        Whether the run has given up in the present phase.
        """
        return self._gave_up

    def note(self, reason: str) -> None:
        """
        Note why the phase is not complete, although the run does not give up. The first reason is kept.
        """
        self.reason = self.reason or reason

    def take_reason(self) -> str | None:
        """
        Return the reason of the phase that ends now, and forget it: the next phase begins without a reason.
        """
        reason, self.reason, self._gave_up = self.reason, None, False
        return reason

    def look(self, *, unanswered: int = 0, still: float = 0.0) -> bool:
        """
        Return whether the run gives up now. `unanswered` and `still` are as in Reading. False if it has already given
        up, or if the last observation was less than a second ago.
        """
        now = time.monotonic()
        if self._gave_up or now - self._looked < _EVERY:
            return False
        self._looked = now
        reading = Reading(
            elapsed=now - self._began,
            still=still,
            unanswered=unanswered,
            planned=self._planned,
            disk_mb=psutil.disk_usage(str(self._folder)).free / _MB,
            memory_mb=psutil.virtual_memory().available / _MB,
        )
        self.limits = limits(self._safety, reading, self._allowed)
        self.reason = exceeded(self._safety, reading, self._allowed)
        self._gave_up = self.reason is not None
        return self._gave_up
