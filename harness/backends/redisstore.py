"""
Redis as a state store. Dapr keeps the value of a key in the field `data` of the hash with this key (components-contrib,
state/redis).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from typing_extensions import override

from harness.backends.endpoints import Address
from harness.backends.witness import Rows
from harness.errors import EvidenceError

_NAME = "harness"
"""The name of the harness's own connections, by which they can be told apart from those of the system."""
_PAGE = 5000


def client(at: Address, timeout: float) -> redis.Redis:
    """
    Return a client that fails at once when Redis does not answer. By default redis-py would retry, and so make the
    caller wait for as long as the store is away.
    """
    return redis.Redis(at.host, at.port, socket_timeout=timeout, client_name=_NAME, retry=Retry(NoBackoff(), 0))


def others(asking: redis.Redis) -> list[Any]:
    """
    Return the ids of the store's connections that do not belong to the harness.
    """
    return [connection["id"] for connection in asking.client_list(_type="normal") if connection["name"] != _NAME]


class RedisStore(Rows):
    """
    The rows of a Redis.
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


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise EvidenceError(f"the state store could not be read: {error}") from error
