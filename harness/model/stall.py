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
    status: str = Field(description="the engine's status; `not stored` if the engine does not know the instance")
    last_event: str | None = Field(default=None, description="last event of its history, with name and task")
    last_at_ns: int | None = None
    history_length: int = 0
    inbox_length: int = 0
    last_attempt: str | None = Field(default=None, description="its last activity attempt: which, where, how it ended")
    jobs: tuple[str, ...] | None = Field(default=None, description="jobs that would wake it; None if not known")
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
