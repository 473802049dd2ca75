"""
What the taps recorded, as evidence: which activity tasks each sidecar handed to its application, how each ended, and
which calls the application made to Dapr's API.

The worker of a workflow application calls GetWorkItems, and gets activity requests and workflow turns as a stream. It
answers each activity with CompleteActivityTask (durabletask, orchestrator_service.proto). Dapr 1.18 gives no completion
token with an activity, and not every SDK gives a taskExecutionId, so an answer belongs to the oldest unanswered
delivery of its instance and task: on its own connection, or else on the newest other one, and there rather to one whose
stream has not ended. (A tap that acts has one connection, also if the application is killed and comes back.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2 as durabletask
from google.protobuf.message import DecodeError

from harness import names
from harness.errors import EvidenceError
from harness.evidence import http2
from harness.evidence.apicalls import Calls
from harness.evidence.called import Unread
from harness.evidence.http2 import Ended, Event, Message
from harness.tap import record

Row = dict[str, Any]

_WORK = "/TaskHubSidecarService/GetWorkItems"
_RESULT = "/TaskHubSidecarService/CompleteActivityTask"


@dataclass
class Conversation:
    """
    The rows of the tables `deliveries` and `api_calls`.
    """

    deliveries: list[Row] = field(default_factory=list)
    api_calls: list[Row] = field(default_factory=list)


def read(folder: Path) -> Conversation:
    """
    Return what all records of taps in a folder say. Raises EvidenceError if one cannot be decoded, and OSError if one
    cannot be read.
    """
    conversation = Conversation()
    for sidecar, files in record.every(folder).items():
        if not names.is_reserved(names.role(sidecar)):
            continue  # of a service
        node = names.replica(sidecar) or sidecar
        deliveries, calls = _Deliveries(node), Calls(node)
        for life, file in enumerate(files, 1):
            try:
                for event in http2.events(record.read(file)):
                    deliveries.take(life, event)
                    calls.take(life, event)
            except (DecodeError, ValueError, EvidenceError) as error:
                raise EvidenceError(f"{file.name} cannot be decoded: {error}") from error
        conversation.deliveries += deliveries.rows
        conversation.api_calls += (call.row() for call in calls.made)
    return conversation


class Underway:
    """
    Which activity tasks the applications of one run execute at the moment, by the records of the taps in `folder`,
    which are read while they grow.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._deliveries: dict[str, _Deliveries] = {}
        self._readers: dict[Path, http2.Reader] = {}
        self._unread = Unread()

    def now(self) -> list[Row]:
        """
        Return the deliveries that have no answer, and whose stream has not ended. Raises EvidenceError if a record
        cannot be read.
        """
        for sidecar, files in record.every(self._folder).items():
            if not names.is_reserved(names.role(sidecar)):
                continue  # of a service
            deliveries = self._deliveries.setdefault(sidecar, _Deliveries(names.replica(sidecar) or sidecar))
            for life, file in enumerate(files, 1):
                reader = self._readers.setdefault(file, http2.Reader())
                with self._unread.chunks(file) as chunks:
                    for event in reader.read(chunks):
                        deliveries.take(life, event)
                if life < len(files):
                    for event in reader.end():
                        deliveries.take(life, event)
        return [row for each in self._deliveries.values() for row in each.underway()]


class _Deliveries:
    """
    The deliveries to one app. `rows` has them in order.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._open: dict[tuple[str, int], list[tuple[tuple[int, int], Row]]] = {}
        self.rows: list[Row] = []

    def take(self, life: int, event: Event) -> None:
        """
        Read an event of one life of the sidecar. Raises DecodeError if a message is not of its method's type.
        """
        if event.path == _WORK:
            if isinstance(event, Ended):
                self._end(event, (life, event.connection))
            elif not event.from_app:
                self._delivered(event, (life, event.connection))
        elif event.path == _RESULT and isinstance(event, Message) and event.from_app:
            self._completed(event, (life, event.connection))

    def underway(self) -> list[Row]:
        """
        Return those without an answer whose stream has not ended.
        """
        return [row for waiting in self._open.values() for _, row in waiting if "cut_ns" not in row]

    def _delivered(self, event: Message, connection: tuple[int, int]) -> None:
        item = durabletask.WorkItem.FromString(event.body)
        if item.WhichOneof("request") != "activityRequest":
            return
        task = item.activityRequest
        row = {
            "instance_id": task.workflowInstance.instanceId,
            "activity": task.name,
            "task_id": task.taskId,
            "execution_id": task.taskExecutionId or None,
            "attempt_id": f"{self._node}#{len(self.rows)}",
            "node": self._node,
            "sdk": event.agent,
            "delivered_ns": event.at_ns,
        }
        self.rows.append(row)
        self._open.setdefault((row["instance_id"], row["task_id"]), []).append((connection, row))

    def _completed(self, event: Message, connection: tuple[int, int]) -> None:
        result = durabletask.ActivityResponse.FromString(event.body)
        key = (result.instanceId, result.taskId)
        waiting = self._open.get(key)
        if not waiting:
            return  # of a delivery that has its answer: a worker may send one twice

        def place(index: int) -> tuple[bool, bool, int, int, int]:
            on, row = waiting[index]
            return on != connection, "cut_ns" in row, -on[0], -on[1], index

        _, row = waiting.pop(min(range(len(waiting)), key=place))
        if not waiting:
            del self._open[key]
        failed = result.HasField("failureDetails")
        row |= {"completed_ns": event.at_ns, "outcome": "error" if failed else "ok"}
        if failed:
            row["detail"] = f"{result.failureDetails.errorType}: {result.failureDetails.errorMessage}"[:300]

    def _end(self, event: Ended, connection: tuple[int, int]) -> None:
        for waiting in self._open.values():
            for on, row in waiting:
                if on == connection:
                    row.setdefault("cut_ns", event.at_ns)


def attempts(deliveries: Iterable[Row]) -> Iterator[Row]:
    """
    Return the rows of `attempts` for an application that does not write its executions down: each delivery is one.
    """
    for row in deliveries:
        yield {
            **{name: row[name] for name in ("instance_id", "activity", "task_id", "attempt_id", "node")},
            "started_ns": row["delivered_ns"],
            "ended_ns": row.get("completed_ns"),
            "outcome": row.get("outcome"),
            "detail": row.get("detail"),
        }
