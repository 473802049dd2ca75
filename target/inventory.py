"""
Stock in the state store, through Dapr's API. A document is read, changed and saved with optimistic concurrency.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import grpc
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions

from target import stock
from target.stock import Document

_FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write, consistency=Consistency.strong)
_TRIES = 40
_UNGUARDED_PAUSE = 0.25


class ContendedError(Exception):
    """
    At every try, somebody else saved the same document first.
    """


class Inventory:
    """
    The stock documents of one state store. Safe to share between threads.

    `guarded=False` plants the defect lost_update: a document is saved even if somebody else has saved it since it was
    read.
    """

    def __init__(self, client: DaprClient, store: str, *, guarded: bool = True) -> None:
        self._client = client
        self._store = store
        self._guarded = guarded

    def reserve(self, order_id: str, sku: str, quantity: int) -> bool:
        """
        Reserve stock for an order; return False if there is not enough. The stock is reserved once, however often this
        is called.

        Raises ContendedError or grpc.RpcError if it could not be done now.
        """
        try:
            self._change(sku, lambda document: stock.reserve(document, order_id, quantity))
        except stock.InsufficientError:
            return False
        return True

    def release(self, order_id: str, sku: str) -> None:
        """
        Release the stock that was reserved for an order, once, however often this is called. If none was reserved, none
        is released. Raises as `reserve`.
        """
        self._change(sku, lambda document: stock.release(document, order_id))

    def _change(self, sku: str, change: Callable[[Document], Document | None]) -> None:
        key = f"stock-{sku}"
        for _ in range(_TRIES):
            stored = self._client.get_state(self._store, key)
            changed = change(json.loads(stored.data) if stored.data else stock.new(sku))
            if changed is None:
                return
            if not self._guarded:
                time.sleep(_UNGUARDED_PAUSE)
                self._client.save_state(self._store, key, json.dumps(changed))
                return
            try:
                self._client.save_state(
                    self._store, key, json.dumps(changed), etag=stored.etag or None, options=_FIRST_WRITE
                )
            except grpc.RpcError as error:
                # ABORTED: the etag is not the current one (Dapr state API). Somebody else was first: read it again.
                if error.code() is not grpc.StatusCode.ABORTED:
                    raise
                time.sleep(random.uniform(0.002, 0.03))
            else:
                return
        raise ContendedError(f"{key}: others were first {_TRIES} times")
