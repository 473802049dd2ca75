"""
How well every column is guarded: systematic changes of a run's evidence, one at a time, each judged.

A change contradicts what happened: a value is emptied, moved, foreign or exchanged with that of another row; a row is
gone or there twice; a whole table is empty or moved by an hour; one instance is gone from all tables, or two are
exchanged in all of them. Nothing is said of the manifest, as if it had been signed again. What no invariant names is
free, and the schema says why (`Column.free`, `Table.free`).

In a table whose rows are of several kinds (`_KINDS`), a value is changed in one row of each kind.
"""

# ruff: noqa: S608 - the names are those of the schema
from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from harness.checkers import invariant, recovery, sufficiency
from harness.checkers.changing import Copied, copied
from harness.checkers.database import UnansweredError, derived
from harness.checkers.invariant import Invariant
from harness.checkers.offers import offered
from harness.evidence.columns import Column, Free, Table
from harness.evidence.schema import OPERATIONS, TABLES
from harness.evidence.tables import path
from harness.model import Cell, Plan

_KINDS = {
    "operations": "outcome",
    "attempts": "activity",
    "effects": "effect",
    "instances": "outcome",
    "history": "event",
    "jobs": "kind",
    "faults": "fault",
    "phases": "phase",
    "samples": "metric",
}
_HOUR_NS = 3_600_000_000_000
_EMPTY, _FOREIGN = "NULL", "'nobody'"
_TEXT = {"empty": _EMPTY, "blank": "''", "foreign": _FOREIGN}
_NUMBER = {"empty": _EMPTY, "zero": "0", "negative": "-1", "more": '"{0}" + 1'}
_LARGEST = {"INTEGER": "2147483647", "BIGINT": "9223372036854775807", "DOUBLE": "1e300"}
_ROW, _WHOLE, _JOINT = "a row", "the table", "all tables"


@dataclass(frozen=True)
class Change:
    """
    One change of `table` (None: of all tables). `column` is the column, or what is changed in place of one. The change
    is made in the row `line`; `other` is the row with which it is exchanged.
    """

    table: Table | None
    column: str
    name: str
    kind: str = ""
    line: int = 0
    other: int = 0


def changes(evidence: Path) -> Iterator[Change]:
    """
    Return every change that can be made in the evidence in this folder. A change that would change nothing is left out.
    """
    with duckdb.connect() as connection:
        for table in _there(evidence):
            rows = connection.read_parquet(str(path(evidence, table)), file_row_number=True)
            rows.create_view("rows", replace=True)
            for column in table.columns:
                if column.name in rows.columns:
                    yield from _of_column(connection, table, column)
            yield from _of_rows(connection, table)
    yield Change(None, _JOINT, "instance gone")
    yield Change(None, _JOINT, "instances exchanged")


def _there(evidence: Path) -> list[Table]:
    """
    Return the tables that this evidence has.
    """
    return [table for table in TABLES if path(evidence, table).is_file()]


def _of_column(connection: duckdb.DuckDBPyConnection, table: Table, column: Column) -> Iterator[Change]:
    kind = f'"{_KINDS[table.name]}"' if table.name in _KINDS else "''"
    victims = connection.execute(
        f"""
        SELECT {kind} AS victim_kind, file_row_number AS victim, "{column.name}" AS victim_value
        FROM rows
        QUALIFY
            row_number() OVER (PARTITION BY {kind} ORDER BY "{column.name}" IS NULL, file_row_number)
            = 1 + count("{column.name}") OVER (PARTITION BY {kind}) // 3
        ORDER BY ALL
        """
    ).fetchall()
    for of, line, value in victims:
        for name, new in _values(column).items():
            differs = f'SELECT {new} IS DISTINCT FROM "{column.name}" FROM rows WHERE file_row_number = ?'
            if connection.execute(differs, [line]).fetchone() == (True,):
                yield Change(table, column.name, name, of or "", line)
        others = connection.execute(
            f'SELECT min(file_row_number) FROM rows WHERE {kind} IS NOT DISTINCT FROM ? AND "{column.name}" <> ?',
            [of, value],
        ).fetchone()
        if others is not None and others[0] is not None:
            yield Change(table, column.name, "swapped", of or "", line, others[0])


def _values(column: Column) -> dict[str, str]:
    """
    Return the new values of a column by the name of the change, as SQL.
    """
    if column.type == "VARCHAR":
        return _TEXT
    if column.type == "BOOLEAN":
        return {"empty": _EMPTY, "flipped": f'NOT "{column.name}"'}
    found = {name: new.format(column.name) for name, new in _NUMBER.items()} | {"largest": _LARGEST[column.type]}
    if column.name.endswith("_ns"):
        later = f'"{column.name}" + {_HOUR_NS}'
        found = {**found, "more": later, "less": f'"{column.name}" - {_HOUR_NS}'}
    return found


def _of_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[Change]:
    kind = f'"{_KINDS[table.name]}"' if table.name in _KINDS else "''"
    lines = connection.execute(
        f"SELECT {kind} AS sort, quantile_disc(file_row_number, 0.4) FROM rows GROUP BY sort ORDER BY ALL"
    ).fetchall()
    for of, line in lines:
        yield Change(table, _ROW, "gone", of or "", line)
        yield Change(table, _ROW, "twice", of or "", line)
    if lines:
        yield Change(table, _WHOLE, "empty")
        if any(column.name.endswith("_ns") for column in table.columns):
            yield Change(table, _WHOLE, "an hour later")


def tried(plan: Plan, evidence: Path, texts: Mapping[str, str], made: Iterable[Change]) -> Iterator[Cell]:
    """
    Make each of the changes in a copy of the evidence, and return what became of it, in the order of `made`. `texts`
    are the invariants that are asked, by name.
    """
    asked = {name: invariant.parse(text) for name, text in texts.items()}
    with copied(plan, evidence) as copy, duckdb.connect() as writer:
        offers = offered(plan, copy.database)
        applicable = {name: each for name, each in asked.items() if not offers.lacking(each.needs, each.workflows)}
        trial = _Trial(copy, plan, applicable)
        for change in made:
            changed = [table for table in _there(evidence) if change.table in (None, table)]
            _make(writer, change, copy.folder)
            named = trial.named(changed)
            free = None if named else _free(change)
            yield Cell(
                table="" if change.table is None else change.table.name,
                column=change.column,
                change=change.name,
                kind=change.kind,
                named=named,
                free=None if free is None else free.reason,
                harmless=free is not None and free.harmless,
            )


class _Trial:
    """
    The copy of a run, whose tables change. Only the invariants are asked that a change concerns, until one names it:
    those first for which the fewest tables must be derived again, and then those that rest on the fewest.
    """

    def __init__(self, copy: Copied, plan: Plan, asked: Mapping[str, Invariant]) -> None:
        self._copy = copy
        self._plan = plan
        made = derived().keys()
        basis = {name: copy.basis(each) for name, each in asked.items()}
        self._asked = {
            name: asked[name]
            for name in sorted(asked, key=lambda name: (len(basis[name] & made), len(basis[name]), name))
        }
        self._before = {name: self._count(each) for name, each in self._asked.items()}
        self._lacking = set(self._reasons())

    def named(self, changed: Sequence[Table]) -> str | None:
        """
        Return which invariant names what is in the files now, or that it makes the run lack something; None if nothing
        does. `changed` are the tables that are not as they were.
        """
        with self._copy.changed(changed):
            for name, each in self._asked.items():
                if self._copy.concerns(each, changed) and self._count(each) > self._before[name]:
                    return name
            return "what the run lacks" if set(self._reasons()) - self._lacking else None

    def _count(self, each: Invariant) -> float:
        """
        Return the number of rows against an invariant; infinity if it cannot be told.
        """
        try:
            count = self._copy.database.first(each.query, 0)[1]
            return count if count or self._copy.database.scalar(each.examined) else math.inf
        except UnansweredError:
            return math.inf

    def _reasons(self) -> list[str]:
        database = self._copy.database
        try:
            kinds = database.rows("SELECT class, count(*) AS instances FROM classes GROUP BY class")
            classes = {row["class"]: row["instances"] for row in kinds}
            return list(sufficiency.reasons(database, self._plan, classes, recovery.findings(database)))
        except UnansweredError as error:
            return [str(error)]


def _free(change: Change) -> Free | None:
    """
    Return why nobody needs to name a change; None if there is no reason.
    """
    if change.table is None:
        return None
    column = next((column for column in change.table.columns if column.name == change.column), None)
    free = change.table.free if column is None else column.free
    return next((each for each in free if change.name in each.changes or not each.changes), None)


def _make(connection: duckdb.DuckDBPyConnection, change: Change, evidence: Path) -> None:
    """
    Change the tables in the folder `evidence`, by means of any connection.
    """
    if change.table is not None:
        _rewrite(connection, path(evidence, change.table), change.table, _sql(change, change.table))
        return
    ids = connection.read_parquet(str(path(evidence, OPERATIONS))).filter("outcome = 'ok' AND client <> 'canary'")
    first, second = (
        "'" + value.replace("'", "''") + "'"
        for (value,) in ids.order("invoked_ns").limit(2).select("instance_id").fetchall()
    )
    for table in _there(evidence):
        if "instance_id" in table.types:
            exchanged = f"CASE instance_id WHEN {first} THEN {second} WHEN {second} THEN {first} ELSE instance_id END"
            _rewrite(
                connection,
                path(evidence, table),
                table,
                f"SELECT * FROM rows WHERE instance_id <> {first}"
                if change.name == "instance gone"
                else f"SELECT * REPLACE ({exchanged} AS instance_id) FROM rows",
            )


def _sql(change: Change, table: Table) -> str:
    """
    Return a query over `rows`, the rows of a table with the number of each line, that makes a change.
    """
    match change.name:
        case "gone":
            return f"SELECT * FROM rows WHERE line <> {change.line}"
        case "twice":
            return f"SELECT * FROM rows UNION ALL SELECT * FROM rows WHERE line = {change.line}"
        case "empty" if change.column == _WHOLE:
            return "SELECT * FROM rows WHERE FALSE"
        case "an hour later":
            later = (f'"{name}" + {_HOUR_NS} AS "{name}"' for name in table.types if name.endswith("_ns"))
            return f"SELECT * REPLACE ({', '.join(later)}) FROM rows"
        case "swapped":
            value = f'(SELECT "{change.column}" FROM rows AS others WHERE others.line = '
            new = f"WHEN {change.line} THEN {value}{change.other}) WHEN {change.other} THEN {value}{change.line})"
        case _:
            column = next(column for column in table.columns if column.name == change.column)
            new = f"WHEN {change.line} THEN {_values(column)[change.name]}"
    return f'SELECT * REPLACE (CASE line {new} ELSE "{change.column}" END AS "{change.column}") FROM rows'


def _rewrite(connection: duckdb.DuckDBPyConnection, file: Path, table: Table, sql: str) -> None:
    """
    Write what a query over `rows` returns in place of a table.
    """
    lines = "SELECT * RENAME (file_row_number AS line) FROM read_parquet(?, file_row_number = true)"
    connection.execute(f"CREATE OR REPLACE TABLE rows AS {lines}", [str(file)])
    there = connection.table("rows").columns
    kept = (f'"{name}"::{type_} AS "{name}"' for name, type_ in table.types.items() if name in there)
    connection.sql(f"SELECT {', '.join(kept)} FROM ({sql})").write_parquet(str(file))
