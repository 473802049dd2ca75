"""
A fault of networks: a node is disconnected from all of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from harness.backends.base import Isolates
from harness.faults.base import BACK_WITHIN, QUICK, Fault, Hits, NotFeltError, Proof, await_answer


@dataclass(frozen=True)
class Before:
    """
    The state of a node just before it was isolated: its number of connections, the seconds that a probe took, and its
    number of networks.
    """

    connections: int
    probe: float
    networks: int


class Isolate(Fault[Before]):
    """
    The node is disconnected from every network, as by a pulled cable: nothing reaches it or leaves it, and none of its
    connections is closed. Healing connects it again.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Isolates
    patience: ClassVar[float] = 2.0
    """
    Seconds. A node that communicates at all has a connection within this time, and a probe waits for this time.
    """

    @override
    def apply(self, system: Isolates, node: str) -> Before:
        """
        Isolate the node. Return its state just before. Raises NotFeltError if the node has no connection, because such
        a node would feel nothing.
        """
        connections = self._connections(system, node)
        probe = system.probe_node(node, QUICK)
        return Before(connections, probe, system.isolate(node))

    @override
    def prove(self, system: Isolates, node: str, applied: Before) -> Proof:
        """
        Proved by a probe that cannot reach the node, although the probe just before was answered, and by the
        connections that the node had.
        """
        proof: Proof = {
            "networks": applied.networks,
            "connections": applied.connections,
            "probe_before_ms": round(applied.probe * 1000, 3),
        }
        try:
            took = system.probe_node(node, self.patience)
        except OSError as error:
            return {**proof, "probe_during": type(error).__name__}
        raise NotFeltError(f"{node} still answered", {**proof, "probe_during": round(took * 1000, 3)})

    @override
    def heal(self, system: Isolates, node: str) -> None:
        """
        Connect the node to its networks again, and wait until it answers.
        """
        system.reconnect(node)
        await_answer(system.probe_node, node, BACK_WITHIN)

    def _connections(self, system: Isolates, node: str) -> int:
        deadline = time.monotonic() + self.patience
        while not (connections := system.connections(node)):
            if time.monotonic() > deadline:
                raise NotFeltError(f"{node} talks to nobody", {"connections": 0})
            time.sleep(0.02)
        return connections
