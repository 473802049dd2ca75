"""
When a node is ready, asked from outside: questions that answer at once, with no for whatever goes wrong.
"""

from __future__ import annotations

import httpx
import redis

from harness.backends import probe, store
from harness.backends.base import Address

_TIMEOUT = 2.0


def answers(url: str) -> bool:
    """
    Does `url` answer 2xx?
    """
    try:
        with probe.client(timeout=_TIMEOUT) as client:
            return client.get(url).is_success
    except httpx.HTTPError:
        return False


def pings(at: Address) -> bool:
    """
    Does Redis answer as one that has loaded its data?
    """
    try:
        with store.client(at, _TIMEOUT) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
