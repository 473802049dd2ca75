"""
A fault of a link that is one toxic of Toxiproxy, and the probing that proves such faults.

A fault of a link is proved by probes through it, the smallest exchange that its far end answers, and by connections
of the system that go through it: where nobody else passes, nobody feels it.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import tenacity
from pydantic import Field, JsonValue
from typing_extensions import override

from harness.backends.base import Links, Toxic
from harness.faults.base import Fault, Hits, NotFeltError, Proof

_PROBES = 5
_PROBES_BEFORE = 3
_USED_WITHIN = 2.0
"""Seconds within which a link that is in use at all carries a connection."""
QUICK = 5.0
"""Seconds within which a link that nothing is done to answers, however busy the machine is."""
LEAST = 0.005
"""Seconds by which a toxic must make a probe late at least: less cannot be told from noise."""
CARRIED = 6
"""Bytes that every probe carries, either way: a PING to Redis is the smallest."""


Ask = Callable[[str, float], float]
"""Puts a probe through a link, as `Links.probe`."""


@dataclass(frozen=True)
class Probed:
    """
    What a probe showed: the seconds it took, or how it failed.
    """

    seconds: float
    failure: Literal["timeout", "broken"] | None = None

    @property
    def told(self) -> JsonValue:
        """
        In words or milliseconds, for the proof.
        """
        return self.failure or round(self.seconds * 1000, 3)


@dataclass(frozen=True)
class Before:
    """
    A link just before a fault: the connections of the system that go through it, and the seconds that a probe took.
    """

    connections: int
    seconds: float

    @property
    def proof(self) -> dict[str, JsonValue]:
        """
        For the proof of the fault.
        """
        return {"connections": self.connections, "probe_before_ms": round(self.seconds * 1000, 3)}


def probe(ask: Ask, link: str, timeout: float) -> Probed:
    """
    One probe through a link, which waits for at most `timeout` seconds; what it showed, also where it failed.
    """
    try:
        return Probed(ask(link, timeout))
    except TimeoutError:
        return Probed(timeout, "timeout")
    except ConnectionError:
        return Probed(0.0, "broken")


class ToxicFault(Fault[Before]):
    """
    A fault that is one toxic, on one or both directions of a link.
    """

    hits: ClassVar[Hits] = "links"
    needs: ClassVar[type] = Links
    type: ClassVar[str]

    stream: Literal["upstream", "downstream", "both"] = "downstream"
    toxicity: Annotated[float, Field(gt=0, le=1, description="share of the connections that get the toxic")] = 1.0

    @abstractmethod
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        The toxic's attributes, in Toxiproxy's names and units.
        """

    @abstractmethod
    def patience(self) -> float:
        """
        Seconds that a probe waits at most: longer than the toxic needs to show itself.
        """

    @abstractmethod
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        Does a probe show the toxic, when the quickest one just before took `before` seconds?
        """

    def is_quick(self, before: float) -> bool:
        """
        Will the toxic stand out from a probe that took `before` seconds? If not, another is tried before it is added.
        """
        return before < self.patience() / 4

    def asking(self, system: Links) -> Ask:
        """
        The probe that shows the toxic.
        """
        return system.probe

    @override
    def apply(self, system: Links, node: str) -> Before:
        """
        Raises NotFeltError if nobody uses the link.
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
        Proved by a probe that shows the toxic; where only a share of the connections get it, by one of many.

        Toxiproxy hands data to a toxic from the next chunk on, so a probe that is under way may still be quick.
        """
        ask, during = self.asking(system), Probed(0.0)
        for _ in range(round(_PROBES / self.toxicity)):
            during = probe(ask, node, self.patience())
            if self.is_felt(applied.seconds, during):
                return applied.proof | {"probe_during": during.told}
        raise NotFeltError(
            f"no probe of {node} showed the {self.type} toxic", applied.proof | {"probe_during": during.told}
        )

    @override
    def heal(self, system: Links, node: str) -> None:
        """
        Remove the toxic, of which Toxiproxy says when it is done, and wait until a probe is answered.
        """
        for stream in self._streams():
            system.remove_toxic(node, self._name(stream))
        await_clean(self.asking(system), node)

    def _streams(self) -> tuple[str, ...]:
        return ("upstream", "downstream") if self.stream == "both" else (self.stream,)

    def _name(self, stream: str) -> str:
        return f"{self.type}_{stream}"


def is_late(least: float, before: float, during: Probed) -> bool:
    """
    Did the probe take as long as the toxic makes it, and clearly longer than before?
    """
    return during.failure is None and during.seconds >= least and during.seconds - before > least / 2


def await_users(system: Links, link: str) -> int:
    """
    How many connections of the system go through the link, once there is one. Raises NotFeltError if none comes.
    """
    deadline = time.monotonic() + _USED_WITHIN
    while not (users := system.users(link)):
        if time.monotonic() > deadline:
            raise NotFeltError(f"nobody uses {link}", {"connections": 0})
        time.sleep(0.02)
    return users


def await_clean(ask: Ask, link: str) -> None:
    """
    Wait until the link carries a probe again.
    """
    tenacity.Retrying(
        stop=tenacity.stop_after_delay(10),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_exception_type(OSError),
        reraise=True,
    )(ask, link, QUICK)
