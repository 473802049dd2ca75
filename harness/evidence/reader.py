"""
Reading evidence: the tables of a run as DuckDB views, for the judge, the reports and the synthesis.

A table can be read if its file exists and has every column of the schema with the type of the schema. A column with
`later` that is missing in a file of an older version is NULL. A column that the schema does not have is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from harness.evidence import tables
from harness.evidence.columns import Table
from harness.evidence.schema import TABLES


def make_views(
    connection: duckdb.DuckDBPyConnection, folder: Path, of: Iterable[Table] = TABLES, *, held: int = 0
) -> dict[str, str]:
    """
    Make a view of each evidence table in `folder`, with the columns of the schema in their order. A file of up to
    `held` bytes is read into a table at once, which is faster if many queries read it. What is there already is
    replaced; a table stays a table, and a view a view.

    Return table name -> why it cannot be read, for the tables that get no view.
    """
    reasons = {table.name: _make_view(connection, folder, table, held) for table in of}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _make_view(connection: duckdb.DuckDBPyConnection, folder: Path, table: Table, held: int) -> str | None:
    file = tables.path(folder, table)
    if not file.is_file():
        return f"evidence/{file.name} is missing"
    try:
        found = connection.read_parquet(str(file))
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        older = {column.name for column in table.columns if column.later and column.name not in types}
        wrong = [name for name, type_ in table.types.items() if name not in older and types.get(name) != type_]
        if wrong:
            return f"evidence/{file.name} is not as this version writes it: {', '.join(wrong)}"
        columns = ", ".join(
            f'NULL::{column.type} AS "{column.name}"' if column.name in older else f'"{column.name}"'
            for column in table.columns
        )
        if file.stat().st_size > held:
            found.project(columns).create_view(table.name)
        else:
            made = f"CREATE OR REPLACE TABLE {table.name} AS SELECT {columns} FROM read_parquet(?)"  # noqa: S608 - the schema's
            connection.execute(made, [str(file)])
    except duckdb.Error as error:
        return f"evidence/{file.name} cannot be read: {error}"
    return None
