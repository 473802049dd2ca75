"""
The evidence of one run as a database: the evidence tables, what the plan declares, and what is derived from both.

Everything is DuckDB in memory. Large Parquet is streamed; what does not fit into memory goes to a temporary folder. The
SQL of an invariant, also of a target's own, can read the evidence and nothing else on the machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cached_property, partial
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from harness.checkers import interrupts, limits, memory, planned, sandbox
from harness.checkers.together import together
from harness.errors import interruptible
from harness.evidence.reader import make_views
from harness.evidence.schema import TABLES
from harness.model import Plan

Row = dict[str, Any]
Connected = tuple[duckdb.DuckDBPyConnection, Mapping[str, str]]
Parameters = Sequence[object] | Mapping[str, object]
Progress = Callable[[str, int, int], None]
"""Is called with what is being done, its number from 1, and the number of all."""


def silent(what: str, number: int, count: int) -> None:
    """
    Progress that shows nothing.
    """


_THREADS = 1
"""For each that asks. A second one for the same query takes a tenth more time in all."""
_MEMORY = "1GB"
HELD = 1_000_000
"""
Bytes of a Parquet file that is read once, and not by each of some hundred queries: that of some thousand instances. A
larger one takes as little time to read again, and much less memory.
"""
_SCRATCH = "50GB"
LONGEST = 900.0
"""Seconds that one query may take. Those of the harness take seconds for a million instances."""

_TABLES = "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
_BATCH = 10_000


class UnansweredError(Exception):
    """
    A query cannot be answered from this evidence. The message says why.
    """


class Database:
    """
    The database of one run, for queries. Made by `open_database`.

    `missing` is: name of each table that is not there or cannot be read -> why. No query may take longer than `longest`
    seconds.
    """

    at_once = 2
    """How many threads it is worth to ask at once, each a database of its own (`beside`)."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, missing: Mapping[str, str], longest: float = LONGEST
    ) -> None:
        self._connection = connection
        self._connections = [connection]
        self._longest = longest
        self._late = interrupts.Late()
        self.missing = missing
        self._needs: dict[str, frozenset[str]] = {}
        self._queries: dict[str, str] = {}
        self._derivable: dict[str, str] = {}

    def beside(self) -> Database:
        """
        Return the same database for another thread, as it is now. It has a connection of its own.
        """
        other = Database(self._connection.cursor(), self.missing, self._longest)
        self._connections.append(other._connection)
        other._connections = self._connections
        other._needs = self._needs
        other._late = self._late
        return other

    def interrupt(self) -> None:
        """
        Interrupt every query that is being asked now, also by those `beside`. Each raises UnansweredError.
        """
        for connection in tuple(self._connections):
            connection.interrupt()

    def close(self) -> None:
        """
        Close the connection, and those of the databases `beside`.
        """
        for connection in self._connections:
            connection.close()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """
        Return all rows of a query, each as column -> value. `parameters` are the values of its placeholders.

        Raises UnansweredError as `first` does.
        """
        return self.first(sql, None, parameters)[0]

    def scalar(self, sql: str, parameters: Parameters = ()) -> Any:
        """
        Return the value of a query that has one row and one column. Raises UnansweredError as `first` does, and if the
        query returns anything else.
        """
        rows = self.rows(sql, parameters)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise UnansweredError(f"not one value but {len(rows)} rows: {sql}")
        return next(iter(rows[0].values()))

    def first(self, sql: str, most: int | None, parameters: Parameters = ()) -> tuple[list[Row], int]:
        """
        Return the first `most` rows of a query (all if None), and the number of all its rows.

        Raises UnansweredError if the query needs evidence that is missing, or if it fails.
        """
        with self._answering(sql):
            answer = self._connection.execute(sql, parameters)
            columns = [column[0] for column in answer.description]
            kept = answer.fetchall() if most is None else answer.fetchmany(most)
            count = len(kept)
            while batch := answer.fetchmany(_BATCH):
                count += len(batch)
        return [dict(zip(columns, row, strict=True)) for row in kept], count

    def refuse(self, sql: str) -> None:
        """
        Raise UnansweredError, which says why, if `sql` is anything but one query over the tables of this database.
        """
        try:
            sandbox.refuse(sql, self._tables.union(self.missing, self._needs), sandbox.stable_functions())
        except ValueError as error:
            raise UnansweredError(f"it cannot be asked: {error}") from error

    @cached_property
    def _tables(self) -> frozenset[str]:
        """
        The names of all tables and views, once the last one is made.
        """
        return frozenset(name for (name,) in self._connection.execute(_TABLES).fetchall()).union(self._derivable)

    def types(self, sql: str) -> dict[str, str]:
        """
        Return column -> DuckDB type of a query. Raises UnansweredError as `first` does.
        """
        with self._answering(sql):
            described = self._connection.execute(f"DESCRIBE {sql}").fetchall()
        return {name: type_ for name, type_, *_ in described}

    def batches(self, sql: str) -> Iterator[list[Row]]:
        """
        Return all rows of a query, some thousands at a time. Other queries may run in between.

        Raises UnansweredError as `first` does.
        """
        with self._connection.cursor() as cursor, self._answering(sql, cursor):
            self._connections.append(cursor)
            try:
                answer = cursor.execute(sql)
                columns = [column[0] for column in answer.description]
                while batch := answer.fetchmany(_BATCH):
                    yield [dict(zip(columns, row, strict=True)) for row in batch]
            finally:
                self._connections.remove(cursor)

    @contextmanager
    def _answering(self, sql: str, connection: duckdb.DuckDBPyConnection | None = None) -> Iterator[None]:
        """
        Raise UnansweredError if a query needs evidence that is missing, if DuckDB fails inside the `with` block, or if
        that takes too long.
        """
        try:
            bases = self._bases(sandbox.tables_of(sql))
            for name in [each for each in self._derivable if each in bases]:
                self._miss(name, self.derive_one(name, self._derivable.pop(name)))
            lacking = sorted(bases & self.missing.keys())
            if lacking:
                raise UnansweredError("; ".join(self.missing[table] for table in lacking))
            with self._late.after(self._longest, (connection or self._connection).interrupt), interruptible():
                yield
        except RecursionError as error:
            raise UnansweredError("the query is nested too deep") from error
        except duckdb.InterruptException as error:
            raise UnansweredError(f"the query took longer than {self._longest:g} s") from error
        except duckdb.Error as error:
            raise UnansweredError(f"the query failed: {error}") from error

    def derive(self, queries: Mapping[str, str], progress: Progress | None = silent) -> None:
        """
        Make a table from each query (name -> SQL), a few at once. A table that others read is made before them. Without
        `progress` each is made when a query reads it for the first time.

        A table that cannot be made is added to `missing`, with the reason.
        """
        self._needs |= {name: sandbox.tables_of(sql) for name, sql in queries.items()}
        needs = {name: self._needs[name] & queries.keys() for name in queries}
        made = {name: queries[name] for name in TopologicalSorter(needs).static_order()}
        self._queries |= made
        if progress is None:
            self._derivable |= made
            return
        order = TopologicalSorter(needs)
        order.prepare()
        number = 0
        while order.is_active():
            names = sorted(order.get_ready())
            makings = [partial(Database.derive_one, name=name, sql=queries[name]) for name in names]
            for name, reason in zip(names, together(self, makings), strict=True):
                number += 1
                progress(f"table {name}", number, len(queries))
                self._miss(name, reason)
            order.done(*names)

    def changed(self, tables: Collection[str]) -> None:
        """
        Be told that these tables of the evidence are not as they were. What is derived from them is made again when a
        query reads it.
        """
        stale = {name for name in self._queries if not self._bases({name}).isdisjoint(tables)}
        self.missing = {name: reason for name, reason in self.missing.items() if name not in stale}
        self._derivable = {name: sql for name, sql in self._queries.items() if name in stale or name in self._derivable}

    def rests_on(self, sql: str) -> set[str]:
        """
        Return the tables that a query reads, and all from which they are made.
        """
        return self._bases(sandbox.tables_of(sql))

    def _miss(self, name: str, reason: str | None) -> None:
        """
        Add a table that cannot be made to `missing`, with the reason; nothing if it was made (None).
        """
        if reason is not None:
            self.missing = {**self.missing, name: reason}

    def derive_one(self, name: str, sql: str) -> str | None:
        """
        Make a derived table, if those that it reads are there. Return why it cannot be made; None if it was made.
        """
        if self._bases({name}) & self.missing.keys():
            return None
        reason = self._make(name, sql)
        return None if reason is None else f"table {name} could not be made: {reason}"

    def _make(self, name: str, sql: str) -> str | None:
        """
        Make the table `name` from a query. Return why it cannot be made; None if it was made.
        """
        try:
            with interruptible():
                self._connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS {sql}')
        except duckdb.Error as error:
            return str(error)
        return None

    def _bases(self, names: set[str] | frozenset[str]) -> set[str]:
        """
        Return `names` and the names of all tables from which they are made.
        """
        found = set(names)
        for name in names:
            found |= self._bases(self._needs.get(name, frozenset()))
        return found


@contextmanager
def open_database(
    plan: Plan, evidence: Path, progress: Progress | None = silent, longest: float = LONGEST
) -> Iterator[Database]:
    """
    Open the database of a run: the evidence tables in the folder `evidence`, the tables of `plan`, and the derived
    tables. No query may take longer than `longest` seconds, or more than `memory.MOST` bytes. Without `progress`, a
    derived table is made when it is read for the first time: for those who ask few questions.

    Tables of the plan: effect_names(effect, ordinal, forward), effect_pairs(ordinal, forward, compensation),
    outcomes(workflow, status, outcome, ends, calls), kinds(workflow, kind, ends), answers(workflow, status, outcome),
    ids_by_answer(workflow), steps(step, fault, node, at_ns, nodes, aim), retries(activity, attempts, first, backoff,
    longest) with times in seconds. Derived tables: one for each file in `tables/`, which says what its rows are.
    """
    with memory.bounded(), connected(plan, evidence) as (connection, missing):
        database = Database(connection, missing, longest)
        with closing(database), interrupts.by_signals(database.interrupt):
            database.derive(derived(), progress)
            yield database


Opening = Callable[[Plan, Path, Progress], AbstractContextManager[Database]]
"""Opens the database of a run: `open_database`, or the same for another database system, such as Spark."""


def derived() -> dict[str, str]:
    """
    Return the queries of the derived tables, by name.
    """
    tables = files(__package__).joinpath("tables").iterdir()
    return {"flaws": limits.flaws()} | {file.name.removesuffix(".sql"): file.read_text() for file in tables}


@contextmanager
def connected(plan: Plan, evidence: Path, held: int = HELD) -> Iterator[Connected]:
    """
    Open a connection that has the evidence tables and the tables of the plan. Return it, and for each evidence table
    that is missing the reason. A file of more than `held` bytes is read by each query.
    """
    with tempfile.TemporaryDirectory(prefix="harness-check-") as scratch, duckdb.connect() as connection:
        connection.execute(f"SET threads = {_THREADS}; SET memory_limit = '{_MEMORY}'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET temp_directory = " + quoted(scratch))
        connection.execute(f"SET max_temp_directory_size = '{_SCRATCH}'")
        # Not the machine's time zone: the verdict would depend on it. And no variable of ours is a table.
        connection.execute("SET GLOBAL TimeZone = 'UTC'; SET GLOBAL python_enable_replacements = false")
        connection.execute(f"SET allowed_directories = [{quoted(evidence)}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        without = planned.without(plan)
        missing = make_views(connection, evidence, (table for table in TABLES if table not in without), held=held)
        for table in without:
            columns = ", ".join(f'"{name}" {type_}' for name, type_ in table.types.items())
            connection.execute(f"CREATE TABLE {table.name}({columns})")
        missing |= planned.declare(connection, plan)
        yield connection, missing


def quoted(path: str | Path) -> str:
    """
    Return a path as a text of SQL.
    """
    return "'" + str(path).replace("'", "''") + "'"
