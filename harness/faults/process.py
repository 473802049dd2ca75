"""
Faults of processes: kill, stop, pause.
"""

from __future__ import annotations

import signal
from typing import ClassVar

from typing_extensions import override

from harness.backends.base import Death, Kills, Pauses
from harness.faults.base import BACK_WITHIN, QUICK, Fault, Hits, NotFeltError, Proof, await_answer
from harness.model import Seconds


class Kill(Fault[Death]):
    """
    SIGKILL: no shutdown hook runs, nothing is flushed, connections break. Healing starts the node again.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Kills

    @override
    def apply(self, system: Kills, node: str) -> Death:
        return system.kill(node)

    @override
    def prove(self, system: Kills, node: str, applied: Death) -> Proof:
        """
        Proved by the exit status of that very process (pid and start time).
        """
        proof: Proof = {"pid": applied.pid, "started": applied.started, "status": applied.status}
        if applied.status != -signal.SIGKILL:
            raise NotFeltError(f"{node} ended with status {applied.status} before SIGKILL reached it", proof)
        return proof

    @override
    def heal(self, system: Kills, node: str) -> None:
        """
        Start the node again and wait until it is ready.
        """
        system.start(node)


class Stop(Fault[Death]):
    """
    SIGTERM, as a deployment stops a node, and SIGKILL if the node still runs after `grace` seconds. Healing starts the
    node again.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Kills

    grace: Seconds = 10.0

    @override
    def apply(self, system: Kills, node: str) -> Death:
        return system.stop(node, self.grace)

    @override
    def prove(self, system: Kills, node: str, applied: Death) -> Proof:
        """
        Proved by the exit of that very process (pid and start time). Its status says whether the grace was enough.
        """
        return {"pid": applied.pid, "started": applied.started, "status": applied.status}

    @override
    def heal(self, system: Kills, node: str) -> None:
        """
        Start the node again and wait until it is ready.
        """
        system.start(node)


class Pause(Fault[float]):
    """
    SIGSTOP: the node keeps its connections and its memory, and does nothing. Healing sends SIGCONT.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Pauses

    @override
    def apply(self, system: Pauses, node: str) -> float:
        """
        Pause the node. Return the seconds that a probe took just before.
        """
        before = system.probe_node(node, QUICK)
        system.pause(node)
        return before

    @override
    def prove(self, system: Pauses, node: str, applied: float) -> Proof:
        """
        Proved by a probe of the node that gets no answer, although the probe just before got one.
        """
        stall = max(0.25, 5 * applied)
        proof: Proof = {"probe_before_ms": round(applied * 1000, 3), "stalled_for_ms": round(stall * 1000, 3)}
        try:
            took = system.probe_node(node, stall)
        except TimeoutError:
            return proof
        raise NotFeltError(f"{node} still answered", {**proof, "probe_during_ms": round(took * 1000, 3)})

    @override
    def heal(self, system: Pauses, node: str) -> None:
        """
        Let the node continue, and wait until it answers.
        """
        system.resume(node)
        await_answer(system.probe_node, node, BACK_WITHIN)
