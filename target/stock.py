"""
The stock document of one SKU, and its changes. The functions are pure: they take documents and return documents.

A document contains its movements, so what happened can be read from the document itself. There is no moment at which
the stock has changed but the record of the change is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target.contract import effect

Document = dict[str, Any]

RESERVE = "reserve"
RELEASE = "release"

_SCARCE_UNITS = 3
_PLENTY_UNITS = 1_000_000


class InsufficientError(Exception):
    """
    There is not enough stock left.
    """


def new(sku: str) -> Document:
    """
    Return the document of a SKU that has had no movement yet, with the units of the catalogue.
    """
    units = _SCARCE_UNITS if sku.startswith("scarce-") else _PLENTY_UNITS
    return {"sku": sku, "initial": units, "available": units, "movements": [], "closed": []}


def reserve(document: Document, order_id: str, quantity: int) -> Document | None:
    """
    Return the document after `quantity` was reserved for an order; None if it is reserved already, or the order is
    closed.

    Raises InsufficientError if there is not enough.
    """
    if _has(document, order_id, RESERVE) or order_id in document["closed"]:
        return None
    if document["available"] < quantity:
        raise InsufficientError(f"{document['sku']}: {quantity} wanted, {document['available']} available")
    return _moved(document, order_id, RESERVE, -quantity)


def release(document: Document, order_id: str) -> Document | None:
    """
    Return the document after an order's reservation was released; None if that was done already.

    If nothing is reserved, the order is closed. So an interrupted try to reserve that arrives late reserves nothing.
    """
    if _has(document, order_id, RELEASE) or order_id in document["closed"]:
        return None
    reserved = next((m for m in document["movements"] if _is(m, order_id, RESERVE)), None)
    if reserved is None:
        return {**document, "closed": [*document["closed"], order_id]}
    return _moved(document, order_id, RELEASE, reserved["attributes"]["quantity"])


def _moved(document: Document, order_id: str, name: str, change: int) -> Document:
    available = document["available"] + change
    facts = {"quantity": abs(change), "available": available, "initial": document["initial"]}
    movement = effect(order_id, name, f"{order_id}/{name}", facts)
    return {**document, "available": available, "movements": [*document["movements"], movement]}


def _has(document: Document, order_id: str, name: str) -> bool:
    return any(_is(movement, order_id, name) for movement in document["movements"])


def _is(movement: Mapping[str, Any], order_id: str, name: str) -> bool:
    return bool(movement["instance_id"] == order_id and movement["effect"] == name)
