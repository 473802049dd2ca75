"""
Faults of links, by Toxiproxy: latency, bandwidth, timeout, reset, slicer, limit_data, slow_close, down.

A fault of a link is proved by probes through it, the smallest exchange that its far end answers, and by connections
of the system that go through it: where nobody else passes, nobody feels it. Each kind says what a probe must show.
The names and attributes are those of Toxiproxy 2.12 (README, "Toxics").
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import tenacity
from pydantic import Field, JsonValue, model_validator

from harness.backends.base import Links, Toxic
from harness.faults.base import Fault, NotFeltError, Proof
from harness.model import Seconds

_PROBES = 5
_PROBES_BEFORE = 3
_USED_WITHIN = 2.0
"""Seconds within which a link that is in use at all carries a connection."""
_QUICK = 5.0
"""Seconds within which a link that nothing is done to answers, however busy the machine is."""
_LEAST = 0.005
"""Seconds by which a toxic must make a probe late at least: less cannot be told from noise."""
_CARRIED = 6
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


def _probe(ask: Ask, link: str, timeout: float) -> Probed:
    try:
        return Probed(ask(link, timeout))
    except TimeoutError:
        return Probed(timeout, "timeout")
    except ConnectionError:
        return Probed(0.0, "broken")


class _Toxic(Fault):
    """
    A fault that is one toxic, on one or both directions of a link.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "links"
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

    def apply(self, system: Links, node: str) -> Proof:
        """
        Proved by a probe that shows the toxic; where only a share of the connections get it, by one of many.

        Toxiproxy hands data to a toxic from the next chunk on, so a probe that is under way may still be quick.
        """
        users, ask = _await_users(system, node), self.asking(system)
        before = _QUICK
        for _ in range(_PROBES_BEFORE):
            before = min(before, ask(node, _QUICK))
            if self.is_quick(before):
                break
        for stream in self._streams():
            system.add_toxic(node, Toxic(self._name(stream), self.type, self.attributes(), stream, self.toxicity))
        during = Probed(0.0)
        for _ in range(round(_PROBES / self.toxicity)):
            during = _probe(ask, node, self.patience())
            if self.is_felt(before, during):
                return {"connections": users, "probe_before_ms": round(before * 1000, 3), "probe_during": during.told}
        raise NotFeltError(
            f"no probe of {node} showed the {self.type} toxic",
            {"probe_before_ms": round(before * 1000, 3), "probe_during": during.told},
        )

    def heal(self, system: Links, node: str) -> None:
        """
        Remove the toxic, of which Toxiproxy says when it is done, and wait until a probe is answered.
        """
        for stream in self._streams():
            system.remove_toxic(node, self._name(stream))
        _await_clean(self.asking(system), node)

    def _streams(self) -> tuple[str, ...]:
        return ("upstream", "downstream") if self.stream == "both" else (self.stream,)

    def _name(self, stream: str) -> str:
        return f"{self.type}_{stream}"


def _is_late(least: float, before: float, during: Probed) -> bool:
    """
    Did the probe take as long as the toxic makes it, and clearly longer than before?
    """
    return during.failure is None and during.seconds >= least and during.seconds - before > least / 2


def _await_users(system: Links, link: str) -> int:
    """
    How many connections of the system go through the link, once there is one. Raises NotFeltError if none comes.
    """
    deadline = time.monotonic() + _USED_WITHIN
    while not (users := system.users(link)):
        if time.monotonic() > deadline:
            raise NotFeltError(f"nobody uses {link}", {"connections": 0})
        time.sleep(0.02)
    return users


def _await_clean(ask: Ask, link: str) -> None:
    """
    Wait until the link carries a probe again.
    """
    tenacity.Retrying(
        stop=tenacity.stop_after_delay(10),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_exception_type(OSError),
        reraise=True,
    )(ask, link, _QUICK)


class Latency(_Toxic):
    """
    Every chunk of data is late by `latency` seconds, give or take up to `jitter` seconds.
    """

    type: ClassVar[str] = "latency"

    latency: Seconds
    jitter: Seconds = 0.0

    @model_validator(mode="after")
    def _can_be_proved(self) -> Latency:
        if self._adds() < _LEAST:
            raise ValueError(
                f"latency - jitter is {self._adds() * 1000:g} ms: a probe that is less than {_LEAST * 1000:g} ms late "
                "cannot be told from noise, so it would prove nothing"
            )
        return self

    def _adds(self) -> float:
        return round(self.latency - self.jitter, 6)

    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Milliseconds.
        """
        return {"latency": round(self.latency * 1000), "jitter": round(self.jitter * 1000)}

    def patience(self) -> float:
        """
        Both directions may be late.
        """
        return 2 * (self.latency + self.jitter) + _QUICK

    def is_quick(self, before: float) -> bool:
        """
        Well below what the toxic adds.
        """
        return before < self._adds() / 4

    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The probe took as long as the toxic makes it, and clearly longer than before.
        """
        return _is_late(self._adds(), before, during)


class Timeout(_Toxic):
    """
    A black hole: connections are accepted, nothing comes through, nothing is closed.
    """

    type: ClassVar[str] = "timeout"

    def attributes(self) -> Mapping[str, JsonValue]:
        """
        0: data is held until the toxic is removed, then the connection is closed.
        """
        return {"timeout": 0}

    def patience(self) -> float:
        """
        Long enough that a slow answer is not taken for none.
        """
        return 0.5

    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The probe got no answer, when one just before got one well within the time.

        No answer can also be an early end: a server that closes after answering closes an answer that was swallowed.
        """
        return during.failure is not None and before < self.patience() / 2


class Reset(_Toxic):
    """
    Connections are broken by a TCP reset, `after` seconds from their first data.
    """

    type: ClassVar[str] = "reset_peer"

    after: Seconds = 0.0

    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Milliseconds.
        """
        return {"timeout": round(self.after * 1000)}

    def patience(self) -> float:
        """
        The reset comes late if it is told to.
        """
        return self.after + _QUICK

    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The probe's connection broke.
        """
        return before > 0 and during.failure == "broken"


class LimitData(_Toxic):
    """
    Each connection is closed once `bytes` bytes went through.
    """

    type: ClassVar[str] = "limit_data"

    bytes: Annotated[int, Field(ge=0)]

    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Bytes.
        """
        return {"bytes": self.bytes}

    def patience(self) -> float:
        """
        It shows at once or not at all.
        """
        return _QUICK

    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The probe's connection was closed before it had its answer: only small limits can be proved.
        """
        return before > 0 and during.failure == "broken"


class SlowClose(_Toxic):
    """
    The end of a connection is late by `delay` seconds; what goes through before is not. Whoever waits for the other
    side to close waits, and connections that are of no use any more pile up.
    """

    type: ClassVar[str] = "slow_close"

    delay: Annotated[Seconds, Field(gt=0)]

    @model_validator(mode="after")
    def _can_be_proved(self) -> SlowClose:
        if self.delay < _LEAST:
            raise ValueError(
                f"delay is {self.delay * 1000:g} ms: an end that is less than {_LEAST * 1000:g} ms late cannot be told "
                "from noise, so it would prove nothing"
            )
        return self

    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Milliseconds.
        """
        return {"delay": round(self.delay * 1000)}

    def patience(self) -> float:
        """
        Both directions may be late.
        """
        return 2 * self.delay + _QUICK

    def asking(self, system: Links) -> Ask:
        """
        No exchange shows it, only the end of a connection.
        """
        return system.probe_end

    def is_quick(self, before: float) -> bool:
        """
        Well below what the toxic adds.
        """
        return before < self.delay / 4

    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The end took as long as the toxic makes it, and clearly longer than before.
        """
        return _is_late(self.delay, before, during)


class Bandwidth(_Toxic):
    """
    No more than `rate` KB a second go through; 0 lets nothing through at all.

    A probe is a few bytes, so only a rate that makes even those late can be proved.
    """

    type: ClassVar[str] = "bandwidth"

    rate: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _can_be_proved(self) -> Bandwidth:
        if self.rate and self._adds() < _LEAST:
            raise ValueError(
                f"a rate of {self.rate} KB/s makes the {_CARRIED} bytes of a probe {self._adds() * 1000:.3g} ms late, "
                f"and less than {_LEAST * 1000:g} ms cannot be told from noise: "
                f"rates from 0 to {int(_CARRIED / _LEAST / 1000)} can be proved"
            )
        return self

    def _adds(self) -> float:
        """
        Seconds for which Toxiproxy holds a probe's bytes: a millisecond for each `rate` of them (bandwidth.go, 2.12).
        """
        return _CARRIED / self.rate / 1000

    def attributes(self) -> Mapping[str, JsonValue]:
        """
        KB/s.
        """
        return {"rate": self.rate}

    def patience(self) -> float:
        """
        0 lets nothing through at all, which a slow answer must not be taken for.
        """
        return _QUICK if self.rate else 1.0

    def is_quick(self, before: float) -> bool:
        """
        Well below what the toxic adds.
        """
        return before < (self._adds() if self.rate else self.patience()) / 4

    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The probe was as late as the rate makes it; at 0 it had no answer, when one just before had one well in time.
        """
        if self.rate:
            return _is_late(self._adds(), before, during)
        return during.failure == "timeout" and before < self.patience() / 2


class Slicer(_Toxic):
    """
    Data goes in slices of `size` bytes, give or take up to `variation`, with `delay` seconds between them.
    """

    type: ClassVar[str] = "slicer"

    size: Annotated[int, Field(ge=1)] = 1
    variation: Annotated[int, Field(ge=0)] = 0
    delay: Seconds = 0.01

    @model_validator(mode="after")
    def _can_be_proved(self) -> Slicer:
        if self._adds() < _LEAST:
            raise ValueError(
                f"slices of this size with {self.delay * 1000:g} ms between them make a probe "
                f"{self._adds() * 1000:g} ms late, and less than {_LEAST * 1000:g} ms cannot be told from noise: "
                f"a delay of at least {_LEAST / self._pauses() * 1000:.3g} ms can be proved"
            )
        return self

    def _pauses(self) -> int:
        """
        A slice is never longer than `size` + `variation` (slicer.go, 2.12), and no pause is waited for after the last.
        What a probe carries may be one slice on one link and two on another: it is proved by one pause then, or not.
        """
        return max(1, math.ceil(_CARRIED / (self.size + self.variation)) - 1)

    def _adds(self) -> float:
        return round(self._pauses() * self.delay, 6)

    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Bytes, and microseconds.
        """
        return {"average_size": self.size, "size_variation": self.variation, "delay": round(self.delay * 1e6)}

    def patience(self) -> float:
        """
        A probe's answer is a few bytes: as many slices at most.
        """
        return 64 * self.delay + _QUICK

    def is_quick(self, before: float) -> bool:
        """
        Well below what the toxic adds.
        """
        return before < self._adds() / 4

    def is_felt(self, before: float, during: Probed) -> bool:
        """
        The answer was as late as the pauses make it, and clearly later than before.
        """
        return _is_late(self._adds(), before, during)


class Down(Fault):
    """
    The link is down: its listener is closed, every connection breaks, new ones are refused.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "links"
    needs: ClassVar[type] = Links

    def apply(self, system: Links, node: str) -> Proof:
        """
        Proved by a probe that is refused, when one just before was answered.
        """
        users = _await_users(system, node)
        before = system.probe(node, _QUICK)
        system.disable(node)
        during = _probe(system.probe, node, _QUICK)
        proof: Proof = {"connections": users, "probe_before_ms": round(before * 1000, 3), "probe_during": during.told}
        if during.failure != "broken":
            raise NotFeltError(f"a probe of {node} was not refused", proof)
        return proof

    def heal(self, system: Links, node: str) -> None:
        """
        Open the listener again and wait until a probe is answered.
        """
        system.enable(node)
        _await_clean(system.probe, node)
