"""
A self-test: the checker tried on planted defects.
"""

from __future__ import annotations

from pydantic import Field

from harness.model.values import Value


class Planted(Value):
    """
    One defect that the self-test planted in a copy of a run's evidence, and the invariants that caught it. Or a
    `harmless` change, and the invariants that raised an alarm.

    `planted` is False if the run has no row in which the defect can be planted.
    """

    defect: str
    table: str
    harmless: bool = False
    expected: tuple[str, ...] = Field(description="invariants that name it")
    planted: bool = False
    caught: tuple[str, ...] = Field(
        default=(), description="those of them that caught it; for a harmless change: any that found more than before"
    )


class Cell(Value):
    """
    One change of a run's evidence (`change` of a `column` of a `table`, in a row of the `kind`), and what named it.
    `table` is empty if several tables were changed together.
    """

    table: str
    column: str
    change: str
    kind: str = ""
    named: str | None = Field(description="the first invariant that names it, or that the run lacks something then")
    free: str | None = Field(
        default=None, description="why nobody needs to name it; null if it is named, or if nobody knows why not"
    )
    harmless: bool = Field(default=False, description="it is free, and what happened is told as truly as before")


class SelfTest(Value):
    """
    The results of a self-test of the checker on the evidence of one run.
    """

    defects: tuple[Planted, ...]

    @property
    def planted(self) -> tuple[Planted, ...]:
        """
        The defects that could be planted.
        """
        return tuple(one for one in self.defects if one.planted and not one.harmless)

    @property
    def caught(self) -> tuple[Planted, ...]:
        """
        The planted defects that were caught by every invariant that names them.
        """
        return tuple(one for one in self.planted if one.caught == one.expected)

    @property
    def harmless(self) -> tuple[Planted, ...]:
        """
        The harmless changes that could be made.
        """
        return tuple(one for one in self.defects if one.planted and one.harmless)

    @property
    def alarms(self) -> tuple[Planted, ...]:
        """
        The harmless changes that some invariant reported as a violation.
        """
        return tuple(one for one in self.harmless if one.caught)
