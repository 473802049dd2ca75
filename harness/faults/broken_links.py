"""
Faults that break links: timeout, reset, limit_data, down.

Each class says what a probe must show (`harness.faults.toxic`). The names and attributes are those of Toxiproxy 2.12
(README, "Toxics").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue
from typing_extensions import override

from harness.backends.base import Links
from harness.faults.base import QUICK, Fault, Hits, NotFeltError, Proof, await_answer
from harness.faults.toxic import CLEAN_WITHIN, Before, Probed, ToxicFault, await_users, probe
from harness.model import Seconds


class Timeout(ToxicFault):
    """
    A black hole: connections are accepted, nothing comes through, nothing is closed.
    """

    type: ClassVar[str] = "timeout"

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Return a time-out of 0: Toxiproxy holds data until the toxic is removed, and then closes the connection.
        """
        return {"timeout": 0}

    @override
    def patience(self) -> float:
        """
        Return a time, in seconds, that is long enough: a slow answer must not look like no answer.
        """
        return 0.5

    @override
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        Return whether the probe got no answer, although a probe just before got one well within the time.

        An early end also counts as no answer: a server that closes the connection after its answer also closes it when
        the toxic has swallowed that answer.
        """
        return during.failure is not None and before < self.patience() / 2


class Reset(ToxicFault):
    """
    Connections are broken by a TCP reset, `after` seconds after their first data.
    """

    type: ClassVar[str] = "reset_peer"

    after: Seconds = 0.0

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Return the time-out, in milliseconds.
        """
        return {"timeout": round(self.after * 1000)}

    @override
    def patience(self) -> float:
        """
        Return `after` and the usual seconds: the reset may come that late.
        """
        return self.after + QUICK

    @override
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        Return whether the connection of the probe broke.
        """
        return before > 0 and during.failure == "broken"


class LimitData(ToxicFault):
    """
    Each connection is closed after `bytes` bytes went through.
    """

    type: ClassVar[str] = "limit_data"

    bytes: Annotated[int, Field(ge=0)]

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Return the limit, in bytes.
        """
        return {"bytes": self.bytes}

    @override
    def patience(self) -> float:
        """
        Return the usual seconds: the toxic shows at once, or not at all.
        """
        return QUICK

    @override
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        Return whether the connection of the probe was closed before the answer came. So only small limits can be
        proved.
        """
        return before > 0 and during.failure == "broken"


class Down(Fault[Before]):
    """
    The link is down: its listener is closed, every connection breaks, and new connections are refused.
    """

    hits: ClassVar[Hits] = "links"
    needs: ClassVar[type] = Links

    @override
    def apply(self, system: Links, node: str) -> Before:
        """
        Close the link. Return its state just before. Raises NotFeltError if nobody uses the link.
        """
        before = Before(await_users(system, node), system.probe(node, QUICK))
        system.disable(node)
        return before

    @override
    def prove(self, system: Links, node: str, applied: Before) -> Proof:
        """
        Proved by a probe that is refused, although the probe just before was answered.
        """
        during = probe(system.probe, node, QUICK)
        proof: Proof = applied.proof | {"probe_during": during.told}
        if during.failure != "broken":
            raise NotFeltError(f"a probe of {node} was not refused", proof)
        return proof

    @override
    def heal(self, system: Links, node: str) -> None:
        """
        Open the listener again, and wait until a probe is answered.
        """
        system.enable(node)
        await_answer(system.probe, node, CLEAN_WITHIN)
