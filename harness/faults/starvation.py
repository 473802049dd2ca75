"""
Faults of resources: a node that gets too little CPU, a node whose disk is full.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, ClassVar

import tenacity
from pydantic import Field
from typing_extensions import override

from harness.backends.base import Death, Fills, Starves
from harness.faults.base import Fault, Hits, NotFeltError, Proof

_POLL = 0.05
_LAST_WRITE_MS = 500
"""What was under way when the disk became full may still arrive."""


class Starve(Fault[float]):
    """
    The node gets no more than `share` of one core, on average.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Starves
    window: ClassVar[float] = 1.0
    """Seconds over which the CPU that the node uses is measured, before and during."""

    share: Annotated[float, Field(gt=0, le=1)]

    @override
    def apply(self, system: Starves, node: str) -> float:
        """
        Returns the share of one core that the node used before.
        """
        before, _ = self._measure(system, node)
        system.throttle(node, self.share)
        return before

    @override
    def prove(self, system: Starves, node: str, applied: float) -> Proof:
        """
        Proved by the CPU that the process used in a window, and by having been stopped in it: one that wants less
        than its share does not feel it.
        """
        during, held = self._measure(system, node)
        proof: Proof = {"cpu_before": applied, "cpu_during": during, "stopped_for_s": held}
        if held == 0:
            raise NotFeltError(f"{node} wanted no more than {self.share:g} of a core", proof)
        if during > self.share + 0.05:  # /proc counts in hundredths of a second, and the throttle looks every fiftieth
            raise NotFeltError(f"{node} still got {during:g} of a core", proof)
        return proof

    @override
    def heal(self, system: Starves, node: str) -> None:
        """
        Let the node run as it wants.
        """
        system.unthrottle(node)

    def _measure(self, system: Starves, node: str) -> tuple[float, float]:
        """
        The share of one core that the node used in a window, and the seconds for which it was kept stopped in it.
        """
        began = time.monotonic()
        cpu, held = system.consumed(node)
        time.sleep(self.window)
        cpu_then, held_then = system.consumed(node)
        return round((cpu_then - cpu) / (time.monotonic() - began), 3), round(held_then - held, 3)


class DiskFull(Fault[int]):
    """
    Every write of the node to a file fails, as on a full disk (with EFBIG instead of ENOSPC, which needs no root).

    What the node makes of it is its own affair: it may refuse, or end. It starts again when healed, if it has ended.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Fills
    patience: ClassVar[float] = 5.0
    """Seconds within which a node must have written something, before and during."""

    @override
    def apply(self, system: Fills, node: str) -> int:
        """
        Returns the moment at which the disk became full, in nanoseconds since the epoch.
        """
        seen_ns = system.written_ns(node)
        if not _until(self.patience, lambda: system.written_ns(node) != seen_ns):
            raise NotFeltError(f"{node} wrote nothing in {self.patience:g} s, so that a full disk cannot show", {})
        system.fill(node)
        return time.time_ns()

    @override
    def prove(self, system: Fills, node: str, applied: int) -> Proof:
        """
        Proved by the node's end, or by its files, which were written to just before and are not any more.
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
        Let the node write, or start it again.
        """
        system.empty(node)
        if system.ended(node) is not None:
            system.start(node)


def _until(seconds: float, condition: Callable[[], bool]) -> bool:
    """
    Did the condition come true within so many seconds?
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
