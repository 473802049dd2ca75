"""
Whether a node is ready, found out from outside. These functions return at once; every failure counts as not ready.
"""

from __future__ import annotations

import httpx
import redis

from harness.backends import probe, store
from harness.backends.endpoints import Address

_TIMEOUT = 2.0


def answers(url: str) -> bool:
    """
    Return whether `url` answers with a 2xx status.
    """
    try:
        with probe.client(timeout=_TIMEOUT) as client:
            return client.get(url).is_success
    except httpx.HTTPError:
        return False


def pings(at: Address) -> bool:
    """
    Return whether Redis answers PING, which it does once it has loaded its data.
    """
    try:
        with store.client(at, _TIMEOUT) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
