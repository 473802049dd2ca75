"""
Reading the evidence of a run for drawing. Each table that is there is a DuckDB view; for each other table there is a
reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from harness.checkers.database import Parameters, Row, UnansweredError
from harness.evidence.reader import make_views


class Evidence:
    """
    The evidence tables of one run, each a view of its Parquet file. Made by `open_evidence`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, missing: Mapping[str, str]) -> None:
        self._connection = connection
        self._missing = missing

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """
        Return the rows of a query, each as column -> value. Raises UnansweredError if the evidence cannot answer it.
        """
        try:
            answer = self._connection.execute(sql, parameters)
            columns = [column[0] for column in answer.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
        except duckdb.CatalogException as error:
            lacking = [reason for table, reason in self._missing.items() if table in sql.split()]
            raise UnansweredError("; ".join(lacking) or str(error)) from error
        except duckdb.Error as error:
            raise UnansweredError(f"the evidence cannot be read: {error}") from error


@contextmanager
def open_evidence(folder: Path) -> Iterator[Evidence]:
    """
    Open the evidence in `folder`. The queries that need something that is missing or broken raise UnansweredError.
    """
    with duckdb.connect() as connection:
        yield Evidence(connection, make_views(connection, folder))
