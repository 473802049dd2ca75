"""
The defects that an invariant's file plants itself: changes of the evidence, as SQL, that the invariant must catch.

Each is one UPDATE, DELETE or INSERT of one table of the evidence, made in a copy of it.
"""

# ruff: noqa: S608 - the names are those of the schema
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from harness.checkers.database import quoted
from harness.evidence import reader, tables
from harness.evidence.columns import Table
from harness.evidence.schema import TABLES
from harness.planning.yamlfile import did_you_mean

_TABLES = {table.name: table for table in TABLES}
_BEGINNING = re.compile(r"(?:UPDATE|DELETE\s+FROM|INSERT\s+INTO)\s+(\w+)\b", re.IGNORECASE)
_TYPES = {duckdb.StatementType.UPDATE, duckdb.StatementType.DELETE, duckdb.StatementType.INSERT}


@dataclass(frozen=True)
class Plant:
    """
    A change of `table` that contradicts a claim; `sql` makes it.
    """

    table: Table
    sql: str


def parse(text: str) -> tuple[Plant, ...]:
    """
    The changes that the header line `plants` has, separated by semicolons. Raises ValueError, which says why, if one is
    no change of a table of the evidence.
    """
    return tuple(_read(text)) if text else ()


def _read(text: str) -> Iterator[Plant]:
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error as error:
        raise ValueError(f"plants is no SQL: {error}") from error
    for statement in statements:
        sql = statement.query.strip().rstrip(";")
        match = _BEGINNING.match(sql)
        if match is None or statement.type not in _TYPES:
            raise ValueError(
                f"plants is UPDATE table SET ..., DELETE FROM table WHERE ... or INSERT INTO table ..., not {sql!r}"
            )
        table = _TABLES.get(match[1].lower())
        if table is None:
            raise ValueError(
                f"plants changes {match[1]}, which is no table of the evidence; {did_you_mean(match[1], _TABLES)}"
            )
        yield Plant(table, sql)


def make(plant: Plant, evidence: Path, copy: Path) -> bool:
    """
    Write the table of `evidence` with the change into the folder `copy`. Return False, and write nothing, if the change
    finds no row. Raises ValueError if it fails.
    """
    table = plant.table
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET python_enable_replacements = false")
        connection.execute(f"SET allowed_directories = [{quoted(evidence)}, {quoted(copy)}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        missing = reader.make_views(connection, evidence)
        if table.name in missing:
            return False
        connection.execute(f'CREATE TABLE changed AS SELECT * FROM "{table.name}"')
        connection.execute(f'DROP VIEW "{table.name}"')
        connection.execute(f'ALTER TABLE changed RENAME TO "{table.name}"')
        try:
            (rows,) = connection.execute(plant.sql).fetchone() or (0,)
        except duckdb.Error as error:
            raise ValueError(f"{plant.sql}: {error}") from error
        if rows:
            connection.table(table.name).write_parquet(str(tables.path(copy, table)))
    return bool(rows)
