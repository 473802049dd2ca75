"""
PostgreSQL as a state store: the table of Dapr's component `state.postgresql` v2, in which the value of a key is bytes
(components-contrib, state/postgresql/v2).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, LiteralString, TypeVar

import psycopg
from typing_extensions import override

from harness.backends import deadline
from harness.backends.endpoints import StoreAddress
from harness.backends.witness import StateStore
from harness.errors import EvidenceError

_NAME = "harness"
"""The name of the harness's own connections, by which they can be told apart from those of the system."""
_PAGE = 5000
# Rows that have expired lie there until they are cleaned up, and Dapr reads past them.
_VALUES = "SELECT key, value FROM state WHERE key = ANY(%s) AND (expires_at IS NULL OR expires_at >= now())"
_KEYS = """
SELECT key FROM state
WHERE starts_with(key, %s) AND key > %s AND (expires_at IS NULL OR expires_at >= now())
ORDER BY key LIMIT %s
"""

Result = TypeVar("Result")


class PostgresStore(StateStore):
    """
    One PostgreSQL server. Several threads may ask it; one waits for the other.
    """

    def __init__(self, at: StoreAddress, timeout: float) -> None:
        self._at = at
        self._timeout = timeout
        self._connection: psycopg.Connection[Any] | None = None
        self._asking = threading.Lock()

    @override
    def values(self, keys: Sequence[str]) -> list[bytes | None]:
        found = dict(self._fetch(_VALUES, list(keys)))
        return [found.get(key) for key in keys]

    @override
    def keys(self, prefix: str) -> Iterator[list[str]]:
        last = ""
        while True:
            page = [key for (key,) in self._fetch(_KEYS, prefix, last, _PAGE)]
            yield page
            if len(page) < _PAGE:
                return
            last = page[-1]

    @override
    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @override
    def greet(self) -> None:
        self._ask(lambda connection: connection.execute("SELECT 1"))

    @override
    def close_others(self) -> int:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND application_name <> %s"
        )
        return sum(1 for (ended,) in self._fetch(query, _NAME) if ended)

    @override
    def read_only(self, *, on: bool) -> None:
        """
        As a standby does: every transaction from now on is a read-only one, in every session, open or new.
        """
        setting = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
        self._ask(lambda connection: connection.execute(f"ALTER SYSTEM {setting}"))
        self._ask(lambda connection: connection.execute("SELECT pg_reload_conf()"))

    @override
    def refusal(self) -> str | None:
        def write(connection: psycopg.Connection[Any]) -> str | None:
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute("INSERT INTO state (key, value) VALUES ('harness:probe', 'x')")
            except psycopg.errors.ReadOnlySqlTransaction as error:
                return str(error)
            return None

        return self._ask(write)

    def _fetch(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        return self._ask(lambda connection: connection.execute(query, values, binary=True).fetchall())

    def _ask(self, question: Callable[[psycopg.Connection[Any]], Result]) -> Result:
        """
        Ask within the limit of time. A connection that broke since the last question is made again, once.
        """
        with self._asking:
            kept = self._connection is not None
            try:
                try:
                    return self._within(question)
                except psycopg.OperationalError:
                    if not kept:
                        raise
                    self.close()
                    return self._within(question)
            except psycopg.Error as error:
                self.close()
                why = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise EvidenceError(f"the state store could not be read: {why}") from error

    def _within(self, question: Callable[[psycopg.Connection[Any]], Result]) -> Result:
        if self._connection is None:
            login = self._at.login
            self._connection = psycopg.connect(
                hostaddr=self._at.host,  # whatever PGHOST and PGHOSTADDR say
                port=self._at.port,
                user=login.user if login else None,
                password=login.password.get_secret_value() if login else None,
                dbname=login.database if login else None,
                sslmode="disable",
                gssencmode="disable",
                application_name=_NAME,
                connect_timeout=max(2, round(self._timeout)),  # libpq takes no less
                options="",
                autocommit=True,
            )
        connection, expired = self._connection, threading.Event()

        def end() -> None:
            expired.set()
            deadline.hang_up(connection.fileno())

        with deadline.after(self._timeout, end):
            try:
                return question(connection)
            except psycopg.Error as error:
                if not expired.is_set():
                    raise
                self.close()
                raise EvidenceError(f"the state store did not answer in {self._timeout:g} s") from error
