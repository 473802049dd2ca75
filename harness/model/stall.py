"""
A stall: what stood still, and what the running system said about it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from harness.model.values import Value


class Stuck(Value):
    """
    One instance that does not move, and what is known about it. Times are in nanoseconds since the epoch.
    """

    instance_id: str
    status: str = Field(description="as the engine has it; `not stored` if it knows no such instance")
    last_event: str | None = Field(default=None, description="of its history, with name and task")
    last_at_ns: int | None = None
    history_length: int = 0
    inbox_length: int = 0
    last_attempt: str | None = Field(default=None, description="of an activity of it: which, where, how it ended")
    jobs: tuple[str, ...] | None = Field(default=None, description="that would wake it; None if they cannot be read")
    why: str


class Stall(Value):
    """
    The state of a run when nothing had moved for a while.
    """

    at_ns: int
    phase: str
    after: float = Field(description="seconds without progress")
    waiting: int = Field(description="instances that had not ended")
    workers: Mapping[str, str] = Field(description="sidecar -> workflow workers that are connected to it, in words")
    instances: tuple[Stuck, ...]
