"""
The database of a copy of a run's evidence, whose tables are changed one after the other by those who try the judge.

After a change only what it concerns is read and derived again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from harness.checkers import interrupts, memory
from harness.checkers.database import HELD, Database, connected, derived
from harness.checkers.invariant import Invariant
from harness.evidence.columns import Table
from harness.evidence.reader import make_views
from harness.evidence.tables import path
from harness.model import Plan


class Copied:
    """
    The copy: its `folder` of Parquet files, and its `database`. Made by `copied`.
    """

    def __init__(self, evidence: Path, folder: Path, connection: duckdb.DuckDBPyConnection, database: Database) -> None:
        self.folder = folder
        self.database = database
        self._evidence = evidence
        self._connection = connection
        self._large = {file.name for file in evidence.iterdir() if file.stat().st_size > HELD}

    @contextmanager
    def changed(self, tables: Collection[Table]) -> Iterator[None]:
        """
        Within the `with` block the database has what the caller wrote to the files of `tables` in the folder. After it
        the copy is as the evidence is.
        """
        self._read(tables)
        try:
            yield
        finally:
            for table in tables:
                shutil.copy(path(self._evidence, table), path(self.folder, table))
            self._read(tables)

    def concerns(self, each: Invariant, tables: Collection[Table]) -> bool:
        """
        Whether an invariant rests on one of these tables.
        """
        return not self.basis(each).isdisjoint(table.name for table in tables)

    def basis(self, each: Invariant) -> set[str]:
        """
        Return the names of all tables on which an invariant rests.
        """
        return self.database.rests_on(each.query) | self.database.rests_on(each.examined)

    def _read(self, tables: Collection[Table]) -> None:
        missing = dict(self.database.missing)
        for table in tables:
            file = path(self.folder, table)
            if file.name not in self._large:  # a view reads the file again by itself
                missing.pop(table.name, None)
                missing |= make_views(self._connection, self.folder, (table,), held=file.stat().st_size)
        self.database.missing = missing
        self.database.changed([table.name for table in tables])


@contextmanager
def copied(plan: Plan, evidence: Path) -> Iterator[Copied]:
    """
    Copy the evidence in this folder, and open the database of the copy. A derived table is made when it is read.
    """
    with tempfile.TemporaryDirectory(prefix="harness-selftest-") as scratch:
        folder = Path(shutil.copytree(evidence, Path(scratch) / "evidence"))
        with memory.bounded(), connected(plan, folder, HELD) as (connection, missing):
            database = Database(connection, missing)
            with closing(database), interrupts.by_signals(database.interrupt):
                database.derive(derived(), None)
                yield Copied(evidence, folder, connection, database)
