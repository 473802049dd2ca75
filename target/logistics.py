"""
The logistics providers as the order workflow sees them: over HTTP, and their answers are taken as true.
"""

from __future__ import annotations

import uuid

import httpx

PROVIDERS = ("heron", "kestrel", "swift")

_QUOTE_TIMEOUT = 1.0
_TIMEOUT = 3.0


class RefusedError(Exception):
    """
    The provider refused, and will always refuse.
    """


class Logistics:
    """
    A client of the providers. Safe to share between threads.

    `same_key=False` plants the defect double_ship: every try of a registration uses a new idempotency key.
    """

    def __init__(self, url: str, *, same_key: bool = True) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT)
        self._same_key = same_key

    def quote(self, provider: str, order_id: str, quantity: int) -> int | None:
        """
        Return the price in cents that a provider asks for; None if it does not answer in time, or does not answer with
        a price.
        """
        try:
            answer = self._client.get(
                f"/providers/{provider}/quote",
                params={"order_id": order_id, "quantity": quantity},
                timeout=_QUOTE_TIMEOUT,
            )
            return int(answer.json()["price"]) if answer.is_success else None
        except (httpx.HTTPError, ValueError, KeyError):
            return None

    def register(self, provider: str, order_id: str, kind: str, quantity: int, price: int) -> str:
        """
        Register a shipment and return its id. The id is the same however often this is called for the same order.

        Raises RefusedError if the provider refuses permanently, and httpx.HTTPError if the outcome is not known.
        """
        key = f"{order_id}/ship" if self._same_key else f"{order_id}/ship/{uuid.uuid4().hex}"
        answer = self._client.post(
            f"/providers/{provider}/shipments",
            headers={"Idempotency-Key": key},
            json={"order_id": order_id, "kind": kind, "quantity": quantity, "price": price},
        )
        if answer.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.GONE):
            raise RefusedError(answer.text)
        answer.raise_for_status()
        return str(answer.json()["shipment"])

    def cancel(self, provider: str, order_id: str) -> None:
        """
        Cancel an order's shipment, whether or not it was ever committed. From then on it cannot be committed.

        Raises httpx.HTTPError if the outcome is not known.
        """
        self._client.delete(f"/providers/{provider}/shipments/{order_id}").raise_for_status()
