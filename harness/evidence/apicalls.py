"""
Calls of an application to Dapr's API (gRPC service dapr.proto.runtime.v1.Dapr), as a tap recorded them: rows of
`api_calls`. Only what a call touches is kept, never a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dapr.proto import api_v1 as dapr

from harness.evidence.http2 import Ended, Event, Message

Row = dict[str, Any]
_Touched = Iterable[tuple[str, str | None, str | None, str | None]]
"""(operation, component, key, etag that was sent)."""

_SERVICE = "/dapr.proto.runtime.v1.Dapr/"


def _etag(item: Any) -> str | None:
    return item.etag.value if item.HasField("etag") else None


def _transaction(body: bytes) -> _Touched:
    asked = dapr.ExecuteStateTransactionRequest.FromString(body)
    for operation in asked.operations:
        item = operation.request
        kind = "save" if operation.operationType == "upsert" else operation.operationType
        yield kind, asked.storeName, item.key, _etag(item)


def _save(body: bytes) -> _Touched:
    asked = dapr.SaveStateRequest.FromString(body)
    return [("save", asked.store_name, item.key, _etag(item)) for item in asked.states]


def _get(body: bytes) -> _Touched:
    asked = dapr.GetStateRequest.FromString(body)
    return [("get", asked.store_name, asked.key, None)]


def _get_bulk(body: bytes) -> _Touched:
    asked = dapr.GetBulkStateRequest.FromString(body)
    return [("get", asked.store_name, key, None) for key in asked.keys]


def _delete(body: bytes) -> _Touched:
    asked = dapr.DeleteStateRequest.FromString(body)
    return [("delete", asked.store_name, asked.key, _etag(asked))]


def _delete_bulk(body: bytes) -> _Touched:
    asked = dapr.DeleteBulkStateRequest.FromString(body)
    return [("delete", asked.store_name, item.key, _etag(item)) for item in asked.states]


def _publish(body: bytes) -> _Touched:
    asked = dapr.PublishEventRequest.FromString(body)
    return [("publish", asked.pubsub_name, asked.topic, None)]


def _publish_bulk(body: bytes) -> _Touched:
    asked = dapr.BulkPublishRequest.FromString(body)
    return [("publish", asked.pubsub_name, asked.topic, None) for _ in asked.entries]


def _invoke(body: bytes) -> _Touched:
    asked = dapr.InvokeServiceRequest.FromString(body)
    return [("invoke", asked.id, asked.message.method, None)]


def _bind(body: bytes) -> _Touched:
    asked = dapr.InvokeBindingRequest.FromString(body)
    return [("bind", asked.name, asked.operation, None)]


_REQUESTS: Mapping[str, Callable[[bytes], _Touched]] = {
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


class Calls:
    """
    The calls of one app. `rows` has them in the order in which they were made.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._open: dict[tuple[int, int, int], list[Row]] = {}
        self._made = 0
        self.rows: list[Row] = []

    def take(self, life: int, event: Event) -> None:
        """
        Read an event of one life of the sidecar. Raises DecodeError if a message is not of its method's type.
        """
        if not event.path.startswith(_SERVICE):
            return
        method = event.path.removeprefix(_SERVICE)
        key = (life, event.connection, event.call)
        if isinstance(event, Ended):
            for row in self._open.pop(key, ()):
                row["status"] = event.status
                if event.status is not None:
                    row["answered_ns"] = event.at_ns
        elif not event.from_app:
            self._answered(method, event, self._open.get(key, []))
        elif key not in self._open:  # only the first message of a stream: what follows it is not a call of its own
            self._open[key] = rows = list(self._asked(method, event))
            self.rows += rows

    def _asked(self, method: str, event: Message) -> Iterator[Row]:
        touched = _REQUESTS[method](event.body) if method in _REQUESTS else [(None, None, None, None)]
        call = f"{self._node}#{self._made}"
        self._made += 1
        for position, (operation, component, key, etag) in enumerate(touched):
            yield {
                "call_id": call,
                "position": position,
                "node": self._node,
                "method": method,
                "operation": operation,
                "component": component,
                "key": key,
                "etag": etag,
                "called_ns": event.at_ns,
            }

    def _answered(self, method: str, event: Message, rows: list[Row]) -> None:
        """
        Note the etags of what was read.
        """
        if method == "GetState":
            for row in rows:
                row["etag"] = dapr.GetStateResponse.FromString(event.body).etag or None
        elif method == "GetBulkState":
            found = {item.key: item.etag or None for item in dapr.GetBulkStateResponse.FromString(event.body).items}
            for row in rows:
                row["etag"] = found.get(row["key"])
