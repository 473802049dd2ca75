"""
Collecting the evidence of a run: each source into its own table. If one source fails, the others are still collected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import structlog

from harness.backends.endpoints import Endpoints
from harness.evidence import api, balances, conversation, jobs, journals, tables
from harness.evidence.columns import Table
from harness.evidence.conversation import Conversation
from harness.evidence.engine import Engine
from harness.evidence.ledgers import Ledgers
from harness.evidence.schema import (
    API_CALLS,
    ATTEMPTS,
    BALANCES,
    DELIVERIES,
    EFFECTS,
    FAULTS,
    HISTORY,
    INSTANCES,
    JOBS,
    JOURNALS,
    MOVES,
    OPERATIONS,
    PHASES,
    READINGS,
    REQUESTS,
    SAMPLES,
    SHARES,
    TURNS,
    UNANSWERED,
    WORKERS,
)
from harness.model import Target
from harness.rundir import RunDir

log = structlog.get_logger(__name__)

Rows = Iterator[Mapping[str, object]]


def from_sidecars(run: RunDir, target: Target, endpoints: Endpoints, seed: int) -> list[str]:
    """
    Collect what only running sidecars can tell: readings of each instance that a client asked for or that the engine
    has, by a sidecar of its own application. If there are too many, the seed chooses a sample. Return what could not be
    collected, in words.
    """

    def readings() -> Rows:
        engine = Engine(endpoints.store, target)
        try:
            owners = engine.owners()
        finally:
            engine.close()
        asked = api.chosen({*owners, *(row["instance_id"] for row in journals.operations(run.journals))}, seed)
        for application in target.app_ids:
            of_it = [instance for instance in asked if owners.get(instance) == application]
            yield from api.readings(of_it, endpoints.sidecars_of(application))

    return _table(run, READINGS, readings)


def from_system(run: RunDir, target: Target, endpoints: Endpoints, ledgers: Ledgers) -> list[str]:
    """
    Collect what the stores, the scheduler and the ledgers kept: instances, history, jobs, effects. Return what could
    not be collected, in words.
    """
    missing = []
    engine = Engine(endpoints.store, target)
    try:
        histories: list[Mapping[str, object]] = []
        children: set[object] = set()

        def instances() -> Rows:
            for row, events in engine.rows():
                histories.extend(events)
                if row["root_id"] is not None:
                    children.add(row["instance_id"])
                yield row

        def moves() -> Rows:
            return balances.moves(target, (event for event in histories if event["instance_id"] not in children))

        missing += _table(run, INSTANCES, instances)
        if not missing:
            missing += _table(run, HISTORY, lambda: iter(histories))
            missing += _table(run, MOVES, moves)
    finally:
        engine.close()
    missing += _table(run, BALANCES, lambda: balances.kept(target, endpoints))
    missing += _table(run, JOBS, lambda: jobs.left(target, endpoints.scheduler))
    missing += _table(run, EFFECTS, ledgers.effects)
    return missing + (_table(run, UNANSWERED, ledgers.unanswered) if target.called else [])


def from_journals(run: RunDir, target: Target) -> list[str]:
    """
    Collect what the journals and the taps recorded during the run. Return what could not be collected, in words.

    If the target does not promise to write its attempts down, and has not done so, the taps tell what was executed.
    """
    heard = Conversation()

    def deliveries() -> Rows:
        nonlocal heard
        heard = conversation.read(run.taps)
        return iter(heard.deliveries)

    missing = _table(run, DELIVERIES, deliveries)
    if not missing:
        missing += _table(run, API_CALLS, lambda: iter(heard.api_calls))
    by_file = target.attempts or run.journals.every_attempts()
    if by_file or not missing:
        rows = journals.attempts(run.journals) if by_file else conversation.attempts(heard.deliveries)
        missing += _table(run, ATTEMPTS, lambda: rows)
    sources: Mapping[Table, Callable[[], Rows]] = {
        OPERATIONS: lambda: journals.operations(run.journals),
        FAULTS: lambda: journals.faults(run.journals),
        PHASES: lambda: journals.phases(run.journals),
        SAMPLES: lambda: journals.samples(run.journals),
        JOURNALS: lambda: journals.files(run.journals, run.taps),
    }
    if run.journals.every_requests():
        missing += _table(run, REQUESTS, lambda: journals.requests(run.journals))
    if any(journals.workers(run.journals)):
        missing += _table(run, WORKERS, lambda: journals.workers(run.journals))
        missing += _table(run, SHARES, lambda: journals.shares(run.journals))
    if run.journals.every_turns():
        missing += _table(run, TURNS, lambda: journals.turns(run.journals))
    return missing + [problem for table, rows in sources.items() for problem in _table(run, table, rows)]


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
