"""
Faults of the outside world: a service fails, is slow, loses its answers after it has committed, or gets its requests
twice. A fault of a link can do some of this to bytes, but only the service itself knows when it commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import tenacity
from pydantic import Field, model_validator
from typing_extensions import override

from harness.backends.base import Misbehaves
from harness.faults.base import Fault, Hits, NotFeltError, Proof
from harness.model import Seconds

Share = Annotated[float, Field(ge=0, le=1)]

_KINDS = ("errors", "slow", "lost", "twice")


class Misbehave(Fault[Mapping[str, int]]):
    """
    A service misbehaves. Each setting is a share of its requests, from 0 to 1: `errors` fail before anything happened,
    `slow` are answered `delay` seconds later, `lost` are committed and get no answer, `twice` are carried out twice.
    """

    hits: ClassVar[Hits] = "services"
    needs: ClassVar[type] = Misbehaves
    patience: ClassVar[float] = 10.0
    """Seconds within which each requested kind of misbehaviour must have hit a request."""

    errors: Share = 0.0
    slow: Share = 0.0
    delay: Seconds = 1.0
    lost: Share = 0.0
    twice: Share = 0.0

    @model_validator(mode="after")
    def _does_something(self) -> Misbehave:
        if not self._wanted():
            raise ValueError(f"at least one of {', '.join(_KINDS)} must be above 0")
        return self

    @override
    def apply(self, system: Misbehaves, node: str) -> Mapping[str, int]:
        """
        Make the service misbehave. Return how often it had shown each kind of misbehaviour before.
        """
        before = system.misbehave(node, None)
        system.misbehave(node, {**self._wanted(), "delay": self.delay})
        return before

    @override
    def prove(self, system: Misbehaves, node: str, applied: Mapping[str, int]) -> Proof:
        """
        Proved by the service's own counts: since then, each kind of misbehaviour hit at least one request of the
        system.
        """

        def met() -> dict[str, int]:
            now = system.misbehave(node, None)
            return {kind: now.get(kind, 0) - applied.get(kind, 0) for kind in self._wanted()}

        try:
            seen = tenacity.Retrying(
                stop=tenacity.stop_after_delay(self.patience),
                wait=tenacity.wait_fixed(0.05),
                retry=tenacity.retry_if_result(lambda counts: not all(counts.values())),
            )(met)
        except tenacity.RetryError as error:
            raise NotFeltError(f"no request met each kind of trouble that {node} was to make", {**met()}) from error
        return {**seen}

    @override
    def heal(self, system: Misbehaves, node: str) -> None:
        """
        Tell the service to behave, and check that it accepts this.
        """
        system.misbehave(node, {})

    def _wanted(self) -> Mapping[str, float]:
        return {kind: share for kind in _KINDS if (share := getattr(self, kind)) > 0}
