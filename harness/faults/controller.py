"""
The chaos controller: applies the plan's steps on time, proves them, and heals every one on every way out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from harness.backends.base import Backend
from harness.errors import UsageError
from harness.faults import make
from harness.faults.base import Fault, NotFeltError
from harness.journal import Journal
from harness.model import Plan, Step

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Active:
    """
    A fault that is in force now.
    """

    fault: str
    node: str
    since_ns: int


def refuse_unservable(plan: Plan, backend: Backend) -> None:
    """
    Raise UsageError if the plan holds a fault that needs a power which `backend` lacks.
    """
    for step in plan.steps:
        fault = make(step.fault, step.settings)
        if not isinstance(backend, fault.needs):
            raise UsageError(
                f"fault {step.fault} needs the power {fault.needs.__name__}, which this backend does not have"
            )


class Controller:
    """
    Runs the steps of a plan against a backend, one thread for each node of each step.

    `start` once; `stop` any number of times. The journal gets, for each node: intent (on disk before anything
    is touched), applied, felt or unfelt, healed or unhealed.
    """

    def __init__(self, steps: Sequence[Step], backend: Backend, journal: Journal) -> None:
        self._backend = backend
        self._journal = journal
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._active: dict[tuple[int, str], Active] = {}
        self._threads = [
            (step, node, threading.Thread(target=self._run, args=(step, node), name=f"{step.fault} {node}"))
            for step in steps
            for node in step.nodes
        ]
        self._origin_ns = 0

    def start(self, origin_ns: int) -> None:
        """
        Begin the timeline; a step's `at` counts from `origin_ns` (nanoseconds since the epoch).
        """
        self._origin_ns = origin_ns
        for _, _, thread in self._threads:
            thread.start()

    def active(self) -> list[Active]:
        """
        The faults in force now.
        """
        with self._lock:
            return list(self._active.values())

    def done(self) -> bool:
        """
        Has every step been applied and healed?
        """
        return not any(thread.is_alive() for _, _, thread in self._threads)

    def stop(self) -> None:
        """
        Apply nothing more, heal whatever is in force, and return once that is done.
        """
        self._stopping.set()
        for _, _, thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _run(self, step: Step, node: str) -> None:
        planned_ns = self._origin_ns + round(step.at * 1e9)
        if self._wait_until(planned_ns):
            return
        fault = make(step.fault, step.settings)
        base = {"step": step.step, "fault": step.fault, "node": node}
        self._journal.write({**base, "event": "intent", "at_ns": time.time_ns(), "planned_ns": planned_ns}, sync=True)
        applied_ns = time.time_ns()
        self._journal.write({**base, "event": "applied", "at_ns": applied_ns})
        with self._lock:
            self._active[step.step, node] = Active(step.fault, node, applied_ns)
        try:
            self._apply(fault, base, node)
            self._wait_until(applied_ns + round(step.hold * 1e9))
        finally:
            self._heal(fault, base, node)
            with self._lock:
                del self._active[step.step, node]

    def _apply(self, fault: Fault, base: dict[str, object], node: str) -> None:
        try:
            proof = fault.apply(self._backend, node)
        except NotFeltError as error:
            self._journal.write(
                {
                    **base,
                    "event": "unfelt",
                    "at_ns": time.time_ns(),
                    "proof": {**error.proof, "reason": str(error)},
                }
            )
        except Exception as error:  # noqa: BLE001 - whatever it was, it is written down, and healing goes on
            log.warning("fault could not be applied", fault=base["fault"], node=node, error=str(error))
            self._journal.write(
                {
                    **base,
                    "event": "unfelt",
                    "at_ns": time.time_ns(),
                    "proof": {"reason": f"could not be applied: {error}"},
                }
            )
        else:
            self._journal.write({**base, "event": "felt", "at_ns": time.time_ns(), "proof": proof})

    def _heal(self, fault: Fault, base: dict[str, object], node: str) -> None:
        try:
            fault.heal(self._backend, node)
        except Exception as error:  # noqa: BLE001 - a node that never comes back is a finding, told by the checkers
            log.warning("fault could not be healed", fault=base["fault"], node=node, error=str(error))
            self._journal.write(
                {
                    **base,
                    "event": "unhealed",
                    "at_ns": time.time_ns(),
                    "proof": {"reason": f"could not be healed: {error}"},
                }
            )
        else:
            self._journal.write({**base, "event": "healed", "at_ns": time.time_ns()})

    def _wait_until(self, at_ns: int) -> bool:
        """
        Wait until a moment; True if the controller was told to stop before.
        """
        return self._stopping.wait(max(0.0, (at_ns - time.time_ns()) / 1e9))
