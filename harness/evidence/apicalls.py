"""
Calls of an application to Dapr's API (gRPC service dapr.proto.runtime.v1.Dapr), as a tap recorded them. Of what a call
sends, nothing but what it touches is kept; values only of those calls that target.yaml declares as effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from dapr.proto import api_v1 as dapr

from harness.evidence.http2 import Ended, Event, Message

Row = dict[str, Any]

_FIRST_WRITE, _LAST_WRITE = 1, 2
"""Of dapr.proto.common.v1.StateOptions.StateConcurrency."""
_SERVICE = "/dapr.proto.runtime.v1.Dapr/"


class Touched(NamedTuple):
    """
    What one part of a call touches: (operation, component, key, etag that was sent), whether a save or delete is
    refused if somebody else has saved meanwhile, the value that was sent, and what the request calls this part, where
    its answer can tell of each part.
    """

    operation: str | None = None
    component: str | None = None
    key: str | None = None
    etag: str | None = None
    guarded: bool | None = None
    value: bytes = b""
    entry: str | None = None


@dataclass
class ApiCall:
    """
    One key, topic or method that an app touched by a call. `status` is the gRPC status, None as long as there is no
    answer; `connection` says on which connection of which life of the sidecar the call came.
    """

    call_id: str
    position: int
    node: str
    connection: str
    method: str
    touched: Touched
    etag: str | None
    called_ns: int
    answered_ns: int | None = None
    status: int | None = None

    def row(self) -> Row:
        """
        Return the row of `api_calls`, which has no value.
        """
        return {
            **{name: getattr(self, name) for name in ("call_id", "position", "node", "connection", "method", "etag")},
            **{name: getattr(self.touched, name) for name in ("operation", "component", "key", "guarded")},
            **{name: getattr(self, name) for name in ("called_ns", "answered_ns", "status")},
        }


def _etag(item: Any) -> str | None:
    return item.etag.value if item.HasField("etag") else None


def _guarded(item: Any) -> bool:
    """
    Return whether a save or delete is refused if somebody else has saved meanwhile: with an etag, if the last write is
    not to win, and as a first write also without one (components-contrib, state/redis, `parseETag` and the script).
    """
    concurrency = item.options.concurrency
    return bool(concurrency == _FIRST_WRITE or (_etag(item) and concurrency != _LAST_WRITE))


def _transaction(body: bytes) -> Iterator[Touched]:
    """
    One part that is guarded guards all of a transaction.
    """
    asked = dapr.ExecuteStateTransactionRequest.FromString(body)
    guarded = any(_guarded(operation.request) for operation in asked.operations)
    for operation in asked.operations:
        item = operation.request
        kind = "save" if operation.operationType == "upsert" else operation.operationType
        yield Touched(kind, asked.storeName, item.key, _etag(item), guarded, item.value)


def _save(body: bytes) -> Iterator[Touched]:
    asked = dapr.SaveStateRequest.FromString(body)
    for item in asked.states:
        yield Touched("save", asked.store_name, item.key, _etag(item), _guarded(item), item.value)


def _get(body: bytes) -> Iterator[Touched]:
    asked = dapr.GetStateRequest.FromString(body)
    yield Touched("get", asked.store_name, asked.key)


def _get_bulk(body: bytes) -> Iterator[Touched]:
    asked = dapr.GetBulkStateRequest.FromString(body)
    return (Touched("get", asked.store_name, key) for key in asked.keys)


def _delete(body: bytes) -> Iterator[Touched]:
    asked = dapr.DeleteStateRequest.FromString(body)
    yield Touched("delete", asked.store_name, asked.key, _etag(asked), _guarded(asked))


def _delete_bulk(body: bytes) -> Iterator[Touched]:
    asked = dapr.DeleteBulkStateRequest.FromString(body)
    return (Touched("delete", asked.store_name, item.key, _etag(item), _guarded(item)) for item in asked.states)


def _publish(body: bytes) -> Iterator[Touched]:
    asked = dapr.PublishEventRequest.FromString(body)
    yield Touched("publish", asked.pubsub_name, asked.topic, value=asked.data)


def _publish_bulk(body: bytes) -> Iterator[Touched]:
    asked = dapr.BulkPublishRequest.FromString(body)
    for entry in asked.entries:
        yield Touched("publish", asked.pubsub_name, asked.topic, value=entry.event, entry=entry.entry_id)


def _invoke(body: bytes) -> Iterator[Touched]:
    asked = dapr.InvokeServiceRequest.FromString(body)
    yield Touched("invoke", asked.id, asked.message.method, value=asked.message.data.value)


def _bind(body: bytes) -> Iterator[Touched]:
    asked = dapr.InvokeBindingRequest.FromString(body)
    yield Touched("bind", asked.name, asked.operation, value=asked.data)


_REQUESTS: Mapping[str, Callable[[bytes], Iterator[Touched]]] = {
    "GetState": _get,
    "GetBulkState": _get_bulk,
    "SaveState": _save,
    "DeleteState": _delete,
    "DeleteBulkState": _delete_bulk,
    "ExecuteStateTransaction": _transaction,
    "PublishEvent": _publish,
    "BulkPublishEvent": _publish_bulk,
    "BulkPublishEventAlpha1": _publish_bulk,
    "InvokeService": _invoke,
    "InvokeBinding": _bind,
}


def touched(method: str, body: bytes) -> Iterator[Touched]:
    """
    Return what the parts of a call touch, by its method (`SaveState`) and its request; of other calls one part without
    operation. Raises DecodeError if the request is not of its method's type.
    """
    return _REQUESTS[method](body) if method in _REQUESTS else iter((Touched(),))


_UNKNOWN = 2
"""The gRPC status of what failed in a way that the answer does not tell."""


class Calls:
    """
    The calls of one app. All are kept, without values; with `wanted`, only those that it is true of, with their values.
    """

    def __init__(self, node: str, wanted: Callable[[Touched], bool] | None = None) -> None:
        self._node = node
        self._wanted = wanted
        self._open: dict[tuple[int, int, int], list[ApiCall]] = {}
        self._made = 0
        self.made: list[ApiCall] = []
        """In the order in which they were made."""

    def take(self, life: int, event: Event) -> None:
        """
        Read an event of one life of the sidecar. Raises DecodeError if a message is not of its method's type.
        """
        if not event.path.startswith(_SERVICE):
            return
        method = event.path.removeprefix(_SERVICE)
        key = (life, event.connection, event.call)
        if isinstance(event, Ended):
            for call in self._open.pop(key, ()):
                if event.status is not None:
                    call.status = event.status if call.status is None else call.status
                    call.answered_ns = event.at_ns
        elif not event.from_app:
            self._answered(method, event, self._open.get(key, []))
        elif key not in self._open:  # only the first message of a stream: what follows it is not a call of its own
            self._open[key] = calls = list(self._asked(method, event, life))
            self.made += calls

    def _asked(self, method: str, event: Message, life: int) -> Iterator[ApiCall]:
        call = f"{self._node}#{self._made}"
        self._made += 1
        connection = f"{life}/{event.connection}"
        for position, part in enumerate(touched(method, event.body)):
            if self._wanted is None or self._wanted(part):
                kept = part._replace(value=b"") if self._wanted is None else part
                yield ApiCall(call, position, self._node, connection, method, kept, part.etag, event.at_ns)

    def _answered(self, method: str, event: Message, calls: list[ApiCall]) -> None:
        """
        Note the etags of what was read, and what was not published of many events.
        """
        if method == "GetState":
            for call in calls:
                call.etag = dapr.GetStateResponse.FromString(event.body).etag or None
        elif method == "GetBulkState":
            found = {item.key: item.etag or None for item in dapr.GetBulkStateResponse.FromString(event.body).items}
            for call in calls:
                call.etag = found.get(call.touched.key or "")
        elif method.startswith("BulkPublishEvent"):
            failed = {entry.entry_id for entry in dapr.BulkPublishResponse.FromString(event.body).failedEntries}
            for call in calls:
                call.status = _UNKNOWN if call.touched.entry in failed else None
