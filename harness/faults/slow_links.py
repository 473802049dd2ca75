"""
Faults that make links slow: latency, bandwidth, slicer, slow_close.

Each class says what a probe must show (`harness.faults.toxic`). The names and attributes are those of Toxiproxy 2.12
(README, "Toxics").
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue, model_validator
from typing_extensions import override

from harness.backends.base import Links
from harness.faults.base import QUICK, Ask
from harness.faults.toxic import CARRIED, LEAST, Probed, ToxicFault
from harness.model import Seconds


class _Delay(ToxicFault):
    """
    A toxic that makes a probe late by a known time.
    """

    @abstractmethod
    def _adds(self) -> float:
        """
        Return the seconds by which the toxic makes a probe late, at least.
        """

    @override
    def is_quick(self, before: float) -> bool:
        """
        Return whether the probe took much less time than the toxic adds.
        """
        return before < self._adds() / 4

    @override
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        Return whether the probe took at least the time that the toxic adds, and clearly longer than before.
        """
        least = self._adds()
        return during.failure is None and during.seconds >= least and during.seconds - before > least / 2


class Latency(_Delay):
    """
    Every chunk of data is delayed by `latency` seconds, plus or minus at most `jitter` seconds.
    """

    type: ClassVar[str] = "latency"

    latency: Seconds
    jitter: Seconds = 0.0

    @model_validator(mode="after")
    def _can_be_proved(self) -> Latency:
        if self._adds() < LEAST:
            raise ValueError(
                f"latency - jitter is {self._adds() * 1000:g} ms: a probe that is less than {LEAST * 1000:g} ms late "
                "cannot be told from noise, so it would prove nothing"
            )
        return self

    @override
    def _adds(self) -> float:
        return round(self.latency - self.jitter, 6)

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Return latency and jitter, in milliseconds.
        """
        return {"latency": round(self.latency * 1000), "jitter": round(self.jitter * 1000)}

    @override
    def patience(self) -> float:
        """
        Return enough seconds for a delay in both directions.
        """
        return 2 * (self.latency + self.jitter) + QUICK


class Bandwidth(_Delay):
    """
    At most `rate` KB per second go through the link. With 0, nothing goes through.

    A probe has only a few bytes, so a rate can be proved only if it delays even these.
    """

    type: ClassVar[str] = "bandwidth"

    rate: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _can_be_proved(self) -> Bandwidth:
        if self.rate and self._adds() < LEAST:
            raise ValueError(
                f"a rate of {self.rate} KB/s makes the {CARRIED} bytes of a probe {self._adds() * 1000:.3g} ms late, "
                f"and less than {LEAST * 1000:g} ms cannot be told from noise: "
                f"rates from 0 to {int(CARRIED / LEAST / 1000)} can be proved"
            )
        return self

    @override
    def _adds(self) -> float:
        """
        Return the seconds for which Toxiproxy holds the bytes of a probe: one millisecond per `rate` bytes
        (bandwidth.go, 2.12).
        """
        return CARRIED / self.rate / 1000

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Return the rate, in KB per second.
        """
        return {"rate": self.rate}

    @override
    def patience(self) -> float:
        """
        Return the seconds that a probe waits. With a rate of 0 nothing comes through, and a slow answer must not look
        like that.
        """
        return QUICK if self.rate else 1.0

    @override
    def is_quick(self, before: float) -> bool:
        """
        Return whether the probe took much less time than the toxic adds.
        """
        return super().is_quick(before) if self.rate else before < self.patience() / 4

    @override
    def is_felt(self, before: float, during: Probed) -> bool:
        """
        Return whether the probe was as late as the rate makes it. With a rate of 0: whether it got no answer, although
        a probe just before got one well within the time.
        """
        if self.rate:
            return super().is_felt(before, during)
        return during.failure == "timeout" and before < self.patience() / 2


class Slicer(_Delay):
    """
    Data goes through in slices of `size` bytes, plus or minus at most `variation`, with `delay` seconds between them.
    """

    type: ClassVar[str] = "slicer"

    size: Annotated[int, Field(ge=1)] = 1
    variation: Annotated[int, Field(ge=0)] = 0
    delay: Seconds = 0.01

    @model_validator(mode="after")
    def _can_be_proved(self) -> Slicer:
        if self._adds() < LEAST:
            raise ValueError(
                f"slices of this size with {self.delay * 1000:g} ms between them make a probe "
                f"{self._adds() * 1000:g} ms late, and less than {LEAST * 1000:g} ms cannot be told from noise: "
                f"a delay of at least {LEAST / self._pauses() * 1000:.3g} ms can be proved"
            )
        return self

    def _pauses(self) -> int:
        """
        Return the number of pauses in a probe, at least. A slice is never longer than `size` + `variation` (slicer.go,
        2.12), and there is no pause after the last slice.
        What a probe carries may be one slice on one link and two on another: it is proved by one pause then, or not.
        """
        return max(1, math.ceil(CARRIED / (self.size + self.variation)) - 1)

    @override
    def _adds(self) -> float:
        return round(self._pauses() * self.delay, 6)

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Return the sizes in bytes and the delay in microseconds.
        """
        return {"average_size": self.size, "size_variation": self.variation, "delay": round(self.delay * 1e6)}

    @override
    def patience(self) -> float:
        """
        Return enough seconds for the answer of a probe, which has a few bytes and so at most a few slices.
        """
        return 64 * self.delay + QUICK


class SlowClose(_Delay):
    """
    The end of a connection is delayed by `delay` seconds; the data before it is not. Whoever waits for the other side
    to close has to wait, and connections that are no longer used accumulate.
    """

    type: ClassVar[str] = "slow_close"

    delay: Annotated[Seconds, Field(gt=0)]

    @model_validator(mode="after")
    def _can_be_proved(self) -> SlowClose:
        if self._adds() < LEAST:
            raise ValueError(
                f"delay is {self.delay * 1000:g} ms: an end that is less than {LEAST * 1000:g} ms late cannot be told "
                "from noise, so it would prove nothing"
            )
        return self

    @override
    def _adds(self) -> float:
        return self.delay

    @override
    def attributes(self) -> Mapping[str, JsonValue]:
        """
        Return the delay, in milliseconds.
        """
        return {"delay": round(self.delay * 1000)}

    @override
    def patience(self) -> float:
        """
        Return enough seconds for a delay in both directions.
        """
        return 2 * self.delay + QUICK

    @override
    def asking(self, system: Links) -> Ask:
        """
        Return the probe that ends a connection. No exchange of data shows this toxic.
        """
        return system.probe_end
