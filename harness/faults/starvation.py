"""
Faults of resources: a node gets too little CPU, or its disk is full.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

import tenacity
from pydantic import Field
from typing_extensions import override

from harness.backends.base import Death, Fills, Starves
from harness.faults.base import Fault, Hits, NotFeltError, Proof
from harness.names import Store

_POLL = 0.05
_LAST_WRITE_MS = 500
"""Milliseconds. A write that had begun when the disk became full may still end within this time."""


class Starve(Fault[float]):
    """
    The node gets no more than `share` of one core, on average.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Starves
    not_on: ClassVar[Mapping[str, str]] = {Store.POSTGRES: "the limit is that of one process, and its work is in many"}
    window: ClassVar[float] = 1.0
    """Seconds over which the CPU that the node uses is measured, before the fault and during it."""

    share: Annotated[float, Field(gt=0, le=1)]

    @override
    def apply(self, system: Starves, node: str) -> float:
        """
        Limit the node. Return the share of one core that it used before.
        """
        before, _ = self._measure(system, node)
        system.throttle(node, self.share)
        return before

    @override
    def prove(self, system: Starves, node: str, applied: float) -> Proof:
        """
        Proved by the CPU that the process used in a window, and by the time for which the limit stopped it: a process
        that needs less than its share does not feel the limit.
        """
        during, held = self._measure(system, node)
        proof: Proof = {"cpu_before": applied, "cpu_during": during, "stopped_for_s": held}
        if held == 0:
            raise NotFeltError(f"{node} wanted no more than {self.share:g} of a core", proof)
        if during > self.share + 0.05:  # /proc counts in ticks of 10 ms, and the throttle looks every 20 ms
            raise NotFeltError(f"{node} still got {during:g} of a core", proof)
        return proof

    @override
    def heal(self, system: Starves, node: str) -> None:
        """
        Remove the limit.
        """
        system.unthrottle(node)

    def _measure(self, system: Starves, node: str) -> tuple[float, float]:
        """
        Return (share of one core that the node used in one window, seconds for which it was stopped in this window).
        """
        began = time.monotonic()
        cpu, held = system.consumed(node)
        time.sleep(self.window)
        cpu_then, held_then = system.consumed(node)
        return round((cpu_then - cpu) / (time.monotonic() - began), 3), round(held_then - held, 3)


class DiskFull(Fault[int]):
    """
    Every write of the node to a file fails, as on a full disk (with EFBIG, which needs no root, instead of ENOSPC).

    The node may react as it likes: it may refuse requests, or end. If it has ended, healing starts it again.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Fills
    not_on: ClassVar[Mapping[str, str]] = {Store.POSTGRES: "the limit is that of one process, and it writes in many"}
    patience: ClassVar[float] = 5.0
    """
    Seconds. Before the fault the node must write something within this time; during the fault it is watched for this
    time.
    """

    @override
    def apply(self, system: Fills, node: str) -> int:
        """
        Make the disk full. Return when this was, in nanoseconds since the epoch. Raises NotFeltError if the node writes
        nothing.
        """
        seen_ns = system.written_ns(node)
        if not _until(self.patience, lambda: system.written_ns(node) != seen_ns):
            raise NotFeltError(f"{node} wrote nothing in {self.patience:g} s, so that a full disk cannot show", {})
        system.fill(node)
        return time.time_ns()

    @override
    def prove(self, system: Fills, node: str, applied: int) -> Proof:
        """
        Proved by the end of the node, or by its files: the node wrote to them just before, and does not write any more.
        """
        if _until(self.patience, lambda: system.ended(node) is not None):
            death = system.ended(node) or Death(0, 0.0, 0)
            return {"pid": death.pid, "status": death.status, "ended_after_ms": (time.time_ns() - applied) // 1_000_000}
        late_ms = (system.written_ns(node) - applied) / 1e6
        proof: Proof = {"last_write_ms": round(late_ms, 3), "watched_s": self.patience}
        if late_ms > _LAST_WRITE_MS:
            raise NotFeltError(f"{node} still writes", proof)
        return proof

    @override
    def heal(self, system: Fills, node: str) -> None:
        """
        Let the node write again; start it again if it has ended.
        """
        system.empty(node)
        if system.ended(node) is not None:
            system.start(node)


def _until(seconds: float, condition: Callable[[], bool]) -> bool:
    """
    Return whether the condition becomes true within so many seconds. Returns as soon as it does.
    """
    waiting = tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(_POLL),
        retry=tenacity.retry_if_result(lambda met: not met),
    )
    try:
        return waiting(condition)
    except tenacity.RetryError:
        return False
