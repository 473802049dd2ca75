"""
What the engine stored: workflow instances and their history, read from the state store itself.

Layout of Dapr 1.18 (pkg/runtime/wfengine/state/state.go; the same since 1.15): each row is one Redis hash with the key
`<app>||dapr.internal.<namespace>.<app>.workflow||<instance>||<suffix>`, and its value is in the field `data`. The
suffixes are `metadata` (BackendWorkflowStateMetadata), `inbox-%06d` and `history-%06d` (durabletask HistoryEvent).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import redis
from dapr.ext.workflow._durabletask.internal import history_events_pb2
from google.protobuf.message import DecodeError

from harness import mapping
from harness.backends import store
from harness.backends.endpoints import Address
from harness.errors import EvidenceError
from harness.evidence import decoding
from harness.model import Target

_DATA = b"data"
_NAMESPACE = "default"
_CHUNK = 500

Row = dict[str, Any]


@dataclass(frozen=True)
class State:
    """
    The state of one instance: `terminal` is COMPLETED, FAILED or TERMINATED, or None while the instance runs. `outcome`
    is what its output says, if it has ended, and `output` that output.
    """

    terminal: str | None
    outcome: str | None
    length: int = field(default=0, compare=False)
    """Number of events in its history."""
    output: str | None = field(default=None, compare=False)


@dataclass
class _Stored:
    """
    The rows of one instance as they are found, not yet in order.
    """

    metadata: bytes | None = None
    history: dict[int, bytes] = field(default_factory=dict)
    inbox: set[str] = field(default_factory=set)


class Engine:
    """
    Reads the engine's rows of one target's app from Redis directly, not through Toxiproxy.
    """

    def __init__(self, at: Address, target: Target) -> None:
        self._redis = store.client(at, timeout=10)
        self._target = target
        self._prefix = f"{target.app_id}||dapr.internal.{_NAMESPACE}.{target.app_id}.workflow||"

    def close(self) -> None:
        """
        Close the connection.
        """
        self._redis.close()

    def states(self, instance_ids: Iterable[str], outcome: str | None) -> dict[str, State]:
        """
        Return the state of each of these instances now, by id. An instance that the engine does not know is left out.

        This takes two round trips for up to 500 instances: for the metadata rows, and for the last history rows. Raises
        EvidenceError if Redis does not answer.
        """
        states: dict[str, State] = {}
        ids = list(instance_ids)
        try:
            for begin in range(0, len(ids), _CHUNK):
                states.update(self._states(ids[begin : begin + _CHUNK], outcome))
        except redis.RedisError as error:
            raise EvidenceError(f"the state store could not be read: {error}") from error
        return states

    def _states(self, ids: list[str], outcome: str | None) -> Iterator[tuple[str, State]]:
        pipe = self._redis.pipeline(transaction=False)
        for instance in ids:
            pipe.hget(f"{self._prefix}{instance}||metadata", "data")
        lengths = {
            instance: decoding.metadata(raw).historyLength
            for instance, raw in zip(ids, pipe.execute(), strict=True)
            if raw is not None
        }
        pipe = self._redis.pipeline(transaction=False)
        for instance, length in lengths.items():
            pipe.hget(f"{self._prefix}{instance}||history-{max(0, length - 1):06d}", "data")
        for instance, raw in zip(lengths, pipe.execute(), strict=True):
            event = history_events_pb2.HistoryEvent()
            event.ParseFromString(raw or b"")
            if event.WhichOneof("eventType") == "executionCompleted":
                done = event.executionCompleted
                output = done.result.value
                found = mapping.word(outcome, output) if outcome else None
                yield instance, State(decoding.STATUS[done.workflowStatus], found, lengths[instance], output)
            else:
                yield instance, State(None, None, lengths[instance])

    def standing(self, instance_ids: Iterable[str]) -> Iterator[Row]:
        """
        Return for each of these instances: instance_id, history_length, inbox_length, and `last`, the row of `history`
        of its last event (None if there is none). An instance that the engine does not know is left out.

        Raises EvidenceError as `rows` does.
        """
        try:
            for instance in instance_ids:
                raw: Any = self._redis.hget(f"{self._prefix}{instance}||metadata", "data")
                if raw is None:
                    continue
                metadata = decoding.metadata(raw)
                position = metadata.historyLength - 1
                event = history_events_pb2.HistoryEvent()
                event.ParseFromString(
                    self._redis.hget(f"{self._prefix}{instance}||history-{position:06d}", "data") or b""
                )
                yield {
                    "instance_id": instance,
                    "history_length": metadata.historyLength,
                    "inbox_length": metadata.inboxLength,
                    "last": decoding.history_row(instance, position, event) if event.WhichOneof("eventType") else None,
                }
        except (redis.RedisError, DecodeError) as error:
            raise EvidenceError(f"the state store could not be read: {error}") from error

    def ids(self) -> set[str]:
        """
        Return the id of every instance that has a row of any kind. Raises EvidenceError if Redis does not answer.
        """
        try:
            return {instance for page in self._pages() for instance, _, _ in page}
        except redis.RedisError as error:
            raise EvidenceError(f"the state store could not be read: {error}") from error

    def events(self, instance_id: str) -> list[Row]:
        """
        Return the stored events of one instance as rows of `history`: first those of its history, then those of its
        inbox, which are not in the history yet. Empty if the engine does not know the instance.

        Raises EvidenceError as `rows` does.
        """
        try:
            raw: Any = self._redis.hget(f"{self._prefix}{instance_id}||metadata", "data")
            metadata = decoding.metadata(raw or b"")
            pipe = self._redis.pipeline(transaction=False)
            for suffix, length in (("history", metadata.historyLength), ("inbox", metadata.inboxLength)):
                for position in range(length):
                    pipe.hget(f"{self._prefix}{instance_id}||{suffix}-{position:06d}", "data")
            rows = []
            for position, stored in enumerate(pipe.execute()):
                event = history_events_pb2.HistoryEvent()
                event.ParseFromString(stored or b"")
                if event.WhichOneof("eventType"):
                    rows.append(decoding.history_row(instance_id, position, event))
        except (redis.RedisError, DecodeError) as error:
            raise EvidenceError(f"the state store could not be read: {error}") from error
        return rows

    def rows(self) -> Iterator[tuple[Row, list[Row]]]:
        """
        Return every instance as (its row of `instances`, its rows of `history`), in the order of instance ids.

        Raises EvidenceError if Redis does not answer or a row cannot be decoded.
        """
        stored: dict[str, _Stored] = {}
        try:
            for keys in self._pages():
                pipe = self._redis.pipeline(transaction=False)
                for _, _, key in keys:
                    pipe.hget(key, "data")
                for (instance, suffix, _), raw in zip(keys, pipe.execute(), strict=True):
                    _put(stored.setdefault(instance, _Stored()), suffix, raw)
        except redis.RedisError as error:
            raise EvidenceError(f"the state store could not be read: {error}") from error
        for instance in sorted(stored):
            try:
                yield self._instance(instance, stored[instance])
            except DecodeError as error:
                raise EvidenceError(f"a row of instance {instance} could not be decoded: {error}") from error

    def _pages(self) -> Iterator[list[tuple[str, str, bytes]]]:
        """
        Return (instance, suffix, key) of every row, page by page.
        """
        page: list[tuple[str, str, bytes]] = []
        for key in self._redis.scan_iter(match=f"{self._prefix}*", count=5000):
            instance, _, suffix = key.decode()[len(self._prefix) :].rpartition("||")
            page.append((instance, suffix, key))
            if len(page) == _CHUNK * 10:
                yield page
                page = []
        yield page

    def _instance(self, instance: str, stored: _Stored) -> tuple[Row, list[Row]]:
        metadata = decoding.metadata(stored.metadata or b"")
        events = []
        for position in sorted(stored.history):
            event = history_events_pb2.HistoryEvent()
            event.ParseFromString(stored.history[position])
            events.append((position, event))
        started = next((event for _, event in events if event.WhichOneof("eventType") == "executionStarted"), None)
        ended = next(
            (event for _, event in reversed(events) if event.WhichOneof("eventType") == "executionCompleted"),
            None,
        )
        name = started.executionStarted.name if started else None
        output = ended.executionCompleted.result.value if ended else None
        workflow = self._target.workflows.get(name or "")
        row = {
            "instance_id": instance,
            "workflow": name,
            "status": decoding.status(started, ended, [event for _, event in events]),
            "outcome": mapping.word(workflow.outcome, output) if workflow and workflow.outcome else None,
            "output": output,
            "created_ns": decoding.nanoseconds(started.timestamp) if started else None,
            "completed_ns": decoding.nanoseconds(ended.timestamp) if ended else None,
            "generation": metadata.generation,
            "history_length": metadata.historyLength,
            "history_rows": len(stored.history),
            "inbox_length": metadata.inboxLength,
            "inbox_rows": len(stored.inbox),
        }
        calls = decoding.calls(events)
        return row, [decoding.history_row(instance, position, event, calls.get(position)) for position, event in events]


def _put(stored: _Stored, suffix: str, raw: bytes | None) -> None:
    kind, _, number = suffix.partition("-")
    if raw is None:
        return  # deleted between the scan and the read
    if suffix == "metadata":
        stored.metadata = raw
    elif kind == "history":
        stored.history[int(number)] = raw
    elif kind == "inbox":
        stored.inbox.add(number)  # a scan may show a key more than once
