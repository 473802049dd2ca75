"""
A fault of networks: a node that is on none any more.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import tenacity
from typing_extensions import override

from harness.backends.base import Isolates
from harness.faults.base import Fault, Hits, NotFeltError, Proof


@dataclass(frozen=True)
class Before:
    """
    A node just before it was isolated: its connections, the seconds that a probe of it took, and its networks.
    """

    connections: int
    probe: float
    networks: int


class Isolate(Fault[Before]):
    """
    The node is taken off every network, as by a pulled cable: nothing reaches it or leaves it, and none of its
    connections is closed. Back on them when healed.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Isolates
    patience: ClassVar[float] = 2.0
    """Seconds within which a node that anybody talks to has a connection, and which a probe of it waits."""

    @override
    def apply(self, system: Isolates, node: str) -> Before:
        """
        Raises NotFeltError if the node has no connection: one that talks to nobody would feel nothing.
        """
        connections = self._connections(system, node)
        probe = system.probe_node(node, 5.0)
        return Before(connections, probe, system.isolate(node))

    @override
    def prove(self, system: Isolates, node: str, applied: Before) -> Proof:
        """
        Proved by a probe of the node that finds no way, when the one just before was answered, and by the connections
        that it had.
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
        Put the node back on its networks and wait until it answers.
        """
        system.reconnect(node)
        tenacity.Retrying(
            stop=tenacity.stop_after_delay(30),
            wait=tenacity.wait_fixed(0.05),
            retry=tenacity.retry_if_exception_type(OSError),
            reraise=True,
        )(system.probe_node, node, 5.0)

    def _connections(self, system: Isolates, node: str) -> int:
        deadline = time.monotonic() + self.patience
        while not (connections := system.connections(node)):
            if time.monotonic() > deadline:
                raise NotFeltError(f"{node} talks to nobody", {"connections": 0})
            time.sleep(0.02)
        return connections
