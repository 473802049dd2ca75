"""
Faults of the state store: its connections are closed, it has no memory, it is read-only, or its data is lost.

They connect to Redis directly, not through Toxiproxy, and use its own commands (Redis command reference, 6.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import redis
import tenacity
from typing_extensions import override

from harness.backends import redisstore
from harness.backends.base import Death, Kills, Store, Wipes
from harness.faults.base import Fault, Hits, NotFeltError, Proof

_PROBE_KEY = "harness:probe"


def _client(system: Store) -> redis.Redis:
    return redisstore.client(system.store(), timeout=5)


class Disconnect(Fault[int]):
    """
    Every client connection of the store except the harness's own is closed once. There is nothing to heal.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Store

    @override
    def apply(self, system: Store, node: str) -> int:
        """
        Close the connections. Return how many Redis says that it closed.
        """
        with _client(system) as client:
            pipe = client.pipeline(transaction=False)
            for connection in redisstore.others(client):
                pipe.client_kill_filter(_id=connection)
            closed = sum(int(number) for number in pipe.execute())
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
    Settings of Redis that make it refuse writes, but not reads.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Store
    during: ClassVar[Mapping[str, str]]
    after: ClassVar[Mapping[str, str]]

    @override
    def apply(self, system: Store, node: str) -> None:
        with _client(system) as client:
            for name, value in self.during.items():
                client.config_set(name, value)

    @override
    def prove(self, system: Store, node: str, applied: None) -> Proof:
        """
        Proved by a write that is refused. The proof contains the error message.
        """
        with _client(system) as client:
            try:
                client.set(_PROBE_KEY, "x")
            except redis.ResponseError as error:
                return {"refusal": str(error)}
            client.delete(_PROBE_KEY)
        raise NotFeltError(f"{node} still took a write", {"settings": dict(self.during)})

    @override
    def heal(self, system: Store, node: str) -> None:
        """
        Restore the settings, and check that a write is accepted. If the store is down for another reason, wait for some
        seconds.
        """
        tenacity.Retrying(
            stop=tenacity.stop_after_delay(10),
            wait=tenacity.wait_fixed(0.05),
            retry=tenacity.retry_if_exception_type((redis.ConnectionError, redis.TimeoutError)),
            reraise=True,
        )(self._restore, system, node)

    def _restore(self, system: Store, node: str) -> None:
        with _client(system) as client:
            for name, value in self.after.items():
                client.config_set(name, value)
            if not client.set(_PROBE_KEY, "x"):
                raise ConnectionError(f"{node} still refuses writes")
            client.delete(_PROBE_KEY)


class OutOfMemory(_Refusing):
    """
    The store has no memory left: `maxmemory` is reached, and nothing may be evicted.
    """

    during: ClassVar[Mapping[str, str]] = {"maxmemory-policy": "noeviction", "maxmemory": "1"}
    after: ClassVar[Mapping[str, str]] = {"maxmemory": "0"}


class ReadOnly(_Refusing):
    """
    The store refuses writes, as a primary without enough replicas does (`min-replicas-to-write`).
    """

    during: ClassVar[Mapping[str, str]] = {"min-replicas-to-write": "1"}
    after: ClassVar[Mapping[str, str]] = {"min-replicas-to-write": "0"}


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
    The store is killed, and when it is back, everything that it kept is gone.
    """

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = Wipes

    @override
    def apply(self, system: Wipes, node: str) -> Lost:
        with _client(system) as client:
            keys = int(client.dbsize())
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
