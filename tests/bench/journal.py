"""
Journaling: rows a second of a crash-safe journal, beside what Python has for appending lines and for rows on disk.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from harness.journal import Journal
from harness.rows import Invoked
from tests.bench.table import Table

ROWS, SYNCED = 100_000, 300
FACTS = {
    "event": "invoke",
    "op_id": "locust-1/4711",
    "instance_id": "plain-004711",
    "workflow": "order_v1",
    "kind": "plain",
    "client": "locust-1",
    "node": "app-1",
    "try": 1,
    "intended_ns": 1 << 60,
    "at_ns": 1 << 60,
}

Write = Callable[[], None]
"""Makes one row of the facts, and writes it."""


@contextmanager
def journal(folder: Path, *, sync: bool) -> Iterator[Write]:
    with Journal(folder / "journal.jsonl") as written:
        yield lambda: written.write(Invoked(**FACTS), sync=sync)


@contextmanager
def logged(folder: Path) -> Iterator[Write]:
    with closing(logging.FileHandler(folder / "log.jsonl")) as handler:

        def write() -> None:
            handler.emit(logging.LogRecord("bench", logging.INFO, "", 0, json.dumps(FACTS), None, None))

        yield write


@contextmanager
def sqlite(folder: Path) -> Iterator[Write]:
    with closing(sqlite3.connect(folder / "rows.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE rows (row TEXT)")
        yield lambda: db.execute("INSERT INTO rows VALUES (?)", [json.dumps(FACTS)])


def measure(folder: Path, say: Callable[[str], None]) -> Table:
    """
    Rows a second, ours and the peer's, in turns; the best of three each, so that a hiccup of the disk counts for none.
    """
    rows, figures = [], {}
    for name, peer, count, ours, theirs in (
        ("written", "logging.FileHandler", ROWS, lambda at: journal(at, sync=False), logged),
        ("on disk (sync)", "SQLite, synchronous = FULL", SYNCED, lambda at: journal(at, sync=True), sqlite),
    ):
        say(f"{count:,} rows, {name}")
        pairs = [(rate(folder, ours, count), rate(folder, theirs, count)) for _ in range(3)]
        our, their = (max(rates) for rates in zip(*pairs, strict=True))
        rows.append((name, f"{our:,.0f}", peer, f"{their:,.0f}", f"{our / their:.2f}"))
        figures |= {
            f"journal_{count}_rows_per_s": our,
            f"peer_{count}_rows_per_s": their,
            f"ratio_{count}": our / their,
        }
    return Table("journaling", ("rows a second", "journal", "peer", "peer's", "ratio"), tuple(rows), figures)


def rate(folder: Path, opened: Callable, count: int) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as scratch, opened(Path(scratch)) as write:
        began = time.perf_counter()
        for _ in range(count):
            write()
        return count / (time.perf_counter() - began)
