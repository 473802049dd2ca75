"""
The logistics providers, over HTTP.
"""

from __future__ import annotations

import uuid

import httpx

QUOTE_TIMEOUT = 1.0
TIMEOUT = 3.0


class Providers:
    """
    A client of the providers. Threads can share it.

    `same_key=False` plants the defect double_ship: each try to register a shipment takes a new idempotency key.
    """

    def __init__(self, url: str, *, same_key: bool = True) -> None:
        self._client = httpx.Client(base_url=f"{url}/providers", timeout=TIMEOUT)
        self._same_key = same_key

    def quote(self, provider: str, order_id: str, quantity: int) -> int | None:
        """
        Return the price in cents that a provider asks for; None if it gives none in time.
        """
        path = f"/{provider}/quote"
        try:
            answer = self._client.get(path, params={"order_id": order_id, "quantity": quantity}, timeout=QUOTE_TIMEOUT)
            return int(answer.raise_for_status().json()["price"])
        except httpx.HTTPError:
            return None

    def register(self, provider: str, order_id: str, kind: str, quantity: int, price: int) -> str | None:
        """
        Register a shipment and return its id, the same for every try; None if the provider refuses for good.
        """
        key = f"{order_id}/ship" if self._same_key else f"{order_id}/ship/{uuid.uuid4()}"
        answer = self._client.post(
            f"/{provider}/shipments",
            headers={"Idempotency-Key": key},
            json={"order_id": order_id, "kind": kind, "quantity": quantity, "price": price},
        )
        if answer.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.GONE):
            return None
        return str(answer.raise_for_status().json()["shipment"])

    def cancel(self, provider: str, order_id: str) -> None:
        """
        Cancel an order's shipment, whether or not it was committed. From then on it cannot be.
        """
        self._client.delete(f"/{provider}/shipments/{order_id}").raise_for_status()
