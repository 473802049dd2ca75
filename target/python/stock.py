"""
The stock of every SKU, as documents in a state store of Dapr, saved with their etags.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

import grpc
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions

SAVES = 40
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write, consistency=Consistency.strong)

Document = dict[str, Any]


class Stock:
    """
    The stock in one state store. Threads can share it.

    `guarded=False` plants the defect lost_update.
    """

    def __init__(self, client: DaprClient, store: str, *, guarded: bool = True) -> None:
        self._client = client
        self._store = store
        self._guarded = guarded

    def reserve(self, order_id: str, sku: str, quantity: int) -> bool:
        """
        Reserve an order's quantity, once, however often this is called; return False if there is not enough.
        """

        def change(document: Document) -> bool:
            if _find(document, order_id, "reserve") or order_id in document["closed"]:
                return True
            if document["available"] < quantity:
                return False
            _move(document, order_id, "reserve", -quantity)
            return True

        return self._change(sku, change)

    def release(self, order_id: str, sku: str) -> None:
        """
        Release what was reserved for an order, once. If nothing was, nothing can be reserved for it any more.
        """

        def change(document: Document) -> bool:
            if _find(document, order_id, "release") or order_id in document["closed"]:
                return True
            reserved = _find(document, order_id, "reserve")
            if reserved:
                _move(document, order_id, "release", reserved["attributes"]["quantity"])
            else:
                document["closed"].append(order_id)
            return True

        self._change(sku, change)

    def _change(self, sku: str, change: Callable[[Document], bool]) -> bool:
        """
        Read a document, change and save it; if somebody else saved it meanwhile, again. Return what `change` returns.
        """
        key = f"stock-{sku}"
        for _ in range(SAVES):
            stored = self._client.get_state(self._store, key)
            read = stored.data or json.dumps(_created(sku))
            document = json.loads(read)
            answer = change(document)
            if document == json.loads(read):
                return answer
            changed = json.dumps(document)
            if not self._guarded:
                time.sleep(0.25)
                self._client.save_state(self._store, key, changed)
                return answer
            try:
                self._client.save_state(self._store, key, changed, etag=stored.etag or None, options=FIRST_WRITE)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.ABORTED:  # the etag is not the current one
                    raise
                time.sleep(random.uniform(0.002, 0.03))
            else:
                return answer
        raise TimeoutError(f"others saved {key} first, {SAVES} times")


def _created(sku: str) -> Document:
    units = 3 if sku.startswith("scarce-") else 1_000_000
    return {"sku": sku, "initial": units, "available": units, "movements": [], "closed": []}


def _find(document: Document, order_id: str, effect: str) -> dict[str, Any] | None:
    of_order = (m for m in document["movements"] if m["instance_id"] == order_id and m["effect"] == effect)
    return next(of_order, None)


def _move(document: Document, order_id: str, effect: str, units: int) -> None:
    document["available"] += units
    movement = {
        "instance_id": order_id,
        "effect": effect,
        "key": f"{order_id}/{effect}",
        "at_ns": time.time_ns(),
        "attributes": {
            "quantity": abs(units),
            "available": document["available"],
            "initial": document["initial"],
        },
    }
    document["movements"].append(movement)
