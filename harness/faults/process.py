"""
Faults of processes: kill, stop, pause.
"""

from __future__ import annotations

import signal
from typing import ClassVar, Literal

import tenacity

from harness.backends.base import Kills, Pauses
from harness.faults.base import Fault, NotFeltError, Proof
from harness.model import Seconds


class Kill(Fault):
    """
    SIGKILL: no shutdown hook runs, nothing is flushed, connections break. The node starts again when healed.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "nodes"
    needs: ClassVar[type] = Kills

    def apply(self, system: Kills, node: str) -> Proof:
        """
        Proved by the exit status of the very process (pid and start time).
        """
        death = system.kill(node)
        proof: Proof = {"pid": death.pid, "started": death.started, "status": death.status}
        if death.status != -signal.SIGKILL:
            raise NotFeltError(f"{node} ended with status {death.status} before SIGKILL reached it", proof)
        return proof

    def heal(self, system: Kills, node: str) -> None:
        """
        Start the node again and wait until it is ready.
        """
        system.start(node)


class Stop(Fault):
    """
    SIGTERM, as a deployment stops a node, and SIGKILL if it still runs after `grace`. It starts again when healed.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "nodes"
    needs: ClassVar[type] = Kills

    grace: Seconds = 10.0

    def apply(self, system: Kills, node: str) -> Proof:
        """
        Proved by the exit of the very process (pid and start time); its status says whether the grace was enough.
        """
        death = system.stop(node, self.grace)
        return {"pid": death.pid, "started": death.started, "status": death.status}

    def heal(self, system: Kills, node: str) -> None:
        """
        Start the node again and wait until it is ready.
        """
        system.start(node)


class Pause(Fault):
    """
    SIGSTOP: the node keeps its connections and its memory, and does nothing; SIGCONT when healed.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "nodes"
    needs: ClassVar[type] = Pauses

    def apply(self, system: Pauses, node: str) -> Proof:
        """
        Proved by a probe of the node that stalls, when one just before was answered.
        """
        before = system.probe_node(node, 5.0)
        stall = max(0.25, 5 * before)
        system.pause(node)
        proof: Proof = {"probe_before_ms": round(before * 1000, 3), "stalled_for_ms": round(stall * 1000, 3)}
        try:
            took = system.probe_node(node, stall)
        except TimeoutError:
            return proof
        raise NotFeltError(f"{node} still answered", {**proof, "probe_during_ms": round(took * 1000, 3)})

    def heal(self, system: Pauses, node: str) -> None:
        """
        Let the node go on and wait until it answers.
        """
        system.resume(node)
        tenacity.Retrying(
            stop=tenacity.stop_after_delay(30),
            wait=tenacity.wait_fixed(0.05),
            retry=tenacity.retry_if_exception_type(OSError),
            reraise=True,
        )(system.probe_node, node, 5.0)
