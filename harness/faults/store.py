"""
Faults of the state store: connections killed, no memory, read-only, and its data lost.

They speak to Redis itself, past Toxiproxy, in its own commands (Redis command reference, 6.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Literal

import redis

from harness.backends.base import Kills, Store, Wipes
from harness.faults.base import Fault, NotFeltError, Proof

_PROBE_KEY = "harness:probe"


@contextmanager
def _client(system: Store) -> Iterator[redis.Redis]:
    at = system.store()
    with redis.Redis(at.host, at.port, socket_timeout=5) as client:
        yield client


class Disconnect(Fault):
    """
    Every client connection of the store is closed, once. There is nothing to heal.
    """

    hits: ClassVar[Literal["nodes", "links"]] = "nodes"
    needs: ClassVar[type] = Store

    def apply(self, system: Store, node: str) -> Proof:
        """
        Proved by the number of connections that Redis says it closed.
        """
        with _client(system) as client:
            closed = int(client.client_kill_filter(_type="normal", skipme=True))
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
        Put the settings back, and see a write accepted.
        """
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
