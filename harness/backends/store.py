"""
A direct connection to the state store, not through Toxiproxy.
"""

from __future__ import annotations

from harness.backends.endpoints import Address
from harness.backends.redisstore import RedisStore
from harness.backends.witness import Rows


def rows(at: Address, timeout: float = 10.0) -> Rows:
    """
    Return what the state store at an address holds. Each call takes at most `timeout` seconds.
    """
    return RedisStore(at, timeout)
