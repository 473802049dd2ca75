"""
What the engine stored: workflow instances and their history, read from the state store itself.

Layout of Dapr 1.18 (pkg/runtime/wfengine/state/state.go; the same since 1.15): each row has the key
`<app>||dapr.internal.<namespace>.<app>.workflow||<instance>||<suffix>`, where <app> is the id of the application that
has the workflow. The suffixes are `metadata` (BackendWorkflowStateMetadata), `inbox-%06d` and `history-%06d`
(durabletask HistoryEvent).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dapr.ext.workflow._durabletask.internal import history_events_pb2
from google.protobuf.message import DecodeError

from harness import mapping
from harness.backends import store
from harness.backends.endpoints import StoreAddress
from harness.backends.witness import Rows
from harness.errors import EvidenceError
from harness.evidence import decoding
from harness.model import Target

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

    def events(self) -> Iterator[tuple[int, Any]]:
        """
        Return (position, event) of each row of the history, in order. Raises DecodeError if one cannot be decoded.
        """
        for position in sorted(self.history):
            event = history_events_pb2.HistoryEvent()
            event.ParseFromString(self.history[position])
            yield position, event

    def parent(self) -> str | None:
        """
        Return the id of the instance that ordered this one; None if a client did. Raises as `events` does.
        """
        for _, event in self.events():
            if event.WhichOneof("eventType") == "executionStarted":
                return decoding.parent(event)
        return None


class Engine:
    """
    Reads the engine's rows of one target from its state store directly, not through Toxiproxy: those of all its
    applications, where nothing else is said.
    """

    def __init__(self, at: StoreAddress, target: Target) -> None:
        self._store: Rows = store.connect(at)
        self._target = target
        self._prefixes = {
            application: f"{app_id}||dapr.internal.{_NAMESPACE}.{app_id}.workflow||"
            for application, app_id in target.app_ids.items()
        }
        self._main = self._prefixes[None]
        self._unchanged: dict[str, tuple[bytes, State]] = {}

    def close(self) -> None:
        """
        Close the connection.
        """
        self._store.close()

    def states(self, instance_ids: Iterable[str], outcome: str | None) -> dict[str, State]:
        """
        Return the state of each of these instances of the main application now, by id. An instance that the engine does
        not know is left out.

        This takes two round trips for up to 500 instances: for the metadata rows, and for the last history rows of
        those whose metadata has changed since they were asked for last. Raises EvidenceError if the store does not
        answer.
        """
        states: dict[str, State] = {}
        ids = list(instance_ids)
        for begin in range(0, len(ids), _CHUNK):
            states.update(self._states(ids[begin : begin + _CHUNK], outcome))
        return states

    def _states(self, ids: list[str], outcome: str | None) -> Iterator[tuple[str, State]]:
        metadata = self._store.values([f"{self._main}{instance}||metadata" for instance in ids])
        found = {instance: raw for instance, raw in zip(ids, metadata, strict=True) if raw is not None}
        lengths: dict[str, int] = {}
        for instance, raw in found.items():
            before = self._unchanged.get(instance)
            if before is not None and before[0] == raw:
                yield instance, before[1]
            else:
                lengths[instance] = decoding.metadata(raw).historyLength
        last = [f"{self._main}{instance}||history-{max(0, length - 1):06d}" for instance, length in lengths.items()]
        for instance, newest in zip(lengths, self._store.values(last), strict=True):
            event = history_events_pb2.HistoryEvent()
            event.ParseFromString(newest or b"")
            if event.WhichOneof("eventType") == "executionCompleted":
                done = event.executionCompleted
                output = done.result.value
                word = mapping.word(outcome, output) if outcome else None
                self._unchanged.pop(instance, None)
                yield instance, State(decoding.STATUS[done.workflowStatus], word, lengths[instance], output)
            else:
                state = State(None, None, lengths[instance])
                if newest is not None:  # without its last row it is not told whether it has ended
                    self._unchanged[instance] = (found[instance], state)
                yield instance, state

    def standing(self, instance_ids: Iterable[str]) -> Iterator[Row]:
        """
        Return for each of these instances of the main application: instance_id, history_length, inbox_length, and
        `last`, the row of `history` of its last event (None if there is none). An instance that the engine does not
        know is left out.

        Raises EvidenceError as `rows` does.
        """
        try:
            for instance in instance_ids:
                raw = self._store.value(f"{self._main}{instance}||metadata")
                if raw is None:
                    continue
                metadata = decoding.metadata(raw)
                position = metadata.historyLength - 1
                event = history_events_pb2.HistoryEvent()
                event.ParseFromString(self._store.value(f"{self._main}{instance}||history-{position:06d}") or b"")
                yield {
                    "instance_id": instance,
                    "history_length": metadata.historyLength,
                    "inbox_length": metadata.inboxLength,
                    "last": decoding.history_row(instance, position, event) if event.WhichOneof("eventType") else None,
                }
        except DecodeError as error:
            raise EvidenceError(f"the state store could not be read: {error}") from error

    def owners(self) -> dict[str, str | None]:
        """
        Return id -> its application, of every instance that has a row of any kind. Raises EvidenceError if the store
        does not answer.
        """
        return {
            self._parts(application, key)[0]: application
            for application, prefix in reversed(self._prefixes.items())
            for page in self._store.keys(prefix)
            for key in page
        }

    def events(self, instance_id: str) -> list[Row]:
        """
        Return the stored events of one instance as rows of `history`: first those of its history, then those of its
        inbox, which are not in the history yet. Empty if the engine does not know the instance.

        Raises EvidenceError as `rows` does.
        """
        return [decoding.history_row(instance_id, *stored) for stored in self._stored(instance_id)]

    def head(self, instance_id: str) -> str:
        """
        Return the instance at the head of an instance's family: itself, if no other one ordered it.

        Raises EvidenceError as `rows` does.
        """
        passed: set[str] = set()
        while instance_id not in passed:
            passed.add(instance_id)
            started = (of for _, of in self._stored(instance_id) if of.WhichOneof("eventType") == "executionStarted")
            instance_id = next(map(decoding.parent, started), None) or instance_id
        return instance_id

    def _stored(self, instance_id: str) -> list[tuple[int, Any]]:
        """
        Return (position, event) of each stored event of one instance: of its history, then of its inbox. Raises
        EvidenceError as `rows` does.
        """
        try:
            raw, prefix = None, self._main
            for prefix in self._prefixes.values():
                raw = self._store.value(f"{prefix}{instance_id}||metadata")
                if raw is not None:
                    break
            metadata = decoding.metadata(raw or b"")
            keys = [
                f"{prefix}{instance_id}||{suffix}-{position:06d}"
                for suffix, length in (("history", metadata.historyLength), ("inbox", metadata.inboxLength))
                for position in range(length)
            ]
            events = []
            for position, stored in enumerate(self._store.values(keys)):
                event = history_events_pb2.HistoryEvent()
                event.ParseFromString(stored or b"")
                if event.WhichOneof("eventType"):
                    events.append((position, event))
        except DecodeError as error:
            raise EvidenceError(f"the state store could not be read: {error}") from error
        return events

    def rows(self) -> Iterator[tuple[Row, list[Row]]]:
        """
        Return every instance as (its row of `instances`, its rows of `history`), in the order of instance ids.

        Raises EvidenceError if the store does not answer or a row cannot be decoded.
        """
        stored: dict[tuple[str, str], _Stored] = {}
        for application, prefix in self._prefixes.items():
            for keys in self._store.keys(prefix):
                for key, raw in zip(keys, self._store.values(keys), strict=True):
                    instance, suffix = self._parts(application, key)
                    _put(stored.setdefault((instance, prefix), _Stored()), suffix, raw)
        instance = ""
        try:
            parents = {}
            for (instance, _), found in stored.items():
                if (parent := found.parent()) is not None:
                    parents[instance] = parent
            for (instance, _), found in sorted(stored.items(), key=lambda one: one[0]):
                row, events = self._instance(instance, found)
                yield row | {"parent_id": parents.get(instance), "root_id": _root(instance, parents)}, events
        except DecodeError as error:
            raise EvidenceError(f"a row of instance {instance} could not be decoded: {error}") from error

    def _parts(self, application: str | None, key: str) -> tuple[str, str]:
        """
        Return (instance, suffix) of the key of a row of an application.
        """
        instance, _, suffix = key[len(self._prefixes[application]) :].rpartition("||")
        return instance, suffix

    def _instance(self, instance: str, stored: _Stored) -> tuple[Row, list[Row]]:
        metadata = decoding.metadata(stored.metadata or b"")
        events = list(stored.events())
        started = next((event for _, event in events if event.WhichOneof("eventType") == "executionStarted"), None)
        ended = next(
            (event for _, event in reversed(events) if event.WhichOneof("eventType") == "executionCompleted"),
            None,
        )
        name = started.executionStarted.name if started else None
        output = ended.executionCompleted.result.value if ended else None
        ending = self._target.ending(name)
        row = {
            "instance_id": instance,
            "workflow": name,
            "status": decoding.status(started, ended, [event for _, event in events]),
            "outcome": mapping.word(ending.outcome, output) if ending and ending.outcome else None,
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


def _root(instance: str, parents: Mapping[str, str]) -> str | None:
    """
    Return the instance at the head of a family; None if the instance has no parent.
    """
    passed: set[str] = set()
    while instance in parents and instance not in passed:
        passed.add(instance)
        instance = parents[instance]
    return instance if passed else None


def _put(stored: _Stored, suffix: str, raw: bytes | None) -> None:
    kind, _, number = suffix.partition("-")
    if raw is None:
        return  # deleted between the reading of keys and of values
    if suffix == "metadata":
        stored.metadata = raw
    elif kind == "history":
        stored.history[int(number)] = raw
    elif kind == "inbox":
        stored.inbox.add(number)  # a key may be read more than once
