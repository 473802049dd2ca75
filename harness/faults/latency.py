"""
Latency: everything that comes back through a link is late (Toxiproxy's `latency` toxic).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import tenacity

from harness.backends.base import Links, Toxic
from harness.faults.base import Fault, NotFeltError, Proof
from harness.model import Seconds

_PROOF_TRIES = 5


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
        Proved by a probe through the link that takes at least `latency - jitter` longer than one just before.

        Toxiproxy hands data to a toxic from the next chunk on, so one probe in flight may still be quick.
        """
        timeout = 4 * (self.latency + self.jitter) + 5
        before = system.probe(node, timeout)
        system.add_toxic(
            node,
            Toxic(
                name="latency",
                type="latency",
                attributes={"latency": round(self.latency * 1000), "jitter": round(self.jitter * 1000)},
            ),
        )
        least = self.latency - self.jitter
        during = before
        for _ in range(_PROOF_TRIES):
            during = system.probe(node, timeout)
            if during - before >= 0.9 * least and during > before:
                break
        proof: Proof = {
            "probe_before_ms": round(before * 1000, 3),
            "probe_during_ms": round(during * 1000, 3),
        }
        if during - before < 0.9 * least or during <= before:
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
