"""
Violations in full: every row that an invariant returned, as Parquet with a sentence for each.

A verdict and its report keep the first witnesses of each invariant; here are all of them, to be counted, grouped and
joined with the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.evidence.schema import Column, Table
from harness.evidence.tables import write as write_table
from harness.model import Witness

_KEPT = {"BIGINT", "BOOLEAN", "DOUBLE", "HUGEINT", "INTEGER", "UBIGINT", "VARCHAR"}
"""Types that stay what they are; a value of any other is kept as text."""


def write(folder: Path, name: str, types: Mapping[str, str], witnesses: Iterable[Witness]) -> int:
    """
    Write the rows against the invariant `name` as `<folder>/<name>.parquet`; return their number.

    Columns: `sentence`, those of its query (name -> DuckDB type), then whatever else its witnesses tell of a row.
    """
    of_query = [
        Column(column, type_ if type_ in _KEPT else "VARCHAR", "of the query") for column, type_ in types.items()
    ]
    told = [Column(column, "VARCHAR", "told of the row") for column in ("layer", "ledger", "during")]
    columns = [
        Column("sentence", "VARCHAR", "the row in words"),
        *of_query,
        *(each for each in told if each.name not in types),
    ]
    rows = ({**witness.row, "sentence": witness.sentence} for witness in witnesses)
    return write_table(folder, Table(name, "a row against it", tuple(columns)), rows)
