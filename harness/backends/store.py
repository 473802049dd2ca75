"""
A direct connection to the state store, not through Toxiproxy. The connection has a name, so that the harness's own
connections can be told apart from those of the system.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.backends.endpoints import Address

_NAME = "harness"


def client(at: Address, timeout: float) -> redis.Redis:
    """
    Return a client that fails at once when the store does not answer. By default redis-py would retry, and so make the
    caller wait for as long as the store is away.
    """
    return redis.Redis(at.host, at.port, socket_timeout=timeout, client_name=_NAME, retry=Retry(NoBackoff(), 0))


def others(asking: redis.Redis) -> list[Any]:
    """
    Return the ids of the store's connections that do not belong to the harness.
    """
    return [connection["id"] for connection in asking.client_list(_type="normal") if connection["name"] != _NAME]
