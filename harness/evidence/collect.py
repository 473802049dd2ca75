"""
Collecting the evidence of a run: each source into its own table. If one source fails, the others are still collected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import structlog

from harness.backends.endpoints import Endpoints
from harness.evidence import api, jobs, journals, ledgers, tables
from harness.evidence.engine import Engine
from harness.evidence.schema import (
    ATTEMPTS,
    EFFECTS,
    FAULTS,
    HISTORY,
    INSTANCES,
    JOBS,
    JOURNALS,
    OPERATIONS,
    PHASES,
    READINGS,
    SAMPLES,
    Table,
)
from harness.model import Target
from harness.rundir import RunDir

log = structlog.get_logger(__name__)

Rows = Iterator[Mapping[str, object]]


def from_sidecars(run: RunDir, target: Target, endpoints: Endpoints, seed: int) -> list[str]:
    """
    Collect what only running sidecars can tell: readings of each instance that a client asked for or that the engine
    has. If there are too many, the seed chooses a sample. Return what could not be collected, in words.
    """

    def readings() -> Rows:
        engine = Engine(endpoints.redis, target)
        try:
            known = engine.ids() | {row["instance_id"] for row in journals.operations(run.journals)}
        finally:
            engine.close()
        return api.readings(api.chosen(known, seed), endpoints.sidecars)

    return _table(run, READINGS, readings)


def from_system(run: RunDir, target: Target, endpoints: Endpoints) -> list[str]:
    """
    Collect what the stores, the scheduler and the ledgers kept: instances, history, jobs, effects. Return what could
    not be collected, in words.
    """
    missing = []
    engine = Engine(endpoints.redis, target)
    try:
        histories: list[Mapping[str, object]] = []

        def instances() -> Rows:
            for row, events in engine.rows():
                histories.extend(events)
                yield row

        missing += _table(run, INSTANCES, instances)
        if not missing:
            missing += _table(run, HISTORY, lambda: iter(histories))
    finally:
        engine.close()
    missing += _table(run, JOBS, lambda: jobs.left(target, endpoints.scheduler))
    return missing + _table(run, EFFECTS, lambda: ledgers.effects(target, endpoints))


def from_journals(run: RunDir) -> list[str]:
    """
    Collect what the journals recorded during the run. Return what could not be collected, in words.
    """
    sources: Mapping[Table, Callable[[], Rows]] = {
        OPERATIONS: lambda: journals.operations(run.journals),
        ATTEMPTS: lambda: journals.attempts(run.journals),
        FAULTS: lambda: journals.faults(run.journals),
        PHASES: lambda: journals.phases(run.journals),
        SAMPLES: lambda: journals.samples(run.journals),
        JOURNALS: lambda: journals.files(run.journals),
    }
    return [problem for table, rows in sources.items() for problem in _table(run, table, rows)]


def _table(run: RunDir, table: Table, rows: Callable[[], Rows]) -> list[str]:
    """
    Write one table. If its source cannot be read, there is no table, and the checkers rightly say UNKNOWN. Return what
    could not be collected, in words.
    """
    try:
        tables.write(run.evidence, table, rows())
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one source, the others can still be collected
        log.warning("evidence could not be collected", table=table.name, error=str(error))
        return [f"{table.name}: {error or type(error).__name__}"]
    return []
