"""
The activities. Each changes one thing in the world, and can safely be executed again.
"""

from __future__ import annotations

import os
from typing import Any

from dapr.clients import DaprClient
from dapr.ext.workflow import WorkflowActivityContext, WorkflowRuntime

import defects
from providers import Providers
from stock import Stock

wfr = WorkflowRuntime(maximum_thread_pool_workers=32)  # a provider that does not answer holds a thread for a second

stock = Stock(DaprClient(), "statestore", guarded=defects.PLANTED != defects.LOST_UPDATE)
providers = Providers(os.environ["PROVIDER_URL"], same_key=defects.PLANTED != defects.DOUBLE_SHIP)


@wfr.activity(name="reserve_stock_v1")
def reserve_stock(_: WorkflowActivityContext, order: dict[str, Any]) -> bool:
    """
    Return False if there is not enough stock.
    """
    return stock.reserve(order["order_id"], order["sku"], order["quantity"])


@wfr.activity(name="quote_v1")
def quote(_: WorkflowActivityContext, request: dict[str, Any]) -> int | None:
    """
    Return a provider's price in cents; None if the provider does not answer.
    """
    return providers.quote(request["provider"], request["order_id"], request["quantity"])


@wfr.activity(name="register_shipment_v1")
def register_shipment(_: WorkflowActivityContext, shipping: dict[str, Any]) -> str | None:
    """
    Return the shipment's id; None if the provider refuses for good, so that no other try would help.
    """
    return providers.register(
        shipping["provider"], shipping["order_id"], shipping["kind"], shipping["quantity"], shipping["price"]
    )


@wfr.activity(name="cancel_shipment_v1")
def cancel_shipment(_: WorkflowActivityContext, shipping: dict[str, Any]) -> None:
    """
    Cancel the order's shipment, whether it was committed or not.
    """
    providers.cancel(shipping["provider"], shipping["order_id"])


@wfr.activity(name="release_stock_v1")
def release_stock(_: WorkflowActivityContext, order: dict[str, Any]) -> None:
    """
    Release what was reserved for the order.
    """
    if defects.PLANTED != defects.SKIP_RELEASE:
        stock.release(order["order_id"], order["sku"])
