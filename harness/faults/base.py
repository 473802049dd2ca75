"""
What a fault is: settings, apply, prove, heal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import JsonValue

from harness.model import Value

Proof = Mapping[str, JsonValue]
"""What shows that a fault was felt, as plain JSON: measured, never assumed."""


Hits = Literal["nodes", "links", "services"]
"""What a fault can hit: any node, any link, or a service of the target that can be told to misbehave."""


class NotFeltError(Exception):
    """
    The fault was applied but could not be proved. `proof` holds what was measured instead.
    """

    def __init__(self, message: str, proof: Proof) -> None:
        super().__init__(message)
        self.proof = proof


Applied = TypeVar("Applied")
"""What `apply` measured, for `prove`: how things were before, and what was done."""


class Fault(Value, ABC, Generic[Applied]):
    """
    One kind of fault: a frozen model whose fields are its settings.

    An implementation must keep no state: the same value is used for several nodes, at once. `system` is the
    backend; it satisfies `needs`, which was checked before the run began.
    """

    hits: ClassVar[Hits]
    needs: ClassVar[type]

    @abstractmethod
    def apply(self, system: Any, node: str) -> Applied:
        """
        Do it, and return as soon as it is in force, with what was measured until then.

        Raises NotFeltError if it is clear beforehand that nobody would feel it, and does nothing then; any other error
        if it could not be done.
        """

    @abstractmethod
    def prove(self, system: Any, node: str, applied: Applied) -> Proof:
        """
        Prove that it is felt, now that it is in force; `applied` is what `apply` returned.

        Raises NotFeltError if it cannot be proved.
        """

    @abstractmethod
    def heal(self, system: Any, node: str) -> None:
        """
        Undo it, and return only once it is proved to be gone. Must do nothing if it was never applied.
        """

    def apply_and_prove(self, system: Any, node: str) -> Proof:
        """
        Both, one after the other. Raises as they do.
        """
        return self.prove(system, node, self.apply(system, node))
