"""
Redis as a state store. Dapr keeps the value of a key in the field `data` of the hash with this key (components-contrib,
state/redis).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from typing_extensions import override

from harness.backends.endpoints import Address
from harness.backends.witness import StateStore
from harness.errors import EvidenceError

_NAME = "harness"
"""The name of the harness's own connections, by which they can be told apart from those of the system."""
_PROBE_KEY = "harness:probe"
_PAGE = 5000


def client(at: Address, timeout: float) -> redis.Redis:
    """
    Return a client that fails at once when Redis does not answer. By default redis-py would retry, and so make the
    caller wait for as long as the store is away.
    """
    return redis.Redis(at.host, at.port, socket_timeout=timeout, client_name=_NAME, retry=Retry(NoBackoff(), 0))


class RedisStore(StateStore):
    """
    One Redis. Faults use its own commands (Redis command reference, 6.2).
    """

    def __init__(self, at: Address, timeout: float) -> None:
        self._redis = client(at, timeout)

    @override
    def values(self, keys: Sequence[str]) -> list[bytes | None]:
        with _translated():
            pipe = self._redis.pipeline(transaction=False)
            for key in keys:
                pipe.hget(key, "data")
            return pipe.execute()

    @override
    def keys(self, prefix: str) -> Iterator[list[str]]:
        # SCAN may return a key more than once (Redis documentation, "SCAN guarantees").
        literal = re.sub(r"([*?\[\]\\])", r"\\\1", prefix)
        page: list[str] = []
        with _translated():
            for key in self._redis.scan_iter(match=f"{literal}*", count=_PAGE):
                page.append(key.decode())
                if len(page) == _PAGE:
                    yield page
                    page = []
        yield page

    @override
    def close(self) -> None:
        self._redis.close()

    @override
    def greet(self) -> None:
        with _translated():
            self._redis.ping()  # refused until its data is loaded

    @override
    def close_others(self) -> int:
        with _translated():
            clients = self._redis.client_list(_type="normal")
            pipe = self._redis.pipeline(transaction=False)
            for connection in clients:
                if connection["name"] != _NAME:
                    pipe.client_kill_filter(_id=connection["id"])
            return sum(int(number) for number in pipe.execute())

    @override
    def read_only(self, *, on: bool) -> None:
        """
        As a primary without enough replicas does.
        """
        self.configure({"min-replicas-to-write": "1" if on else "0"})

    @override
    def refusal(self) -> str | None:
        with _translated():
            try:
                self._redis.set(_PROBE_KEY, "x")
            except redis.ResponseError as error:
                return str(error)
            self._redis.delete(_PROBE_KEY)
        return None

    def configure(self, settings: Mapping[str, str]) -> None:
        """
        Change settings of the running server.
        """
        with _translated():
            for name, value in settings.items():
                self._redis.config_set(name, value)

    def count(self) -> int:
        """
        Return how many keys there are.
        """
        with _translated():
            return int(self._redis.dbsize())


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise EvidenceError(f"the state store could not be read: {error}") from error
