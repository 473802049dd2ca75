"""
Faults that break links: timeout, reset, limit_data, down.

Each kind says what a probe must show (`harness.faults.toxic`). The names and attributes are those of Toxiproxy 2.12
(README, "Toxics").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue
from typing_extensions import override

from harness.backends.base import Links
from harness.faults.base import Fault, Hits, NotFeltError, Proof
from harness.faults.toxic import (
    QUICK,
    Before,
    Probed,
    ToxicFault,
    await_clean,
    await_users,
    probe,
)
from harness.model import Seconds


class Timeout(ToxicFault):
    """
    A black hole: connections are accepted, nothing comes through, nothing is closed.
    """

    type: ClassVar[str] = "timeout"

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        0: data is held until the toxic is removed, then the connection is closed.
        """
        return {"timeout": 0}

    @override
    def patience(self) -> float:
        """
        Long enough that a slow answer is not taken for none.
        """
        return 0.5

    @override
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The probe got no answer, when one just before got one well within the time.

        No answer can also be an early end: a server that closes after answering closes an answer that was swallowed.
        """
        return during.failure is not None and before < self.patience() / 2


class Reset(ToxicFault):
    """
    Connections are broken by a TCP reset, `after` seconds from their first data.
    """

    type: ClassVar[str] = "reset_peer"

    after: Seconds = 0.0

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Milliseconds.
        """
        return {"timeout": round(self.after * 1000)}

    @override
    def patience(self) -> float:
        """
        The reset comes late if it is told to.
        """
        return self.after + QUICK

    @override
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The probe's connection broke.
        """
        return before > 0 and during.failure == "broken"


class LimitData(ToxicFault):
    """
    Each connection is closed once `bytes` bytes went through.
    """

    type: ClassVar[str] = "limit_data"

    bytes: Annotated[int, Field(ge=0)]

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Bytes.
        """
        return {"bytes": self.bytes}

    @override
    def patience(self) -> float:
        """
        It shows at once or not at all.
        """
        return QUICK

    @override
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The probe's connection was closed before it had its answer: only small limits can be proved.
        """
        return before > 0 and during.failure == "broken"


class Down(Fault[Before]):
    """
    The link is down: its listener is closed, every connection breaks, new ones are refused.
    """

    hits: ClassVar[Hits] = "links"
    needs: ClassVar[type] = Links

    @override
    def apply(self, system: Links, node: str) -> Before:
        """
        Raises NotFeltError if nobody uses the link.
        """
        before = Before(await_users(system, node), system.probe(node, QUICK))
        system.disable(node)
        return before

    @override
    def prove(self, system: Links, node: str, applied: Before) -> Proof:
        """
        Proved by a probe that is refused, when the one just before was answered.
        """
        during = probe(system.probe, node, QUICK)
        proof: Proof = applied.proof | {"probe_during": during.told}
        if during.failure != "broken":
            raise NotFeltError(f"a probe of {node} was not refused", proof)
        return proof

    @override
    def heal(self, system: Links, node: str) -> None:
        """
        Open the listener again and wait until a probe is answered.
        """
        system.enable(node)
        await_clean(system.probe, node)
