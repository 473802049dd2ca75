"""
The values that no column can have, as SQL made from the schema: the table `flaws`.
"""

from __future__ import annotations

from harness.evidence.columns import Column, Table
from harness.evidence.schema import TABLES


def flaws() -> str:
    """
    Return a query with one row for each evidence table: its name, and its columns that have a value that they cannot
    have, separated by commas.
    """
    return " UNION ALL ".join(map(_of_table, TABLES))


def _of_table(table: Table) -> str:
    flawed = ", ".join(f"CASE WHEN count_if({_flaw(column)}) > 0 THEN '{column.name}' END" for column in table.columns)
    return f"SELECT '{table.name}' AS place, concat_ws(', ', {flawed}) AS columns FROM {table.name}"  # noqa: S608


def _flaw(column: Column) -> str:
    """
    Return the condition that a value of a column cannot meet.
    """
    name = f'"{column.name}"'
    wrong = [] if column.nullable else [f"{name} IS NULL"]
    if column.type == "VARCHAR":
        wrong += [] if column.nullable else [f"{name} = ''"]
    elif column.type != "BOOLEAN":
        least, most = column.range
        wrong.append(f"{name} NOT BETWEEN {least} AND {most}")
    return f"coalesce({' OR '.join(wrong)}, FALSE)" if wrong else "FALSE"
