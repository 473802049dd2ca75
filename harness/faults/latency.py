"""
Latency: everything that comes back through a link is late (Toxiproxy's `latency` toxic).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import tenacity

from harness.backends.base import Links, Toxic
from harness.faults.base import Fault, NotFeltError, Proof
from harness.model import Seconds

_PROBES = 3


class Latency(Fault):
    """
    `latency` seconds, give or take up to `jitter` seconds, on every chunk of data in the downstream direction.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "links"
    needs: ClassVar[type] = Links

    latency: Seconds
    jitter: Seconds = 0.0

    def apply(self, system: Links, node: str) -> Proof:
        """
        Proved by a probe through the link that takes as long as the toxic makes it, when one just before did not.

        Toxiproxy hands data to a toxic from the next chunk on, so a probe that is under way may still be quick.
        """
        timeout = 4 * (self.latency + self.jitter) + 5
        least = self.latency - self.jitter
        before = min(system.probe(node, timeout) for _ in range(_PROBES))
        system.add_toxic(
            node,
            Toxic(
                name="latency",
                type="latency",
                attributes={"latency": round(self.latency * 1000), "jitter": round(self.jitter * 1000)},
            ),
        )
        for _ in range(_PROBES):
            during = system.probe(node, timeout)
            felt = during >= least and during - before > least / 2
            if felt:
                break
        proof: Proof = {"probe_before_ms": round(before * 1000, 3), "probe_during_ms": round(during * 1000, 3)}
        if not felt:
            raise NotFeltError(f"a probe of {node} was no slower than before", proof)
        return proof

    def heal(self, system: Links, node: str) -> None:
        """
        Remove the toxic and wait until a probe is quick again.
        """
        system.remove_toxic(node, "latency")
        clean = max(0.05, (self.latency - self.jitter) / 2)
        tenacity.Retrying(
            stop=tenacity.stop_after_delay(10),
            retry=tenacity.retry_if_result(lambda took: took > clean),
        )(system.probe, node, 5.0)
