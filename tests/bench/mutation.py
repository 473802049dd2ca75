"""
Mutation score of the checker: of each change to its SQL, does the self-test notice it?

A mutant is one change to one query, an invariant's or a derived table's. It is killed if the invariants, with it in
place, raise an alarm on evidence that holds or was changed harmlessly, or miss a planted defect that they name. One
that only finds other words for the same instances is not counted. Any other survived, and either changes nothing that
matters or shows a defect that nobody plants.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path
from random import Random

import duckdb

from harness import checkers
from harness.checkers import defects, invariant, sandbox, selftest
from harness.checkers.database import Database, UnansweredError, open_database
from harness.evidence.schema import TABLES
from harness.model import Plan
from harness.rundir import RunDir
from tests.bench import mutants, runs
from tests.bench.table import Table

MOST_OF_A_TABLE = 40
"""Of a derived table's mutants, which each take all defects, at most so many are tried: drawn, always the same ones."""

CHOSEN = """
    WITH ranked AS (
        SELECT
            classes.instance_id,
            row_number() OVER (PARTITION BY kind, class, told ORDER BY classes.instance_id) AS of_its_kind,
            row_number() OVER (PARTITION BY executions > tasks, starts > 1 ORDER BY classes.instance_id) AS of_its_fate
        FROM classes
        LEFT JOIN bodies USING (instance_id)
    )
    SELECT instance_id FROM ranked WHERE of_its_kind <= 2 OR of_its_fate <= 3
"""
"""A few instances of each kind and fate: all that a run has to show, in little."""


@dataclass(frozen=True)
class Trial:
    """
    Evidence with one defect, and the invariants that must say so; of evidence that holds none must.
    """

    database: Database
    expected: frozenset[str]
    holds: bool = False

    def asks(self, name: str) -> bool:
        """
        Does it matter what the invariant `name` says of it?
        """
        return self.holds or name in self.expected


class Bench:
    """
    The trials, the evidence that holds first, and what the invariants say of that.
    """

    def __init__(self, trials: list[Trial]) -> None:
        self.trials = trials
        self.queries = {name: invariant.parse(text).query for name, text in invariant.load(invariant.GENERAL).items()}
        self.tables = {
            file.name.removesuffix(".sql"): file.read_text() for file in files(checkers).joinpath("tables").iterdir()
        }
        clean = trials[0].database
        self._needs = {name: sandbox.tables_of(sql) for name, sql in (self.tables | self.queries).items()}
        self.before = {name: _count(clean, query) for name, query in self.queries.items()}

    def invariant_killed(self, name: str, sql: str) -> bool:
        """
        Is it noticed that the invariant `name` asks `sql`?
        """
        return any(self._notices(trial, name, sql) for trial in self.trials)

    def only_words(self, name: str, sql: str) -> bool:
        """
        Does the invariant `name`, asking `sql`, find the same instances wrong, and say something else of them?
        """
        others = False
        for trial in self.trials:
            if trial.asks(name):
                was, now = (trial.database.rows(query) for query in (self.queries[name], sql))
                if [row.get("instance_id") for row in was] != [row.get("instance_id") for row in now]:
                    return False
                others |= was != now
        return others

    def table_killed(self, name: str, sql: str) -> bool:
        """
        Is it noticed that the table `name` is made by `sql`?
        """
        order = [one for one in TopologicalSorter(self._needs).static_order() if self._rests_on(one, name)]
        return any(self._table_noticed(trial, name, sql, order) for trial in self.trials)

    def _table_noticed(self, trial: Trial, name: str, sql: str, order: list[str]) -> bool:
        asked = [one for one in order if one in self.queries and trial.asks(one)]
        if not asked:
            return False
        connection = trial.database._connection
        connection.begin()
        try:
            for table in order:
                if table in self.tables:
                    was = _print(connection, table)
                    query = sql if table == name else self.tables[table]
                    connection.execute(f'CREATE OR REPLACE TABLE "{table}" AS {query}')
                    if table == name and _print(connection, table) == was:
                        return False
            return any(self._notices(trial, one, self.queries[one]) for one in asked)
        except duckdb.Error:
            return True
        finally:
            connection.rollback()

    def _notices(self, trial: Trial, name: str, sql: str) -> bool:
        if not trial.asks(name):
            return False
        found, before = _count(trial.database, sql), self.before[name]
        return found != before if trial.holds else found is None or found <= before

    def _rests_on(self, name: str, table: str) -> bool:
        return name == table or any(self._rests_on(one, table) for one in self._needs.get(name, ()))


def measure(folder: Path, say: Callable[[str], None]) -> Table:
    """
    How many of the mutants the self-test kills, on a small part of a real run in which sidecars were killed.
    """
    run = RunDir(runs.source(folder, "sidecar_kill", say))
    rows, survivors, counts, notes = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="bench-mutation-") as scratch, ExitStack() as stack:
        plan, sound = run.load_plan(), Path(scratch) / "sound"
        instances = part(plan, run.evidence, sound)
        bench = Bench(list(_trials(plan, sound, Path(scratch), stack)))
        notes.append(f"{len(bench.trials) - 1} of {len(defects.DEFECTS) + len(defects.HARMLESS)} changes planted in")
        notes[0] += (
            f" {instances} instances; invariants that do not hold without: {sum(map(bool, bench.before.values()))}"
        )
        for what, queries, kills, words, most in (
            ("invariants", bench.queries, bench.invariant_killed, bench.only_words, None),
            ("tables", bench.tables, bench.table_killed, lambda *_: False, MOST_OF_A_TABLE),
        ):
            for name, sql in sorted(queries.items()):
                tried, count = _sample(sql, most, all_columns=what == "tables")
                say(f"{what}/{name}: {len(tried)} of {count} mutants")
                left = [mutant for mutant in tried if not kills(name, mutant.sql)]
                lived = [mutant for mutant in left if not words(name, mutant.sql)]
                survivors += [f"{what}/{name}.sql:{mutant.line}: {mutant.change}" for mutant in lived]
                counts.append((len(tried) - len(left), len(lived), len(left) - len(lived)))
                rows.append((f"{what}/{name}", *_scored(*counts[-1])))
    killed, lived, words = map(sum, zip(*counts, strict=True))
    rows.append(("together", *_scored(killed, lived, words)))
    (folder / "survivors.txt").write_text("\n".join(survivors) + "\n")
    notes.append(f"those that survived, line by line: {folder / 'survivors.txt'}")
    figures = {"killed": killed, "survived": lived, "only_words": words, "score": killed / (killed + lived)}
    columns = ("query", "killed", "survived", "only words", "score")
    return Table("mutation score", columns, tuple(rows), figures, tuple(notes))


def _scored(killed: int, lived: int, words: int) -> tuple[str, ...]:
    return f"{killed:,}", f"{lived:,}", f"{words:,}", f"{killed / max(killed + lived, 1):.0%}"


def part(plan: Plan, evidence: Path, folder: Path) -> int:
    """
    Write the evidence of a few instances of every kind and fate to `folder`; return how many they are. Ledgers are
    numbered again, for one that has gaps is no ledger.
    """
    folder.mkdir()
    with open_database(plan, evidence) as database:
        chosen = {row["instance_id"] for row in database.rows(CHOSEN)}
    for table in TABLES:
        rows = duckdb.read_parquet(str(evidence / f"{table.name}.parquet"), file_row_number=True)
        if "instance_id" in table.types:
            rows = rows.filter(duckdb.ColumnExpression("instance_id").isin(*map(duckdb.ConstantExpression, chosen)))
        columns = [f'"{name}"' for name in table.types]
        if table.name == "effects":
            number = "row_number() OVER (PARTITION BY source ORDER BY position) - 1 AS position"
            columns[columns.index('"position"')] = number
        rows.order("file_row_number").select(", ".join(columns)).write_parquet(str(folder / f"{table.name}.parquet"))
    return len(chosen)


def _trials(plan: Plan, sound: Path, scratch: Path, stack: ExitStack) -> Iterator[Trial]:
    clean = _loaded(stack.enter_context(open_database(plan, sound)))
    writer = stack.enter_context(duckdb.connect())
    yield Trial(clean, frozenset(), holds=True)
    (victims,) = clean.rows(selftest._VICTIMS)
    catches = {name: invariant.parse(text).catches for name, text in invariant.load(invariant.GENERAL).items()}
    for name, defect in {**defects.HARMLESS, **defects.DEFECTS}.items():
        copy = Path(shutil.copytree(sound, scratch / name.replace("/", "-")))
        if selftest._plant(writer, defect, sound, copy, victims):
            database = _loaded(stack.enter_context(open_database(plan, copy)))
            yield Trial(database, frozenset(selftest.naming(name, catches)), holds=name in defects.HARMLESS)


def _loaded(database: Database) -> Database:
    """
    The same with its evidence in memory: it is asked thousands of times.
    """
    connection = database._connection
    for table in TABLES:
        connection.execute(f"CREATE TABLE loaded AS FROM {table.name}")
        connection.execute(f"DROP VIEW {table.name}")
        connection.execute(f"ALTER TABLE loaded RENAME TO {table.name}")
    return database


def _sample(sql: str, most: int | None, *, all_columns: bool) -> tuple[list[mutants.Mutant], int]:
    """
    At most so many of a query's mutants, drawn, always the same ones; and how many it has.
    """
    every = list(mutants.of(sql, all_columns=all_columns))
    if most is None or len(every) <= most:
        return every, len(every)
    chosen = Random(len(every)).sample(range(len(every)), most)
    return [every[number] for number in sorted(chosen)], len(every)


def _count(database: Database, sql: str) -> int | None:
    """
    The rows of a query; None if it cannot be answered, which a verdict would say.
    """
    try:
        return database.first(sql, 0)[1]
    except UnansweredError:
        return None


def _print(connection: duckdb.DuckDBPyConnection, table: str) -> object:
    return connection.execute(f'SELECT count(*), sum(hash(rows)::HUGEINT) FROM "{table}" AS rows').fetchall()
