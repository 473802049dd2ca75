"""
Everything that the evidence has of one instance, as typed rows in order of time: its trace.

A table that is missing stays empty in the trace and is named in `missing`: "not seen" is not "not there".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from harness.checkers.database import Row, UnansweredError
from harness.checkers.telling import LIVES, in_force

_T = TypeVar("_T")

_ENDING = ("kill", "stop", "scale_in", "exit")
"""Faults after which the process of their node is another one, so that no body of before runs any more."""


class Answers(Protocol):
    """
    Evidence that answers queries.
    """

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """
        Return all rows of a query. Raises UnansweredError if the evidence cannot answer it.
        """


@dataclass(frozen=True)
class Call:
    """
    One call of a client.
    """

    number: int
    node: str
    invoked_ns: int
    completed_ns: int | None
    outcome: str
    status: int | None
    detail: str | None


@dataclass(frozen=True)
class Asked(Call):
    """
    One request of a client to the instance after its start: the operation, and of `raiseEvent` the name of the event.
    """

    operation: str
    name: str | None


@dataclass(frozen=True)
class Event:
    """
    One event of the engine's history.
    """

    position: int
    event: str
    name: str | None
    task_id: int | None
    at_ns: int
    fire_at_ns: int | None
    payload: str | None
    error: str | None


@dataclass(frozen=True)
class Body:
    """
    One execution of an activity's body, the `execution`-th of its task. `ended_ns` is None if it was cut off.
    """

    activity: str
    task_id: int
    execution: int
    node: str
    started_ns: int
    ended_ns: int | None
    outcome: str | None
    detail: str | None


@dataclass(frozen=True)
class Effect:
    """
    One change that the outside world kept. `key` and `at_ns` are None if its ledger has none.
    """

    effect: str
    key: str | None
    at_ns: int | None
    source: str
    attributes: str | None


@dataclass(frozen=True)
class Job:
    """
    One job that the scheduler still held when everything had settled.
    """

    kind: str
    name: str
    task_id: int | None
    listed_ns: int | None


@dataclass(frozen=True)
class Stored:
    """
    What the engine stored of the instance itself.
    """

    workflow: str | None
    status: str
    outcome: str | None
    completed_ns: int | None
    history_length: int | None
    history_rows: int | None
    inbox_length: int | None
    inbox_rows: int | None


@dataclass(frozen=True)
class Reading:
    """
    What Dapr's workflow API said of the instance.
    """

    node: str
    answered_ns: int | None
    status: str | None
    error: str | None


@dataclass(frozen=True)
class Struck:
    """
    One fault on one node.
    """

    step: int
    fault: str
    node: str
    applied_ns: int
    healed_ns: int | None


@dataclass(frozen=True)
class Trace:
    """
    What the evidence has of one instance.

    `begun_ns` and `ended_ns` are its life, as lives.sql defines it; `faults` those that were in force in it. `settled`:
    the run waited for its instances until it was sure. `missing` is table -> why it cannot be read.
    """

    instance_id: str
    calls: tuple[Call, ...] = ()
    asked: tuple[Asked, ...] = ()
    events: tuple[Event, ...] = ()
    bodies: tuple[Body, ...] = ()
    effects: tuple[Effect, ...] = ()
    jobs: tuple[Job, ...] = ()
    stored: Stored | None = None
    reading: Reading | None = None
    faults: tuple[Struck, ...] = ()
    begun_ns: int | None = None
    ended_ns: int | None = None
    settled: bool = True
    missing: Mapping[str, str] = field(default_factory=dict)

    def ended_by(self, body: Body) -> Struck | None:
        """
        Return the first fault that ended the process of a body that was cut off; None if the evidence shows none.
        """
        if body.ended_ns is not None:
            return None
        on_its_node = (fault for fault in self.faults if fault.node == body.node and fault.fault in _ENDING)
        return next((fault for fault in on_its_node if fault.applied_ns >= body.started_ns), None)


_SETTLED = "SELECT count(*) AS settled FROM phases WHERE phase = 'settle' AND ended_ns IS NOT NULL AND detail IS NULL"
_FAULTS = """
    SELECT step, fault, node, applied_ns, healed_ns
    FROM faults
    WHERE applied_ns IS NOT NULL
    ORDER BY applied_ns, step, node
"""
_CALLS = """
    SELECT instance_id, try AS number, node, invoked_ns, completed_ns, outcome, status, detail
    FROM operations
    WHERE instance_id IN (SELECT unnest(?))
    ORDER BY invoked_ns, try
"""
_ASKED = """
    SELECT
        instance_id, number, node, invoked_ns, completed_ns, outcome, status, left(detail, 500) AS detail,
        operation, name
    FROM requests
    WHERE instance_id IN (SELECT unnest(?))
    ORDER BY invoked_ns, number
"""
_EVENTS = """
    SELECT
        instance_id, position, event, name, task_id, at_ns, fire_at_ns,
        left(payload, 500) AS payload, left(error, 500) AS error
    FROM history
    WHERE instance_id IN (SELECT unnest(?))
    ORDER BY position
"""
_BODIES = """
    SELECT
        instance_id, activity, task_id, node, started_ns, ended_ns, outcome, detail,
        row_number() OVER (PARTITION BY instance_id, task_id ORDER BY started_ns, attempt_id) AS execution
    FROM attempts
    WHERE instance_id IN (SELECT unnest(?))
    ORDER BY started_ns, attempt_id
"""
_EFFECTS = """
    SELECT instance_id, effect, key, at_ns, source, attributes
    FROM effects
    WHERE instance_id IN (SELECT unnest(?))
    ORDER BY at_ns, source, position
"""
_JOBS = """
    SELECT instance_id, kind, name, task_id, listed_ns
    FROM jobs
    WHERE instance_id IN (SELECT unnest(?))
    ORDER BY name
"""
_STORED = """
    SELECT
        instance_id, workflow, status, outcome, completed_ns, history_length, history_rows, inbox_length, inbox_rows
    FROM instances
    WHERE instance_id IN (SELECT unnest(?))
"""
_READINGS = """
    SELECT instance_id, node, answered_ns, status, error
    FROM readings
    WHERE instance_id IN (SELECT unnest(?))
    ORDER BY asked_ns
"""


def read(evidence: Answers, instances: Sequence[str]) -> dict[str, Trace]:
    """
    Return the traces of some instances, by instance id.
    """
    missing: dict[str, str] = {}
    listed = [list(instances)]

    def rows(table: str, sql: str, parameters: Sequence[object]) -> list[Row]:
        try:
            return evidence.rows(sql, parameters)
        except UnansweredError as error:
            missing[table] = str(error)
            return []

    def of(table: str, sql: str, make: Callable[..., _T]) -> Mapping[str, tuple[_T, ...]]:
        return _by_instance(rows(table, sql, listed), make)

    calls = of("operations", _CALLS, Call)
    asked = of("requests", _ASKED, Asked)
    events = of("history", _EVENTS, Event)
    bodies = of("attempts", _BODIES, Body)
    effects = of("effects", _EFFECTS, Effect)
    jobs = of("jobs", _JOBS, Job)
    stored = of("instances", _STORED, Stored)
    readings = of("readings", _READINGS, Reading)
    faults = [Struck(**row) for row in rows("faults", _FAULTS, [])]
    settled = any(row["settled"] for row in rows("phases", _SETTLED, []))
    lives = {row["instance_id"]: row for row in rows("lives", LIVES, listed * 3)}
    missing.pop("lives", None)
    missing.pop("requests", None)  # most loads have none

    def trace(instance: str) -> Trace:
        life = lives.get(instance, {})
        begun_ns, ended_ns = life.get("begun_ns"), life.get("ended_ns")
        return Trace(
            instance,
            calls=calls.get(instance, ()),
            asked=asked.get(instance, ()),
            events=events.get(instance, ()),
            bodies=bodies.get(instance, ()),
            effects=effects.get(instance, ()),
            jobs=jobs.get(instance, ()),
            stored=next(iter(stored.get(instance, ())), None),
            reading=next(reversed(readings.get(instance, ())), None),
            faults=tuple(
                each
                for each in faults
                if begun_ns is not None and in_force(each.applied_ns, each.healed_ns, begun_ns, ended_ns)
            ),
            begun_ns=begun_ns,
            ended_ns=ended_ns,
            settled=settled,
            missing=missing,
        )

    return {instance: trace(instance) for instance in instances}


def _by_instance(rows: Iterable[Mapping[str, Any]], make: Callable[..., _T]) -> Mapping[str, tuple[_T, ...]]:
    found: dict[str, list[_T]] = defaultdict(list)
    for row in rows:
        found[row["instance_id"]].append(make(**{name: value for name, value in row.items() if name != "instance_id"}))
    return {instance: tuple(of) for instance, of in found.items()}
