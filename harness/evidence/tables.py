"""
Writing the evidence tables: typed Parquet, written by DuckDB, complete or not at all.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb

from harness.errors import interruptible
from harness.evidence.columns import Table


def path(folder: Path, table: Table) -> Path:
    """
    Return the file of `table` in an evidence folder.
    """
    return folder / f"{table.name}.parquet"


def write(folder: Path, table: Table, rows: Iterable[Mapping[str, object]]) -> int:
    """
    Write `rows` as `<folder>/<table>.parquet`, with the columns and types of the schema. Return the number of rows.

    A column that a row does not have is NULL. Raises ValueError if a row has a column that the schema does not have.
    The rows pass through a file of JSON lines, so memory stays bounded. The Parquet file appears complete, by a rename.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = set(table.types)
    count = 0
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{table.name}-") as scratch:
        lines = Path(scratch) / "rows.jsonl"
        with lines.open("w", encoding="utf-8") as out:
            for row in rows:
                if not known.issuperset(row):
                    raise ValueError(f"{table.name} has no column {', '.join(sorted(set(row) - known))}")
                out.write(json.dumps(row, separators=(",", ":")))
                out.write("\n")
                count += 1
        done = Path(scratch) / "table.parquet"
        with interruptible(), _engine().cursor() as db:
            rows_read = db.read_json(str(lines), columns=table.types, format="newline_delimited")
            rows_read.write_parquet(str(done), compression="zstd")
        done.replace(path(folder, table))
    return count


@functools.cache
def _engine() -> duckdb.DuckDBPyConnection:
    """
    One for the whole process: DuckDB takes longer to start than to write the table of a short run.
    """
    return duckdb.connect()
