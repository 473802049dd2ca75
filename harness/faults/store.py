"""
Faults of the state store: its connections are closed, it has no memory, it is read-only, or its data is lost.

They connect to the store directly, not through Toxiproxy.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import tenacity
from typing_extensions import override

from harness.backends import store
from harness.backends.base import Death, Kills, Store, Wipes
from harness.backends.redisstore import RedisStore
from harness.backends.witness import StateStore
from harness.errors import EvidenceError
from harness.faults.base import Fault, Hits, NotFeltError, Proof
from harness.names import Store as Stores

_ANSWERS_WITHIN = 5.0
"""Seconds."""
_FELT_WITHIN = 2.0
"""Seconds. A store that is told to refuse writes does so after this time at most."""
_POLL = 0.05


def _connect(system: Store) -> StateStore:
    return store.connect(system.store(), _ANSWERS_WITHIN)


class Disconnect(Fault[int]):
    """
    Every client connection of the store except the harness's own is closed once. There is nothing to heal.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Store

    @override
    def apply(self, system: Store, node: str) -> int:
        """
        Close the connections. Return how many the store says that it closed.
        """
        with _connect(system) as connected:
            closed = connected.close_others()
        if closed == 0:
            raise NotFeltError(f"{node} had no connection to close", {"closed": 0})
        return closed

    @override
    def prove(self, system: Store, node: str, applied: int) -> Proof:
        """
        Proved by the number of connections that were closed.
        """
        return {"closed": applied}

    @override
    def heal(self, system: Store, node: str) -> None:
        """
        Do nothing: clients connect again by themselves.
        """


class _Refusing(Fault[None]):
    """
    The store refuses writes, but not reads.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Store

    @abstractmethod
    def switch(self, system: Store, *, on: bool) -> None:
        """
        Let the store refuse writes from now on, or take them again.
        """

    @override
    def apply(self, system: Store, node: str) -> None:
        self.switch(system, on=True)

    @override
    def prove(self, system: Store, node: str, applied: None) -> Proof:
        """
        Proved by a write that is refused. The proof contains the error message.
        """
        asking = tenacity.Retrying(
            stop=tenacity.stop_after_delay(_FELT_WITHIN),
            wait=tenacity.wait_fixed(_POLL),
            retry=tenacity.retry_if_result(lambda refusal: refusal is None),
        )
        try:
            return {"refusal": asking(self._refusal, system)}
        except tenacity.RetryError as error:
            raise NotFeltError(f"{node} still took a write", {"asked_for_s": _FELT_WITHIN}) from error

    @override
    def heal(self, system: Store, node: str) -> None:
        """
        Restore the settings, and check that a write is accepted. If the store is down for another reason, wait for some
        seconds.
        """
        tenacity.Retrying(
            stop=tenacity.stop_after_delay(10),
            wait=tenacity.wait_fixed(_POLL),
            retry=tenacity.retry_if_exception_type((EvidenceError, ConnectionError)),
            reraise=True,
        )(self._restore, system, node)

    def _restore(self, system: Store, node: str) -> None:
        self.switch(system, on=False)
        if (refusal := self._refusal(system)) is not None:
            raise ConnectionError(f"{node} still refuses writes: {refusal}")

    def _refusal(self, system: Store) -> str | None:
        with _connect(system) as connected:
            return connected.refusal()


class OutOfMemory(_Refusing):
    """
    The store has no memory left: `maxmemory` is reached, and nothing may be evicted. Redis only.
    """

    not_on: ClassVar[Mapping[str, str]] = {
        Stores.POSTGRES: "it has no limit of memory at which it refuses writes; `read_only` makes it refuse them"
    }

    @override
    def switch(self, system: Store, *, on: bool) -> None:
        full = {"maxmemory-policy": "noeviction", "maxmemory": "1"}
        with RedisStore(system.store(), _ANSWERS_WITHIN) as connected:
            connected.configure(full if on else {"maxmemory": "0"})


class ReadOnly(_Refusing):
    """
    The store refuses writes, as a Redis primary without enough replicas does (`min-replicas-to-write`), and a
    PostgreSQL standby (`default_transaction_read_only`).
    """

    @override
    def switch(self, system: Store, *, on: bool) -> None:
        with _connect(system) as connected:
            connected.read_only(on=on)


@dataclass(frozen=True)
class Lost:
    """
    What the store had before, as its number of keys and of files; and how its process ended.
    """

    keys: int
    files: int
    death: Death


class LoseData(Fault[Lost]):
    """
    The store is killed, and when it is back, everything that it kept is gone. Redis only.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Wipes
    not_on: ClassVar[Mapping[str, str]] = {
        Stores.POSTGRES: "Dapr makes its tables there only when a sidecar starts, so nothing would find them again"
    }

    @override
    def apply(self, system: Wipes, node: str) -> Lost:
        with RedisStore(system.store(), _ANSWERS_WITHIN) as connected:
            keys = connected.count()
        death = system.kill(node)
        return Lost(keys, system.wipe(node), death)

    @override
    def prove(self, system: Wipes, node: str, applied: Lost) -> Proof:
        """
        Proved by the number of keys before, the exit status of that very process, and its folder, which is empty now.
        """
        proof: Proof = {
            "keys": applied.keys,
            "pid": applied.death.pid,
            "status": applied.death.status,
            "files_removed": applied.files,
        }
        if applied.keys == 0 or applied.files == 0:
            raise NotFeltError(f"{node} had nothing to lose", proof)
        return proof

    @override
    def heal(self, system: Kills, node: str) -> None:
        """
        Start the store again. It is empty.
        """
        system.start(node)
