"""
What stands still and why, as far as the running system can tell. It is read while the system runs, and never judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.backends import ready
from harness.backends.endpoints import Address, Endpoints
from harness.errors import EvidenceError, NodeError
from harness.evidence.engine import Engine
from harness.evidence.journals import attempts
from harness.journal import Journals
from harness.model import Stall, Stuck

_MOST = 100
TIMEOUT = 2.0
"""Seconds. The system is in trouble, so one question to it may take this long and no longer."""

Row = Mapping[str, Any]


def look(
    instance_ids: Sequence[str],
    *,
    engine: Engine,
    endpoints: Endpoints,
    jobs: Callable[[], Iterable[Row]],
    journals: Journals,
    phase: str,
    after: float,
) -> Stall:
    """
    Return the state of the waiting instances now, and the details of the first hundred of them. `after` is the number
    of seconds without progress. `jobs` asks the scheduler for the jobs that would wake the instances (rows with
    instance_id and name; it may raise EvidenceError).

    What cannot be read is reported as such. The system is in trouble, and this must not fail because of that.
    """
    shown = sorted(instance_ids)[:_MOST]
    workers = {node: _workers(at) for node, at in endpoints.every_sidecar.items()}
    try:
        stored = {row["instance_id"]: row for row in engine.standing(shown)}
        stuck = tuple(_stuck(shown, stored, _last_attempts(journals, set(shown)), _waking(jobs)))
    except EvidenceError as error:
        stuck = tuple(Stuck(instance_id=name, status="not read", why=str(error)) for name in shown)
    return Stall(
        at_ns=time.time_ns(),
        phase=phase,
        after=round(after, 3),
        waiting=len(instance_ids),
        workers=workers,
        instances=stuck,
    )


def _waking(jobs: Callable[[], Iterable[Row]]) -> Mapping[str, tuple[str, ...]] | None:
    """
    Return instance -> names of its jobs; None if the scheduler does not answer.
    """
    found: dict[str, tuple[str, ...]] = {}
    try:
        for job in jobs():
            found[job["instance_id"]] = (*found.get(job["instance_id"], ()), job["name"])
    except EvidenceError:
        return None
    return found


def _stuck(
    names: Sequence[str],
    stored: Mapping[str, Row],
    last_attempts: Mapping[str, Row],
    waking: Mapping[str, tuple[str, ...]] | None,
) -> Iterator[Stuck]:
    for name in names:
        row = stored.get(name)
        if row is None:
            yield Stuck(
                instance_id=name, status="not stored", why="it was accepted, and the engine knows nothing of it"
            )
            continue
        last, attempt = row["last"], last_attempts.get(name)
        jobs = None if waking is None else waking.get(name, ())
        yield Stuck(
            instance_id=name,
            status=_status(last),
            last_event=None if last is None else _event(last),
            last_at_ns=None if last is None else last["at_ns"],
            history_length=row["history_length"],
            inbox_length=row["inbox_length"],
            last_attempt=None if attempt is None else _attempt(attempt),
            jobs=jobs,
            why=_why(row, last, attempt) + (", and no job is left that would wake it" if jobs == () else ""),
        )


def _status(last: Row | None) -> str:
    if last is None:
        return "PENDING"
    return "STALLED" if last["event"] == "executionStalled" else "RUNNING"


def _why(row: Row, last: Row | None, attempt: Row | None) -> str:
    if row["inbox_length"] and (last is None or last["event"] != "executionStalled"):
        return f"{row['inbox_length']} events wait in its inbox for the workflow to take them"
    if last is None:
        return "its first event was never taken"
    if last["event"] == "taskScheduled":
        return f"task {last['task_id']} {_task(last, attempt)}"
    if last["event"] == "executionStalled":
        return f"the engine stalled it: {last['error']}"
    if last["event"] == "timerCreated":
        return f"timer {last['task_id']} has not fired"
    return f"nothing followed its last event, {last['event']}"


def _task(last: Row, attempt: Row | None) -> str:
    """
    Return in words what happened to the task with which the history ends.
    """
    if attempt is None or attempt["task_id"] != last["task_id"]:
        return "is scheduled and was never executed"
    if attempt["started_ns"] < last["at_ns"]:
        return "was executed before it was recorded as scheduled, and not since"
    if attempt.get("ended_ns") is None:
        return "is being executed, or was cut off"
    return "was executed, and its result has not arrived"


def _event(last: Row) -> str:
    parts = (last["event"], last["name"], None if last["task_id"] is None else f"task {last['task_id']}")
    return " ".join(part for part in parts if part)


def _attempt(attempt: Row) -> str:
    ended = "not ended" if attempt.get("ended_ns") is None else f"ended {attempt.get('outcome')}"
    return f"{attempt['activity']} task {attempt['task_id']} on {attempt['node']}, {ended}"


def _last_attempts(journals: Journals, names: set[str]) -> dict[str, Row]:
    """
    Return, for each of these instances, the newest execution of one of its activities.
    """
    newest: dict[str, Row] = {}
    for row in attempts(journals):
        name = row["instance_id"]
        if name in names and (name not in newest or newest[name]["started_ns"] <= row["started_ns"]):
            newest[name] = row
    return newest


def _workers(at: Address) -> str:
    """
    Return in words how many workers are connected to a sidecar, according to the sidecar.
    """
    try:
        return f"{ready.connected_workers(at)} connected"
    except NodeError as error:
        return f"not known: {error}"
