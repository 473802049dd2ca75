"""
Faults of the state store: connections killed, no memory, read-only, and its data lost.

They speak to Redis itself, past Toxiproxy, in its own commands (Redis command reference, 6.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import redis
import tenacity

from harness.backends import store
from harness.backends.base import Kills, Store, Wipes
from harness.faults.base import Fault, NotFeltError, Proof

_PROBE_KEY = "harness:probe"


def _client(system: Store) -> redis.Redis:
    return store.client(system.store(), timeout=5)


class Disconnect(Fault):
    """
    Every client connection of the store is closed, once, but for the harness's own. There is nothing to heal.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "nodes"
    needs: ClassVar[type] = Store

    def apply(self, system: Store, node: str) -> Proof:
        """
        Proved by the number of connections that Redis says it closed.
        """
        with _client(system) as client:
            pipe = client.pipeline(transaction=False)
            for connection in store.others(client):
                pipe.client_kill_filter(_id=connection)
            closed = sum(int(one) for one in pipe.execute())
        if closed == 0:
            raise NotFeltError(f"{node} had no connection to close", {"closed": 0})
        return {"closed": closed}

    def heal(self, system: Store, node: str) -> None:
        """
        Clients connect again by themselves.
        """


class _Refusing(Fault):
    """
    A setting of Redis that makes it refuse writes, and reads not.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "nodes"
    needs: ClassVar[type] = Store
    during: ClassVar[Mapping[str, str]]
    after: ClassVar[Mapping[str, str]]

    def apply(self, system: Store, node: str) -> Proof:
        """
        Proved by a write that is refused, with the words of the refusal.
        """
        with _client(system) as client:
            for name, value in self.during.items():
                client.config_set(name, value)
            try:
                client.set(_PROBE_KEY, "x")
            except redis.ResponseError as error:
                return {"refusal": str(error)}
            client.delete(_PROBE_KEY)
        raise NotFeltError(f"{node} still took a write", {"settings": dict(self.during)})

    def heal(self, system: Store, node: str) -> None:
        """
        Put the settings back, and see a write accepted; a store that is away for another reason gets some seconds.
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
    The store is full: `maxmemory` is reached and nothing may be evicted.
    """

    during: ClassVar[Mapping[str, str]] = {"maxmemory-policy": "noeviction", "maxmemory": "1"}
    after: ClassVar[Mapping[str, str]] = {"maxmemory": "0"}


class ReadOnly(_Refusing):
    """
    The store takes no writes, as a primary without enough replicas does (`min-replicas-to-write`).
    """

    during: ClassVar[Mapping[str, str]] = {"min-replicas-to-write": "1"}
    after: ClassVar[Mapping[str, str]] = {"min-replicas-to-write": "0"}


class LoseData(Fault):
    """
    The store is killed and everything it kept is gone when it is back.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "nodes"
    needs: ClassVar[type] = Wipes

    def apply(self, system: Wipes, node: str) -> Proof:
        """
        Proved by the number of keys before, the exit status of the very process, and its folder, now empty.
        """
        with _client(system) as client:
            keys = int(client.dbsize())
        death = system.kill(node)
        removed = system.wipe(node)
        proof: Proof = {"keys": keys, "pid": death.pid, "status": death.status, "files_removed": removed}
        if keys == 0 or removed == 0:
            raise NotFeltError(f"{node} had nothing to lose", proof)
        return proof

    def heal(self, system: Kills, node: str) -> None:
        """
        Start the store again, empty.
        """
        system.start(node)
