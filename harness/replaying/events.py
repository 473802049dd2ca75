"""
The history of a saved run, as the events that a workflow's SDK replays.

The evidence holds what the engine stored (table `history`). Here each row becomes an event of durabletask's protocol
again (orchestrator_service.proto). Not in the evidence, and so not in the events: whether a failure may be retried.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
from dapr.ext.workflow._durabletask.internal import history_events_pb2

from harness.errors import EvidenceError
from harness.evidence.reader import make_views
from harness.evidence.schema import HISTORY, INSTANCES

ORDERED = ("taskScheduled", "timerCreated", "childWorkflowInstanceCreated", "eventSent", "executionCompleted")
"""What a turn orders, in the words of the history. All other events of a turn are what it took in."""

Row = Mapping[str, Any]

_QUERY = """
SELECT history.*, instances.workflow, instances.history_length
FROM history
JOIN instances ON instances.instance_id = history.instance_id
ORDER BY history.instance_id, history.position
"""
_BATCH = 5_000


@dataclass(frozen=True)
class Turn:
    """
    One turn of a workflow: the rows that it took in, and the rows that it ordered.
    """

    took: tuple[Row, ...]
    ordered: tuple[Row, ...]


@dataclass(frozen=True)
class Saved:
    """
    The saved history of one instance. `lacks` says in words what is missing in it; None if nothing is.
    """

    instance_id: str
    workflow: str | None
    turns: tuple[Turn, ...]
    lacks: str | None = None


def saved(evidence: Path) -> Iterator[Saved]:
    """
    Return the history of each instance of a run, in the order of ids. `evidence` is the run's folder of tables.

    Raises EvidenceError if a table is missing or cannot be read.
    """
    with duckdb.connect() as connection:
        if missing := make_views(connection, evidence, (HISTORY, INSTANCES)):
            raise EvidenceError("; ".join(missing.values()))
        answer = connection.execute(_QUERY)
        columns = [column[0] for column in answer.description]

        def rows() -> Iterator[Row]:
            while batch := answer.fetchmany(_BATCH):
                yield from (dict(zip(columns, row, strict=True)) for row in batch)

        for instance_id, of_instance in groupby(rows(), lambda row: row["instance_id"]):
            events = list(of_instance)
            of_turns = turns(events)
            yield Saved(instance_id, events[0]["workflow"], of_turns, lacks(events, of_turns))


def turns(rows: Iterable[Row]) -> tuple[Turn, ...]:
    """
    Return the turns of one instance. `rows` are its rows of `history`, in order; each turn begins with workflowStarted.
    """
    found: list[list[Row]] = []
    for row in rows:
        if row["event"] == "workflowStarted" or not found:
            found.append([])
        found[-1].append(row)
    return tuple(
        Turn(
            tuple(row for row in turn if row["event"] not in ORDERED),
            tuple(row for row in turn if row["event"] in ORDERED),
        )
        for turn in found
    )


def event(row: Row) -> Any:
    """
    Return a row of `history` as an event of the protocol. Raises EvidenceError if the SDK has no such event.
    """
    made = history_events_pb2.HistoryEvent(eventId=row["event_id"] or 0)
    made.timestamp.FromNanoseconds(row["at_ns"] or 0)
    kind = row["event"]
    if kind not in made.DESCRIPTOR.fields_by_name:
        raise EvidenceError(f"{row['instance_id']}: row {row['position']}: no event is called {kind}")
    body = getattr(made, kind)
    body.SetInParent()
    fields = {field.name for field in body.DESCRIPTOR.fields}
    for field, value in (("name", row["name"]), ("taskScheduledId", row["task_id"]), ("timerId", row["task_id"])):
        if field in fields and value is not None:
            setattr(body, field, value)
    for field in ("result", "input"):
        if field in fields and row["payload"] is not None:
            getattr(body, field).value = row["payload"]
            break
    if row.get("version") is not None:
        body.version.name = row["version"]
    if row.get("patches") is not None:
        body.version.patches.extend(json.loads(row["patches"]))
    if "fireAt" in fields and row["fire_at_ns"] is not None:
        body.fireAt.FromNanoseconds(row["fire_at_ns"])
    if "failureDetails" in fields and row["error"] is not None:
        body.failureDetails.errorType, _, body.failureDetails.errorMessage = row["error"].partition(": ")
    return made


def number(row: Row) -> int | None:
    """
    Return the number of what a row orders. A workflow numbers what it orders from 1.
    """
    found = row["task_id"] if row["task_id"] is not None else row["event_id"]
    return None if found is None else int(found)


def lacks(rows: Sequence[Row], turns: Sequence[Turn]) -> str | None:
    """
    Return in words what an instance's history lacks; None if it has every row that its metadata counts, from its start
    on, and a row for everything that was ordered. (Dapr 1.18 may lose one of these: docs/findings.md, 8.)
    """
    if [row["position"] for row in rows] != list(range(len(rows))) or rows[0]["history_length"] != len(rows):
        return "rows of its history are missing"
    if not any(row["event"] == "executionStarted" for row in rows):
        return "its history does not begin with its start"
    ordered = [number(row) for turn in turns for row in sorted(turn.ordered, key=lambda row: number(row) or 0)]
    wrong = next((expected for expected, found in enumerate(ordered, 1) if found != expected), None)
    return None if wrong is None else f"its history has no row in its place for what was ordered as number {wrong}"
