"""
The fault `upgrade`: a node of the target goes on as another version of its program.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from harness import names
from harness.backends.base import Death, Upgrades
from harness.faults.base import Fault, Hits, NotFeltError, Proof
from harness.model import Seconds, Target


class Upgrade(Fault[Death]):
    """
    SIGTERM, as a deployment stops a node (SIGKILL after `grace` seconds), and a start as the version `to`. The node
    stays that version when the fault is healed, also if other faults end it. A rollback is an upgrade to the version
    before.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Upgrades

    to: str = Field(description="one of the `versions` of the program in target.yaml")
    grace: Seconds = 10.0

    @override
    def refusal(self, target: Target, node: str) -> str | None:
        versions = target.versions(names.node(node))
        if not versions:
            return f"target {target.name} names no `versions` of it in target.yaml"
        if self.to not in versions:
            return f'target {target.name} has no version "{self.to}" of it; it has {", ".join(versions)}'
        return super().refusal(target, node)

    @override
    def apply(self, system: Upgrades, node: str) -> Death:
        """
        Stop the node. Return how it ended.
        """
        death = system.stop(node, self.grace)
        system.become(node, self.to)
        return death

    @override
    def prove(self, system: Upgrades, node: str, applied: Death) -> Proof:
        """
        Start the node, and wait until it is ready. Proved by another process, whose own environment and command line
        are those of the new version.
        """
        system.start(node)
        pid, version = system.version(node)
        proof: Proof = {
            "pid": applied.pid,
            "started": applied.started,
            "status": applied.status,
            "new_pid": pid,
            "version": version,
        }
        if version != self.to or pid == applied.pid:
            raise NotFeltError(
                f"{node} does not run as {self.to}, but as {version or 'no version that is known'}", proof
            )
        return proof

    @override
    def heal(self, system: Upgrades, node: str) -> None:
        """
        See that the node runs and is ready. It stays the version that it is.
        """
        system.start(node)
