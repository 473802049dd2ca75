"""
Kill: a node's process is ended by SIGKILL, and started again when the fault is healed.
"""

from __future__ import annotations

import signal
from typing import ClassVar, Literal

from harness.backends.base import Kills
from harness.faults.base import Fault, NotFeltError, Proof


class Kill(Fault):
    """
    SIGKILL: no shutdown hook runs, nothing is flushed, connections break. It has no settings.
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
