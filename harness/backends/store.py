"""
A direct connection to the state store, not through Toxiproxy.
"""

from __future__ import annotations

from importlib.util import find_spec

from harness.backends.endpoints import StoreAddress
from harness.backends.redisstore import RedisStore
from harness.backends.witness import StateStore
from harness.errors import UsageError
from harness.names import Store


def refuse_without_driver() -> None:
    """
    Raise UsageError if the driver of PostgreSQL is not installed.
    """
    if find_spec("psycopg") is None:
        raise UsageError(
            "the state store postgres is read with the driver psycopg: pip install "
            "'durable-workflow-harness[postgresql]'"
        )


def connect(at: StoreAddress, timeout: float = 10.0) -> StateStore:
    """
    Return a connection to the state store at an address, which is made at the first call. Each call takes at most
    `timeout` seconds.
    """
    if at.kind is Store.POSTGRES:
        from harness.backends.postgresstore import PostgresStore  # noqa: PLC0415  its driver is an extra

        return PostgresStore(at, timeout)
    return RedisStore(at, timeout)
