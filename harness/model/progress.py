"""
How far a run is, while it runs. Nothing is judged by it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from harness.model.values import Value


class Limit(Value):
    """
    One of the limits at which a run is given up, and what is observed. `least` says that the value must not fall below
    it; otherwise it must not be exceeded.
    """

    name: str = Field(description="as in the scenario, without `safety.`")
    value: float
    limit: float
    unit: str
    least: bool = False


class Progress(Value):
    """
    One moment of a run. `left` is the seconds until the end of the phase, None if not known. `sent` and `answers` count
    calls of clients, `dropped` starts that were not sent because too many calls were in flight, `ended` instances by
    the outcome that their workflows named, canaries included. `in_flight` is the number of instances for which the
    phase waits.
    """

    at_ns: int = 0
    phase: str
    left: float | None = None
    sent: int = 0
    dropped: int = 0
    answers: Mapping[str, int] = {}
    in_flight: int = 0
    ended: Mapping[str, int] = {}
    faults: tuple[str, ...] = ()
    coming: str | None = None
    limits: tuple[Limit, ...] = ()
