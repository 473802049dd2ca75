"""
Faults of a link that consist of one toxic of Toxiproxy, and the probes that prove such faults.

Two things prove a fault of a link: probes through the link, which are the smallest exchange that its far end answers,
and connections of the system through the link. If nobody else uses the link, nobody can feel the fault.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue
from typing_extensions import override

from harness.backends.base import Links, Toxic
from harness.faults.base import QUICK, Ask, Fault, Hits, NotFeltError, Proof, await_answer

_PROBES = 5
_PROBES_BEFORE = 3
_USED_WITHIN = 2.0
"""Seconds. A link that the system uses has a connection within this time."""
_SURE = 1e-6
"""
With `toxicity` below 1, Toxiproxy gives a share of the connections the toxic, and does not tell which. If the chance
that no connection of the system has it is at most this, one of them is taken to have it.
"""
LEAST = 0.005
"""Seconds. A toxic must delay a probe by at least this much. A smaller delay cannot be told from noise."""
CARRIED = 6
"""Bytes that every probe carries at least, in each direction. A PING to Redis is the smallest probe."""
CLEAN_WITHIN = 10.0
"""Seconds. A link carries a probe again within this time after its fault was undone."""


@dataclass(frozen=True)
class Probed:
    """
    The result of a probe: the seconds that it took, or how it failed.
    """

    seconds: float
    failure: Literal["timeout", "broken"] | None = None

    @property
    def told(self) -> JsonValue:
        """
        The result for the proof: the failure in words, or milliseconds.
        """
        return self.failure or round(self.seconds * 1000, 3)


@dataclass(frozen=True)
class Before:
    """
    The state of a link just before a fault: the number of connections of the system that go through it, and the seconds
    that a probe took.
    """

    connections: int
    seconds: float

    @property
    def proof(self) -> dict[str, JsonValue]:
        """
        This state for the proof of the fault.
        """
        return {"connections": self.connections, "probe_before_ms": round(self.seconds * 1000, 3)}


def probe(ask: Ask, link: str, timeout: float) -> Probed:
    """
    Send one probe through a link and wait for at most `timeout` seconds. Return its result, also if it failed.
    """
    try:
        return Probed(ask(link, timeout))
    except TimeoutError:
        return Probed(timeout, "timeout")
    except ConnectionError:
        return Probed(0.0, "broken")


class ToxicFault(Fault[Before]):
    """
    A fault that is one toxic, in one or both directions of a link.
    """

    hits: ClassVar[Hits] = "links"
    needs: ClassVar[type] = Links
    type: ClassVar[str]

    stream: Literal["upstream", "downstream", "both"] = "downstream"
    toxicity: Annotated[float, Field(gt=0, le=1, description="share of the connections that get the toxic")] = 1.0

    @abstractmethod
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Return the attributes of the toxic, with the names and units of Toxiproxy.
        """

    @abstractmethod
    def patience(self) -> float:
        """
        Return the seconds that a probe waits at most. This must be longer than the toxic needs to show its effect.
        """

    @abstractmethod
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        Return whether the probe `during` shows the toxic. The quickest probe just before took `before` seconds.
        """

    def is_quick(self, before: float) -> bool:
        """
        Return whether the toxic can be told from a probe that took `before` seconds without it. If not, another probe
        is tried before the toxic is added.
        """
        return before < self.patience() / 4

    def asking(self, system: Links) -> Ask:
        """
        Return the kind of probe that shows the toxic.
        """
        return system.probe

    @override
    def apply(self, system: Links, node: str) -> Before:
        """
        Add the toxic. Return the state of the link just before. Raises NotFeltError if nobody uses the link.
        """
        users, ask = await_users(system, node), self.asking(system)
        seconds = QUICK
        for _ in range(_PROBES_BEFORE):
            seconds = min(seconds, ask(node, QUICK))
            if self.is_quick(seconds):
                break
        for stream in self._streams():
            system.add_toxic(node, Toxic(self._name(stream), self.type, self.attributes(), stream, self.toxicity))
        return Before(users, seconds)

    @override
    def prove(self, system: Links, node: str, applied: Before) -> Proof:
        """
        Proved by a probe that shows the toxic. If only a share of the connections gets the toxic, more probes are
        tried. Then a probe alone proves nothing, because Toxiproxy decides by chance for each connection (2.12,
        `ToxicStub.Run`). The system's own connections last as long as the run, and perhaps none of them has the toxic.
        So there must be many of them.

        Toxiproxy gives data to a new toxic from the next chunk on, so a probe that has already begun may still be
        quick.
        """
        ask, during = self.asking(system), Probed(0.0)
        for _ in range(round(_PROBES / self.toxicity)):
            during = probe(ask, node, self.patience())
            if self.is_felt(applied.seconds, during):
                return self._reached(system, node, applied.proof | {"probe_during": during.told})
        raise NotFeltError(
            f"no probe of {node} showed the {self.type} toxic", applied.proof | {"probe_during": during.told}
        )

    def _reached(self, system: Links, node: str, proof: dict[str, JsonValue]) -> Proof:
        """
        Return the proof if a connection of the system has the toxic. Raises NotFeltError if that cannot be told.
        """
        if self.toxicity == 1:
            return proof
        users = system.users(node)
        spared = (1 - self.toxicity) ** users
        proof |= {"connections_during": users, "all_spared": round(spared, 6)}
        if spared > _SURE:
            raise NotFeltError(
                f"a probe of {node} had the {self.type} toxic; whether one of the system's {users} connections has it "
                f"cannot be told: with toxicity {self.toxicity:g} all of them are spared with a chance of {spared:.2g}",
                proof,
            )
        return proof

    @override
    def heal(self, system: Links, node: str) -> None:
        """
        Remove the toxic, which Toxiproxy confirms, and wait until a probe is answered.
        """
        for stream in self._streams():
            system.remove_toxic(node, self._name(stream))
        await_answer(self.asking(system), node, CLEAN_WITHIN)

    def _streams(self) -> tuple[str, ...]:
        return ("upstream", "downstream") if self.stream == "both" else (self.stream,)

    def _name(self, stream: str) -> str:
        return f"{self.type}_{stream}"


def await_users(system: Links, link: str) -> int:
    """
    Wait until a connection of the system goes through the link, and return how many there are. Raises NotFeltError if
    there is none in time.
    """
    deadline = time.monotonic() + _USED_WITHIN
    while not (users := system.users(link)):
        if time.monotonic() > deadline:
            raise NotFeltError(f"nobody uses {link}", {"connections": 0})
        time.sleep(0.02)
    return users
