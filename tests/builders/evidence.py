"""Evidence as a run would leave it. A small table that was written before with the same rows is copied."""

import functools
import json
import tempfile
from pathlib import Path

from harness.evidence import schema, tables

_TABLES = {table.name: table for table in schema.TABLES}
_KEPT = 100_000
"""Characters of JSON. Tables of the small runs that many tests write have less."""


def write_evidence(folder, rows):
    """Write all tables into a folder. `rows`: table name -> its rows, none if it is not named. Return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in _TABLES.items():
        told = json.dumps(rows.get(name, []))
        if len(told) > _KEPT:
            tables.write(folder, table, rows[name])
        else:
            tables.path(folder, table).write_bytes(_parquet(name, told))
    return folder


@functools.lru_cache(maxsize=500)
def _parquet(name, rows):
    """A table with these rows, which are JSON, as the bytes of its file."""
    with tempfile.TemporaryDirectory() as scratch:
        tables.write(Path(scratch), _TABLES[name], json.loads(rows))
        return tables.path(Path(scratch), _TABLES[name]).read_bytes()
