"""
What a fault is: settings, apply, prove, heal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar

import tenacity
from pydantic import JsonValue

from harness.model import Target, Value

Proof = Mapping[str, JsonValue]
"""What shows that a fault was felt, as plain JSON. It is measured, never assumed."""


Hits = Literal["nodes", "links", "services", "replicas"]
"""
What a fault can hit: nodes, links, services of the target that can be told to misbehave, or replicas of the main
application by their apps, those included that the run begins without.
"""


QUICK = 5.0
"""Seconds. A node or link without a fault answers a probe within this time, however busy the machine is."""
BACK_WITHIN = 30.0
"""Seconds. A node answers a probe again within this time after its fault was undone."""
_POLL = 0.02

Ask = Callable[[str, float], float]
"""
Sends a probe, like `Probes.probe_node` and `Links.probe`: takes the node or link and a time-out in seconds, returns
the seconds that the answer took.
"""


class NotFeltError(Exception):
    """
    The fault was not felt: nobody could feel it, or it could not be proved. `proof` is what was measured instead.
    """

    def __init__(self, message: str, proof: Proof) -> None:
        super().__init__(message)
        self.proof = proof


Applied = TypeVar("Applied")
"""What `apply` measured and `prove` needs: the state before, and what was done."""


class Fault(Value, ABC, Generic[Applied]):
    """
    One kind of fault: a frozen model whose fields are its settings.

    An implementation must keep no state, because the same object is used for several nodes at once. `hits` says what
    the fault can hit. `needs` is the power that it uses (a protocol of `harness.backends.base`). `system` is the
    backend; before the run began it was checked that the backend has this power. `node` is the name of a node or link.
    """

    hits: ClassVar[Hits]
    needs: ClassVar[type]
    not_on: ClassVar[Mapping[str, str]] = {}
    """The nodes of the system itself that it cannot hit, each with the reason."""

    def refusal(self, target: Target, node: str) -> str | None:  # noqa: ARG002 - a fault may ask the target
        """
        Return why the fault cannot hit a node of a run with this target; None if it can.
        """
        return self.not_on.get(node)

    @abstractmethod
    def apply(self, system: Any, node: str) -> Applied:
        """
        Apply the fault. Return as soon as it is in force, with what was measured so far.

        If it is clear beforehand that nobody would feel the fault, do nothing and raise NotFeltError. Raises any other
        error if the fault could not be applied.
        """

    @abstractmethod
    def prove(self, system: Any, node: str, applied: Applied) -> Proof:
        """
        Prove that the fault, which is in force now, is felt. Return the proof. `applied` is what `apply` returned.

        Raises NotFeltError if it cannot be proved.
        """

    @abstractmethod
    def heal(self, system: Any, node: str) -> None:
        """
        Undo the fault. Return only when a measurement has shown that it is gone. Must do nothing if the fault was never
        applied.
        """

    def apply_and_prove(self, system: Any, node: str) -> Proof:
        """
        Call `apply` and then `prove`, and return the proof. Raises as they do.
        """
        return self.prove(system, node, self.apply(system, node))


def await_answer(ask: Ask, node: str, within: float) -> None:
    """
    Send probes to a node or link until one is answered. If none is within `within` seconds, raise the OSError of the
    last one.
    """
    tenacity.Retrying(
        stop=tenacity.stop_after_delay(within),
        wait=tenacity.wait_fixed(_POLL),
        retry=tenacity.retry_if_exception_type(OSError),
        reraise=True,
    )(ask, node, QUICK)
