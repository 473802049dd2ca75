"""
All violations: every row that an invariant returned, as Parquet with a sentence for each.

A verdict and its report have only the first witnesses of each invariant. These files have all of them, so that they can
be counted, grouped and joined with the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.evidence.columns import Column, Table
from harness.evidence.tables import write as write_table
from harness.model import Witness

_KEPT = {"BIGINT", "BOOLEAN", "DOUBLE", "HUGEINT", "INTEGER", "UBIGINT", "VARCHAR"}
"""Types that are kept. A value of any other type becomes text."""


def write(folder: Path, name: str, types: Mapping[str, str], witnesses: Iterable[Witness]) -> int:
    """
    Write the rows against the invariant `name` as `<folder>/<name>.parquet`. Return their number.

    The columns are `sentence`, those of its query (`types`: name -> DuckDB type), and `layer`, `ledger` and `during`.
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
