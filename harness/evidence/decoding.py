"""
Decoding what the engine stored: durabletask's messages into rows of the evidence tables.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dapr.ext.workflow._durabletask.internal import backend_service_pb2, orchestration_pb2

from harness.evidence.columns import NEVER_NS

# OrchestrationStatus of durabletask (orchestration.proto). In Dapr 1.18, no workflow ends as CANCELED or as
# CONTINUED_AS_NEW.
STATUS = {
    0: "RUNNING",
    1: "COMPLETED",
    2: "CONTINUED_AS_NEW",
    3: "FAILED",
    4: "CANCELED",
    5: "TERMINATED",
    6: "PENDING",
    7: "SUSPENDED",
    8: "STALLED",
}
_SCHEDULING = {"taskScheduled", "timerCreated", "childWorkflowInstanceCreated"}

Row = dict[str, Any]


def metadata(raw: bytes) -> Any:
    """
    Return the decoded metadata row of an instance. It says how many rows of its history and inbox are valid. Raises
    DecodeError if the row cannot be decoded.
    """
    metadata = backend_service_pb2.BackendWorkflowStateMetadata()
    metadata.ParseFromString(raw)
    return metadata


def status(started: Any, ended: Any, events: list[Any]) -> str:
    """
    Return the status of an instance, decided as runtimestate.RuntimeStatus of durabletask-go does it.
    """
    if started is None:
        return "PENDING"
    if ended is not None:
        return STATUS[ended.executionCompleted.workflowStatus]
    if events[-1].HasField("executionStalled"):  # it went on if anything came after that
        return "STALLED"
    suspended = False
    for event in events:
        kind = event.WhichOneof("eventType")
        suspended = kind == "executionSuspended" or (suspended and kind != "executionResumed")
    return "SUSPENDED" if suspended else "RUNNING"


def parent(started: Any) -> str | None:
    """
    Return the id of the instance that ordered the one which this executionStarted begins; None if none did.
    """
    if not started.executionStarted.HasField("parentInstance"):
        return None
    return started.executionStarted.parentInstance.workflowInstance.instanceId or None


def nanoseconds(moment: Any) -> int:
    """
    Return a protobuf timestamp in nanoseconds since the epoch, but NEVER_NS if it is later than that. The SDKs set a
    timer in the year 9999 for a wait without a time-out, which does not fit into 64 bits.
    """
    return min(int(moment.ToNanoseconds()), NEVER_NS)


def history_row(instance: str, position: int, event: Any, call: int | None = None) -> Row:
    """
    Return one event as a row of `history`. `call` is the task that was the first try of the same activity call.
    """
    kind = event.WhichOneof("eventType")
    body = getattr(event, kind)
    fields = {name.name for name in body.DESCRIPTOR.fields}
    if kind in _SCHEDULING:
        task: int | None = event.eventId
    elif "taskScheduledId" in fields:
        task = body.taskScheduledId
    else:
        task = body.timerId if "timerId" in fields else None
    payload = next(
        (getattr(body, name) for name in ("result", "input") if name in fields and body.HasField(name)), None
    )
    version = body.version if kind == "workflowStarted" else None
    return {
        "instance_id": instance,
        "position": position,
        "event_id": event.eventId,
        "event": kind,
        "at_ns": nanoseconds(event.timestamp),
        "name": getattr(body, "name", None) or None,
        "task_id": task,
        "call_id": call,
        "fire_at_ns": nanoseconds(body.fireAt) if "fireAt" in fields else None,
        "payload": payload.value if payload is not None else None,
        "error": _error(kind, body, fields),
        "version": version.name or None if version else None,
        "patches": json.dumps(list(version.patches)) if version and version.patches else None,
    }


def _error(kind: str, body: Any, fields: set[str]) -> str | None:
    """
    Return the failure that an event tells of, or why the engine stalled the instance; None if it tells of neither.
    """
    if kind == "executionStalled":
        return f"{orchestration_pb2.StalledReason.Name(body.reason)}: {body.description}"
    if "failureDetails" in fields and body.HasField("failureDetails"):
        return f"{body.failureDetails.errorType}: {body.failureDetails.errorMessage}"
    return None


def calls(events: Sequence[tuple[int, Any]]) -> dict[int, int | None]:
    """
    Return position -> the task that was the first try of the same activity call, for each task and for each timer
    before a retry. The value is None if it is not known.

    The SDK gives the tries of a call, and the timers between them, the same id (taskExecutionId). It makes this id from
    the time of the turn. If the engine saved another time than the code had seen (docs/findings.md, 9), a timer has an
    id that no task has. Then it belongs to the failure that its turn took in, if that was only one. An SDK whose timers
    say nothing: see `_waits`.
    """
    known: dict[str, int | None] = {}
    of_task: dict[int, int | None] = {}
    found: dict[int, int | None] = {}
    failed: list[int] = []
    for position, event in events:
        match event.WhichOneof("eventType"):
            case "workflowStarted":
                failed = []
            case "taskFailed":
                failed.append(event.taskFailed.taskScheduledId)
            case "taskScheduled" if event.taskScheduled.taskExecutionId:
                call = known.setdefault(event.taskScheduled.taskExecutionId, event.eventId)
                found[position] = of_task[event.eventId] = call
            case "timerCreated" if event.timerCreated.HasField("activityRetry"):
                likely = of_task.get(failed[0]) if len(failed) == 1 else None
                found[position] = known.setdefault(event.timerCreated.activityRetry.taskExecutionId, likely)
    return {**_waits(events, of_task), **found}


def _waits(events: Iterable[tuple[int, Any]], of_task: Mapping[int, int | None]) -> dict[int, int | None]:
    """
    Return what `calls` does, for timers before retries by an SDK whose timers do not say what they are for, as Java's
    (durabletask-client 1.5.10).

    Such a timer is all that its turn ordered after it took in one failure, and the turn in which it fires tries the
    same call again. Nothing is said of a call of which not every wait is seen, because waits are counted; nor of one
    that begins where another should have been tried again: the engine saved another time than the code had seen.
    """
    waiting: dict[int, tuple[int, int]] = {}
    waits: dict[int, list[int]] = defaultdict(list)
    doubtful: set[int | None] = set()
    for turn in _turns(events):
        again = {of_task.get(event.eventId) for _, event in turn if event.HasField("taskScheduled")}
        fired = {event.timerFired.timerId for _, event in turn if event.HasField("timerFired")}
        for position, call in (waiting.pop(timer) for timer in fired & waiting.keys()):
            if call in again:
                waits[call].append(position)
            else:
                doubtful |= again
        failed = [event.taskFailed.taskScheduledId for _, event in turn if event.HasField("taskFailed")]
        ordered = [(position, event) for position, event in turn if event.WhichOneof("eventType") in _SCHEDULING]
        if len(failed) == len(ordered) == 1:
            (task,), ((position, timer),) = failed, ordered
            retried = of_task.get(task)
            silent = timer.HasField("timerCreated") and timer.timerCreated.WhichOneof("origin") is None
            if retried is not None and silent:
                waiting[timer.eventId] = (position, retried)
    tries = Counter(of_task.values())
    seen = {call for call, positions in waits.items() if len(positions) == tries[call] - 1} - doubtful
    return {position: call for call in seen for position in waits[call]}


def _turns(events: Iterable[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    turn: list[tuple[int, Any]] = []
    for position, event in events:
        if event.HasField("workflowStarted"):
            yield turn
            turn = []
        turn.append((position, event))
    yield turn
