"""
Speaking to the state store itself, past Toxiproxy: by a name, so that the harness is told from the system, and at once.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.backends.base import Address

_NAME = "harness"


def client(at: Address, timeout: float) -> redis.Redis:
    """
    A client that says no when the store does: redis-py's own tries would hold up whoever asks for as long as the store
    is away.
    """
    return redis.Redis(at.host, at.port, socket_timeout=timeout, client_name=_NAME, retry=Retry(NoBackoff(), 0))


def others(asking: redis.Redis) -> list[Any]:
    """
    The ids of the store's connections that are not the harness's.
    """
    return [one["id"] for one in asking.client_list(_type="normal") if one["name"] != _NAME]
