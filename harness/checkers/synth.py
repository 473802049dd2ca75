"""
Synthetic evidence: a run with any number of instances, made from copies of a real run.

No statistical model is fitted. A real run is copied, one copy after the other, until there are enough instances. The
first copy is the run as it was, with its faults. Each further copy begins when the one before has ended, and each of
its ids ends in `~<copy>`. So arrivals, kinds, ends, tries, repeated attempts, latencies and timers are those of the
real run, and their relations, too.

The last copy may be incomplete. The seed decides which instances are in it. Instances that wrote to the same document
of the state store stay together, because the content of the document after each movement depends on all of them.
Documents are renamed like ids, wherever a JSON text names them. The positions in ledgers of services continue from copy
to copy.

Nothing here knows the meaning of a workflow. A real run that holds gives a synthetic run that holds, and a real run
that is violated gives one that is violated as many times over. No system ever did what this evidence says. The plan
says so in its claim, and so does every verdict and report that is made from it.
"""

from __future__ import annotations

import random
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from harness import rundir
from harness.checkers import invariant
from harness.checkers.likeness import Measure, compare
from harness.errors import EvidenceError, UsageError
from harness.evidence import manifest, tables
from harness.evidence.columns import Table
from harness.evidence.reader import make_views
from harness.evidence.schema import EFFECTS, INSTANCES, PHASES, TABLES
from harness.model import Plan, StateLedger
from harness.rundir import RunDir

_ONCE = {"api_calls", "turns", "faults", "readings", "journals", "workers", "shares"}
"""
Tables that are not copied: faults, workers of the load, calls to Dapr's API, doubled turns and journals are those of
the first copy, and a run with many instances has readings of only a few.
"""
_FRESH = {"op_id", "request_id", "attempt_id", "key", "parent_id", "root_id"}
"""Columns with names that must be different in each copy, whether or not the instance's id is a part of them."""
_JSON = {"payload", "output", "attributes"}
_STRING = re.compile(r'"([^"\\]*)"')
_MARK = "\x01"
"""Marks the place in a template where the number of the copy goes. JSON cannot contain this character."""
_BATCH = 10_000
_OFF = 0.001
"""The largest allowed error of a measure, in addition to what an incomplete last copy explains."""

_PHASES = """
    SELECT
        phase,
        started_ns + CASE WHEN started_ns > load_ns THEN {later_ns} ELSE 0 END AS started_ns,
        ended_ns + CASE WHEN ended_ns > load_ns THEN {later_ns} ELSE 0 END AS ended_ns,
        detail
    FROM phases, (SELECT min(started_ns) AS load_ns FROM phases WHERE phase = 'load')
"""
"""The load continues through all copies. The phases after it come after all copies."""


def make(like: RunDir, instances: int, seed: int, root: Path) -> tuple[RunDir, int, tuple[Measure, ...]]:
    """
    Make a run directory below `root` with `instances` instances that are copied from the run `like`. Return it, the
    number of instances that it has (fewer, if the instances that must stay together do not add up), and the comparison
    with the real run.

    Raises UsageError if `like` has no instances, or more than `instances`. Raises EvidenceError if it lacks a table, or
    if the result is not like it.
    """
    plan = like.load_plan()
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".synth-", dir=root) as scratch:
        evidence = Path(scratch) / "evidence"
        with _connected(Path(scratch)) as connection:
            missing = make_views(connection, like.evidence)
            have = tuple(table for table in TABLES if _has(missing, like, table))
            if EFFECTS not in have:
                raise EvidenceError(f"{like.name} has no effects table: which instances belong together cannot be told")
            units = _units(connection, plan, have)
            real = sum(map(len, units))
            if real == 0:
                raise UsageError(f"{like.name} has no instances to be copied")
            if instances < real:
                raise UsageError(f"{like.name} has {real} instances already; ask for at least as many")
            _refuse_too_large(like, root, instances / real)
            copies, rest = divmod(instances, real)
            part = _part(units, rest, seed)
            total = copies * real + len(part)
            _write(connection, plan, have, Path(scratch), copies, part)
        measures = compare(plan, like.evidence, evidence, _OFF + len(part) / total)
        off = [f"{each.name} ({each.real} and {each.synthetic})" for each in measures if not each.fits]
        if off:
            raise EvidenceError(f"the synthetic run is not like {like.name}: {', '.join(off)}")
        run = rundir.create(root, f"{plan.scenario.name}-synthetic", seed)
        evidence.replace(run.evidence)
    run.save_plan(_claimed(plan, like.name, real, total, seed, copies + bool(part)))
    run.keep_invariants(invariant.load(like.invariants) if like.invariants.is_dir() else {})
    manifest.write(run)
    return run, total, measures


def _refuse_too_large(like: RunDir, root: Path, copies: float) -> None:
    """
    Raise UsageError if so many copies of a run's evidence would not fit on the disk of `root`.
    """
    needed = copies * sum(file.stat().st_size for file in like.evidence.glob("*.parquet"))
    free = shutil.disk_usage(root).free
    if needed > free:
        raise UsageError(
            f"{copies:,.0f} copies of {like.name} take about {needed / 1e9:,.1f} GB, "
            f"and {root} has {free / 1e9:,.1f} GB free"
        )


def _claimed(plan: Plan, like: str, real: int, total: int, seed: int, copies: int) -> Plan:
    """
    Return the plan of the real run, with a name and a claim that say that it is synthetic.
    """
    scenario = plan.scenario
    claim = (
        f"SYNTHETIC: {total:,} instances made from the {real:,} of {like} (`harness synth`, seed {seed}). Nothing was "
        f"run; this says nothing of any system. The claim of the real run: {scenario.claim}"
    )
    named = scenario.model_copy(update={"name": f"{scenario.name}-synthetic", "claim": claim})
    return plan.model_copy(update={"scenario": named, "copies": copies})


def _connected(scratch: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET threads = 2; SET memory_limit = '1GB'; SET temp_directory = {_quoted(scratch / 'spill')}")
    # Keep rows in the order of the left side of a join, so that each history stays together, as a collector writes it.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    return connection


def _has(missing: Mapping[str, str], like: RunDir, table: Table) -> bool:
    """
    Return whether the real run has a table. If not, the synthetic run does not have it either. Raises EvidenceError if
    the table is there and cannot be read.
    """
    if table.name in missing and tables.path(like.evidence, table).is_file():
        raise EvidenceError(f"{like.name} cannot be copied: {missing[table.name]}")
    return table.name not in missing


def _units(connection: duckdb.DuckDBPyConnection, plan: Plan, have: Sequence[Table]) -> list[list[str]]:
    """
    Return every instance that any table knows, in groups that must stay together, in the order of ids.
    """
    everybody = " UNION ".join(
        f"SELECT instance_id FROM {table.name}" for table in have if "instance_id" in table.types
    )
    ids = connection.execute(f"SELECT instance_id FROM ({everybody}) WHERE instance_id IS NOT NULL ORDER BY ALL")
    head = {instance: instance for (instance,) in ids.fetchall()}

    def first(instance: str) -> str:
        while head[instance] != instance:
            head[instance] = instance = head[head[instance]]
        return instance

    seen: dict[str, str] = {}
    shared = connection.execute(
        "SELECT DISTINCT source, instance_id FROM effects WHERE instance_id IS NOT NULL ORDER BY ALL"
    )
    for source, instance in shared.fetchall():
        if _is_document(plan, source):
            head[first(instance)] = first(seen.setdefault(source, instance))
    families = "SELECT instance_id, root_id FROM instances WHERE root_id IS NOT NULL ORDER BY ALL"
    for instance, root in connection.execute(families).fetchall() if INSTANCES in have else ():
        head[first(instance)] = first(head.setdefault(root, root))
    units: dict[str, list[str]] = {}
    for instance in head:
        units.setdefault(first(instance), []).append(instance)
    return list(units.values())


def _is_document(plan: Plan, source: str | None) -> bool:
    """
    Return whether a ledger is a document of the state store, and not a service.
    """
    return any(
        isinstance(ledger, StateLedger) and (source or "").startswith(ledger.prefix) for ledger in plan.target.ledgers
    )


def _part(units: Sequence[Sequence[str]], most: int, seed: int) -> list[str]:
    """
    Return at most `most` instances, in whole groups that the seed chooses; fewer if no group fits into the rest.
    """
    part: list[str] = []
    for unit in random.Random(seed).sample(units, len(units)):
        if len(part) + len(unit) <= most:
            part += unit
    return part


def _write(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    have: Sequence[Table],
    scratch: Path,
    copies: int,
    part: Sequence[str],
) -> None:
    """
    Write all evidence tables into `scratch`/evidence: `copies` complete copies, and one more of the instances in
    `part`.
    """
    evidence = scratch / "evidence"
    evidence.mkdir()
    connection.execute("CREATE TABLE part AS SELECT unnest(?::VARCHAR[]) AS instance_id", [[i + _MARK for i in part]])
    documents = _documents(connection, plan)
    copied = [table for table in have if table is not PHASES and table.name not in _ONCE]
    period_ns = _period_ns(connection, copied)
    later_ns = period_ns * (copies - 1 + bool(part))
    for table in copied:
        marked = _template(connection, table, documents, scratch / "templates")
        _copy(connection, _copied(table, marked, copies, period_ns, part), evidence, table)
        connection.execute("DROP TABLE template")
    for table in (table for table in have if table not in copied):
        sql = _PHASES.format(later_ns=later_ns) if table is PHASES else f"FROM {table.name}"
        _copy(connection, sql, evidence, table)


def _documents(connection: duckdb.DuckDBPyConnection, plan: Plan) -> set[str]:
    """
    Return the keys of the documents that are ledgers, with and without their prefix, because other texts may name them
    without it.
    """
    prefixes = [ledger.prefix for ledger in plan.target.ledgers if isinstance(ledger, StateLedger)]
    sources = [source for (source,) in connection.execute("SELECT DISTINCT source FROM effects").fetchall()]
    keys = {source for source in sources if _is_document(plan, source)}
    return keys | {key.removeprefix(prefix) for key in keys for prefix in prefixes if key.startswith(prefix)}


def _period_ns(connection: duckdb.DuckDBPyConnection, copied: Sequence[Table]) -> int:
    """
    Return how long one copy takes, in nanoseconds: from the first time in its tables to the last, and one second more.
    """
    spans = " UNION ALL ".join(
        f"SELECT min({column}) AS first_ns, max({column}) AS last_ns FROM {table.name}"
        for table in copied
        for column in table.types
        if column.endswith("_ns") and column != "fire_at_ns"  # a timer may be due long after the run, or never
    )
    span = connection.execute(f"SELECT max(last_ns) - min(first_ns) FROM ({spans})").fetchone()
    return (span[0] if span and span[0] else 0) + 1_000_000_000


def _template(
    connection: duckdb.DuckDBPyConnection, table: Table, documents: set[str], scratch: Path
) -> frozenset[str]:
    """
    Make the table `template`: the rows of `table`, with marks where the number of a copy goes. Each row has its `line`,
    and in a ledger that continues from copy to copy the number of positions of the ledger (`places`). Return the
    columns that have marks.
    """
    marked: set[str] = set()

    def rows() -> Iterator[dict[str, object]]:
        answer = connection.cursor().execute(f"FROM {table.name}")
        while batch := answer.fetchmany(_BATCH):
            for values in batch:
                row = dict(zip(table.types, values, strict=True))
                new = row | {name: _marked(row, name, documents) for name in row if isinstance(row[name], str)}
                marked.update(name for name in row if row[name] != new[name])
                yield new

    tables.write(scratch, table, rows())
    places = "CASE WHEN contains(source, chr(1)) THEN 0 ELSE max(position) OVER (PARTITION BY source) + 1 END"
    connection.execute(
        f"CREATE TABLE template AS SELECT *, {places if table is EFFECTS else 0} AS places "
        f"FROM (SELECT *, row_number() OVER () - 1 AS line FROM read_parquet({_quoted(tables.path(scratch, table))}))"
    )
    return frozenset(marked)


def _marked(row: Mapping[str, object], column: str, documents: set[str]) -> str:
    """
    Return the text of one column, with a mark after each name that must be different in each copy.
    """
    text, instance = str(row[column]), str(row.get("instance_id") or _MARK)
    # A whole word: canary-1 is not a part of canary-10.
    new = re.sub(rf"(?<!\w){re.escape(instance)}(?!\w)", lambda _: instance + _MARK, text) if instance in text else text
    if column in _JSON:
        return _STRING.sub(lambda found: f'"{found[1]}{_MARK}"' if found[1] in documents else found[0], new)
    own_name = column in _FRESH or (column == "source" and text in documents)
    return new + _MARK if own_name and new == text else new


def _copied(table: Table, marked: frozenset[str], copies: int, period_ns: int, part: Sequence[str]) -> str:
    """
    Return SQL for all rows of the synthetic `table`, sorted by copy and line.
    """
    columns = ", ".join(
        f'replace("{name}", chr(1), suffix) AS "{name}"'
        if name in marked
        else f'"{name}" + copy * {period_ns} AS "{name}"'
        if name.endswith("_ns")
        else "position + copy * places AS position"
        if table is EFFECTS and name == "position"
        else f'"{name}"'
        for name in table.types
    )
    of_part = "instance_id IN (FROM part)" if "instance_id" in table.types else str(bool(part))
    # In an incomplete copy, the positions in the ledger of a service must have no gaps either.
    renumbered = "REPLACE (row_number() OVER (PARTITION BY source ORDER BY position, line) - 1 AS position)"
    return f"""
        SELECT {columns}
        FROM (
            SELECT *, CASE copy WHEN 0 THEN '' ELSE '~' || copy END AS suffix
            FROM (
                SELECT template.*, copy
                FROM (
                    SELECT i // (SELECT count(*) FROM template) AS copy, i % (SELECT count(*) FROM template) AS line
                    FROM range({copies} * (SELECT count(*) FROM template)) AS r(i)
                )
                JOIN template USING (line)
                UNION ALL
                FROM (
                    SELECT * {renumbered if table is EFFECTS else ""}, {copies} AS copy
                    FROM template
                    WHERE {of_part}
                    ORDER BY line
                )
            )
        )
    """


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, evidence: Path, table: Table) -> None:
    connection.execute(f"COPY ({sql}) TO {_quoted(tables.path(evidence, table))} (FORMAT parquet, COMPRESSION zstd)")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
