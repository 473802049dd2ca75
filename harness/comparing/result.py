"""
What comparison.json holds: two sets of runs, compared measure by measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from harness.comparing.measures import Scale, Unit
from harness.comparing.statistics import CONFIDENCE, LEVEL
from harness.errors import Exit
from harness.model import Result, Value


class Change(StrEnum):
    """
    What became of a measure.
    """

    WORSE = "worse"
    BETTER = "better"
    NO_DIFFERENCE = "no difference"
    NOT_ENOUGH = "not enough runs"


class Side(Value):
    """
    One measure on one side: the value of each run, and their mean with its 95 % interval; None if the runs do not tell
    it. For a ratio it is the geometric mean, for a share that of all runs together.
    """

    values: tuple[float, ...]
    mean: float | None = None
    low: float | None = None
    high: float | None = None


class Measured(Value):
    """
    One measure, compared. `scale` says what `effect`, its 95 % interval and `margin` are.
    """

    name: str
    title: str
    unit: Unit
    scale: Scale
    more_is_better: bool
    base: Side
    candidate: Side
    change: Change
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float = Field(description="a smaller difference does not matter")
    method: str | None = None
    p: float | None = None
    adjusted_p: float | None = Field(default=None, description="for all measures and scenarios together")
    needed: int | None = Field(
        default=None, description="about how many runs a side would find a difference as large as the margin"
    )
    notes: tuple[str, ...] = Field(default=(), description="plain sentences: what must be known, or is lacking")


class Runs(Value):
    """
    The runs of one scenario on one side.
    """

    used: tuple[str, ...]
    left_out: tuple[str, ...] = Field(description="UNKNOWN or interrupted")
    results: Mapping[Result, int]
    subjects: Mapping[str, str] = Field(description="what may be compared of them, such as the Dapr release")


class Compared(Value):
    """
    One scenario, compared. If `paired`, means are compared pair by pair, one pair for each seed.
    """

    scenario: str
    base: Runs
    candidate: Runs
    paired: bool
    notes: tuple[str, ...]
    measures: tuple[Measured, ...]


class Comparison(Value):
    """
    Two sets of runs, compared: scenario by scenario.
    """

    version: Literal[1] = 1
    base: str
    candidate: str
    level: float = LEVEL
    confidence: float = CONFIDENCE
    correction: str = "Benjamini-Hochberg"
    scenarios: tuple[Compared, ...]
    only_base: tuple[str, ...] = Field(default=(), description="scenarios with runs only there; left out")
    only_candidate: tuple[str, ...] = ()
    unusable: tuple[str, ...] = Field(default=(), description="run directories that could not be read, and why")

    def of(self, change: Change) -> list[tuple[str, Measured]]:
        """
        Return the measures that came to this change, each with its scenario.
        """
        return [(told.scenario, each) for told in self.scenarios for each in told.measures if each.change is change]

    @property
    def change(self) -> Change:
        """
        All in one word: worse if anything is, then better if anything is, then no difference if that is shown anywhere.
        """
        return next((change for change in Change if self.of(change)), Change.NOT_ENOUGH)

    @property
    def exit_code(self) -> Exit:
        """
        0 if nothing is worse, 1 if something is, 2 if the runs are not enough to tell anything.
        """
        codes = {Change.WORSE: Exit.VIOLATED, Change.NOT_ENOUGH: Exit.UNKNOWN}
        return codes.get(self.change, Exit.HOLDS)
