"""
The chaos controller: applies the steps of the plan on time, proves them, and always heals every one of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from harness.backends.base import Backend
from harness.faults import make
from harness.faults.base import NotFeltError, Proof
from harness.journal import Journal
from harness.model import Aim, Step
from harness.model.scenario import IN_FLIGHT_WITHIN
from harness.names import replica
from harness.rows import Applied, FaultRow, Felt, Healed, Intended, Unfelt, Unhealed
from harness.running.aim import Announcement, Announcements, Held

log = structlog.get_logger(__name__)

HEALS_WITHIN = 90.0
"""Seconds. A node that was killed may take 60 s until it is ready again. No other call to the system takes as long."""
_TICK = 0.02


@dataclass(frozen=True)
class Active:
    """
    A fault that is in force since `since_ns`. If `applied` is False, it is only about to be applied.
    """

    fault: str
    node: str
    since_ns: int
    applied: bool = False


class Controller:
    """
    Applies the steps of a plan to a backend. There is one thread for each node of a step, and one thread for each aimed
    step, which waits at `points` (needed only if there are aimed steps). A step at a time waits for up to
    IN_FLIGHT_WITHIN seconds until `enough()`: whether enough instances are in flight. A thread that hangs in a call to
    the system does not keep the harness from ending.

    Call `start` once, and `stop` any number of times. For each node, the journal gets these rows: intent (on disk
    before anything is touched), applied (when the fault is in force), felt or unfelt, healed or unhealed.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        backend: Backend,
        journal: Journal[FaultRow],
        points: Announcements | None = None,
        enough: Callable[[], bool] = lambda: True,
    ) -> None:
        self._backend = backend
        self._enough = enough
        self._journal = journal
        self._points = points
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._active: dict[tuple[int, str], Active] = {}
        self._threads = [
            threading.Thread(target=self._timed, args=(step, node), name=f"{step.fault} {node}", daemon=True)
            for step in steps
            if step.aim is None
            for node in step.nodes
        ] + [
            threading.Thread(
                target=self._aimed, args=(step, step.aim, points), name=f"{step.fault} {step.aim}", daemon=True
            )
            for step in steps
            if step.aim is not None
        ]
        self._origin_ns = 0

    def start(self, origin_ns: int) -> None:
        """
        Begin the timeline. The `at` of each step counts from `origin_ns` (nanoseconds since the epoch).
        """
        self._origin_ns = origin_ns
        for thread in self._threads:
            thread.start()

    def active(self) -> list[Active]:
        """
        Return the faults that are in force now or about to be applied.
        """
        with self._lock:
            return list(self._active.values())

    def done(self) -> bool:
        """
        Return whether every step has been applied and healed.
        """
        return not any(thread.is_alive() for thread in self._threads)

    def disarm(self) -> None:
        """
        Stop waiting at activity points, because no execution will reach them any more.
        """
        if self._points is not None:
            self._points.disarm()

    def stop(self, within: float = HEALS_WITHIN) -> tuple[Active, ...]:
        """
        Apply nothing more and heal everything that is in force. Return when this is done, or after `within` seconds.
        The result is what was not healed by then.
        """
        self._stopping.set()
        self.disarm()
        deadline = time.monotonic() + within
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        return tuple(self.active())

    def _timed(self, step: Step, node: str) -> None:
        planned_ns = self._planned_ns(step)
        if self._wait_until(planned_ns):
            return
        deadline_ns = max(planned_ns, time.time_ns()) + round(IN_FLIGHT_WITHIN * 1e9)
        while not self._enough() and time.time_ns() < deadline_ns:
            if self._stopping.wait(_TICK):
                return
        try:
            self._hit(step, node)
        finally:
            self._relieve(step, node)

    def _aimed(self, step: Step, aim: Aim, points: Announcements) -> None:
        """
        Execute one aimed step. Its nodes are hit one after the other, while the execution is held, and healed in
        parallel.
        """
        if self._wait_until(self._planned_ns(step)):
            return
        nodes: tuple[str, ...] = ()

        def taken(announcement: Announcement) -> str | None:
            nonlocal nodes
            there = replica(announcement.node)
            nodes = tuple(node for node in step.nodes if not aim.own or replica(node) == there)
            return self._reserve(step, nodes)

        held = points.ambush(step.step, aim, taken)
        if held is None:
            return
        try:
            for node in nodes:
                self._hit(step, node, held)
        finally:
            try:
                points.let_go(step.step, held, f"landed on {', '.join(nodes)}")
            finally:  # faults are healed even if the journal could not be written
                with ThreadPoolExecutor(len(nodes)) as pool:
                    list(pool.map(lambda node: self._relieve(step, node), nodes))

    def _reserve(self, step: Step, nodes: Sequence[str]) -> str | None:
        """
        Reserve nodes for an aimed step. Return why this is not possible; None if they are reserved. The plan cannot
        keep an aimed step apart from the others, because its time is not known beforehand.
        """
        with self._lock:
            if not nodes:
                return "there is nothing to hit there"
            if busy := sorted({node for _, node in self._active} & set(nodes)):
                return f"{', '.join(busy)}: another fault is in force there"
            now_ns = time.time_ns()
            self._active |= {(step.step, node): Active(step.fault, node, now_ns) for node in nodes}
        return None

    def _planned_ns(self, step: Step) -> int:
        return self._origin_ns + round(step.at * 1e9)

    def _hit(self, step: Step, node: str, held: Held | None = None) -> None:
        """
        Apply a fault and prove it. The journal gets the result, whatever it is. This does not heal the fault.
        """
        fault = make(step.fault, step.settings)
        about = {"step": step.step, "fault": step.fault, "node": node}
        began_ns = time.time_ns()
        self._journal.write(Intended(**about, at_ns=began_ns, planned_ns=self._planned_ns(step)), sync=True)
        self._note(step, node, began_ns)
        try:
            applied = fault.apply(self._backend, node)
            applied_ns = time.time_ns()
            self._journal.write(Applied(**about, at_ns=applied_ns))
            self._note(step, node, applied_ns, applied=True)
            proof = fault.prove(self._backend, node, applied)
            if held is not None and self._points is not None:
                proof = _both(proof, self._points, held)
        except NotFeltError as error:
            unfelt = {**error.proof, "reason": str(error)}
            self._journal.write(Unfelt(**about, at_ns=time.time_ns(), proof=unfelt))
        except Exception as error:  # noqa: BLE001 - any error is written to the journal, and the fault is still healed
            log.warning("fault could not be applied", fault=step.fault, node=node, error=str(error))
            unfelt = {"reason": f"could not be applied: {error}"}
            self._journal.write(Unfelt(**about, at_ns=time.time_ns(), proof=unfelt))
        else:
            self._journal.write(Felt(**about, at_ns=time.time_ns(), proof=proof))

    def _note(self, step: Step, node: str, since_ns: int, *, applied: bool = False) -> None:
        with self._lock:
            self._active[step.step, node] = Active(step.fault, node, since_ns, applied)

    def _relieve(self, step: Step, node: str) -> None:
        """
        Keep a fault in force for its time, then heal it. If it was never begun, do nothing.
        """
        with self._lock:
            active = self._active.get((step.step, node))
        if active is None:
            return
        try:
            if active.applied:
                self._wait_until(active.since_ns + round(step.hold * 1e9))
        finally:
            try:
                self._heal(step, node)
            finally:
                with self._lock:
                    del self._active[step.step, node]

    def _heal(self, step: Step, node: str) -> None:
        about = {"step": step.step, "fault": step.fault, "node": node}
        try:
            make(step.fault, step.settings).heal(self._backend, node)
        except Exception as error:  # noqa: BLE001 - the checkers report a node that does not come back
            log.warning("fault could not be healed", fault=step.fault, node=node, error=str(error))
            proof = {"reason": f"could not be healed: {error}"}
            self._journal.write(Unhealed(**about, at_ns=time.time_ns(), proof=proof))
        else:
            self._journal.write(Healed(**about, at_ns=time.time_ns()))

    def _wait_until(self, at_ns: int) -> bool:
        """
        Wait until a time (nanoseconds since the epoch). Return True if the controller was stopped before.
        """
        return self._stopping.wait(max(0.0, (at_ns - time.time_ns()) / 1e9))


def _both(felt: Proof, points: Announcements, held: Held) -> Proof:
    """
    Return the proof of the fault together with the proof of the point at which it landed. Raises NotFeltError, with
    what both measured, if the point is not proved.
    """
    try:
        return {**felt, **points.landed(held)}
    except NotFeltError as error:
        raise NotFeltError(str(error), {**felt, **error.proof}) from error
