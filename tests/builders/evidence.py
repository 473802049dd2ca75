"""Evidence as a run would leave it. A table that was written before with the same rows is copied, which is faster."""

import functools
import json
import tempfile
from pathlib import Path

from harness.evidence import schema, tables

_TABLES = {table.name: table for table in schema.TABLES}


def write_evidence(folder, rows):
    """Write all tables into a folder. `rows`: table name -> its rows, none if it is not named. Return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in _TABLES.items():
        tables.path(folder, table).write_bytes(_parquet(name, json.dumps(rows.get(name, []))))
    return folder


@functools.lru_cache(maxsize=500)
def _parquet(name, rows):
    """A table with these rows, which are JSON, as the bytes of its file."""
    with tempfile.TemporaryDirectory() as scratch:
        tables.write(Path(scratch), _TABLES[name], json.loads(rows))
        return tables.path(Path(scratch), _TABLES[name]).read_bytes()
