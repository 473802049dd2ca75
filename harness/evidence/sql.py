"""
A ledger in a team's own database: one query, in a session that can only read, with limits of time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from harness.backends import deadline
from harness.errors import EvidenceError, UsageError
from harness.model import SqlLedger

_CONNECTS_WITHIN = 10
"""Seconds."""
_LIMIT = 30
"""Seconds. A query must end within this time."""
_DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql"}
"""The driver of each database that needs one; the optional dependency of this project that brings it has its name."""


def refuse_unusable(ledger: SqlLedger) -> None:
    """
    Raise UsageError if the driver of the database is not installed, or the variable with its password is not set.
    """
    database = make_url(ledger.sql).get_backend_name()
    driver = _DRIVERS.get(database)
    if driver is not None and find_spec(driver) is None:
        raise UsageError(
            f"a ledger in {database} needs the driver {driver}: pip install 'durable-workflow-harness[{database}]'"
        )
    if ledger.password is not None and not os.environ.get(ledger.password):
        raise UsageError(f"the environment variable {ledger.password}, which has the password of a ledger, is not set")


def rows(name: str, ledger: SqlLedger, data: Path) -> list[Mapping[str, Any]]:
    """
    Return the rows of the query of a ledger called `name`, with values as JSON has them. `data` is the folder for which
    `{data}` stands.

    Raises EvidenceError if the database does not answer in time, or not with rows. The password is in no message.
    """
    expired = threading.Event()
    try:
        with _engine(ledger, data).connect() as connection, _deadline(connection, expired):
            result = connection.exec_driver_sql(ledger.query)
            if not result.returns_rows:
                raise EvidenceError(f"the ledger {name} cannot be read: its query is none that returns rows")
            columns = tuple(result.keys())
            return [dict(zip(columns, map(_json, row), strict=True)) for row in result]
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        why = f"its query took longer than {_LIMIT} s" if expired.is_set() else _why(ledger, error)
        raise EvidenceError(f"the ledger {name} at {ledger.sql} could not be read: {why}") from None


def _engine(ledger: SqlLedger, data: Path) -> Engine:
    url = make_url(ledger.sql.replace("{data}", str(data)))
    database = url.get_backend_name()
    if database == "sqlite":
        file = f"file:{quote(url.database or '')}?mode=ro"
        return create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(file, uri=True, timeout=_LIMIT, check_same_thread=False),
            poolclass=NullPool,
        )
    url = url.set(drivername=f"{database}+{_DRIVERS[database]}", password=_password(ledger))
    return create_engine(url, connect_args=_arguments(database, url), poolclass=NullPool, hide_parameters=True)


def _arguments(database: str, url: URL) -> Mapping[str, object]:
    """
    Return how the driver connects: to this machine whatever its own variables say, in a session that can only read.
    """
    if database == "postgresql":
        # https://www.postgresql.org/docs/current/libpq-connect.html: hostaddr decides, so PGHOSTADDR does not.
        here = "127.0.0.1" if url.host == "localhost" else url.host
        settings = f"-c default_transaction_read_only=on -c statement_timeout={(_LIMIT + 1) * 1000}"
        return {"hostaddr": here, "connect_timeout": _CONNECTS_WITHIN, "options": settings}
    # https://pymysql.readthedocs.io/en/latest/modules/connections.html
    return {
        "connect_timeout": _CONNECTS_WITHIN,
        "read_timeout": _LIMIT,
        "init_command": "SET SESSION TRANSACTION READ ONLY",
    }


def _deadline(connection: Connection, expired: threading.Event) -> AbstractContextManager[None]:
    """
    End the connection if it has not done its work in time.
    """
    driver = connection.connection.driver_connection

    def end() -> None:
        expired.set()
        if isinstance(driver, sqlite3.Connection):
            driver.interrupt()
        elif driver is not None and hasattr(driver, "fileno"):  # PyMySQL has none, and keeps its read_timeout
            deadline.hang_up(driver.fileno())

    return deadline.after(_LIMIT, end)


def _password(ledger: SqlLedger) -> str | None:
    return os.environ.get(ledger.password) if ledger.password is not None else None


def _why(ledger: SqlLedger, error: Exception) -> str:
    """
    Return the first line of what the driver says, without the password if it says that.
    """
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    password = _password(ledger)
    return (said.replace(password, "***") if password else said).splitlines()[0]


def _json(value: object) -> object:
    """
    Return a value of a database as JSON has it. Times without a zone are UTC.
    """
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value if value is None or isinstance(value, str | int | float | list | dict) else str(value)
