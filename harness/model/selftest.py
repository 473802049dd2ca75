"""
A self-test: the checker tried on planted defects.
"""

from __future__ import annotations

from pydantic import Field

from harness.model.values import Value


class Planted(Value):
    """
    One defect that the self-test planted in a copy of a run's evidence, and which invariants caught it; or a
    `harmless` change, and which raised an alarm.

    `planted` is False where the run has no row for it.
    """

    defect: str
    table: str
    harmless: bool = False
    expected: tuple[str, ...] = Field(description="invariants that name it")
    planted: bool = False
    caught: tuple[str, ...] = Field(
        default=(), description="those of them that caught it; of a harmless change any that found more than before"
    )


class SelfTest(Value):
    """
    The checker tried on one run's evidence.
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
        Those that every invariant that names them caught.
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
        The harmless changes that some invariant took for a violation.
        """
        return tuple(one for one in self.harmless if one.caught)
