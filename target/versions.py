"""
Two versions of the order workflow, in both ways that Dapr has for deploying another one beside orders in flight.

    order_v1      reserve stock --> ask three providers --> ship
    order_v2      ask three providers --> reserve stock --> ship --> confirm

`versioned_order` has named versions: each order goes on as the version with which it began, and a worker must know all
versions of the orders in flight. `patched_order` is one code for both: what is new stands behind `is_patched`, and the
engine remembers which patches an order has applied.

The variable APP_VERSION says which release this process is: `v1`, `v2`, or `v1_changed`, the bad release. That one has
the code of order_v2 where the code of order_v1 was, under the same name and behind no patch, as if somebody had edited
it in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, WorkflowRuntime

from target import workflows
from target.workflows import Order, ask, cheapest, reserve, result, ship

VERSIONED, PATCHED = "versioned_order", "patched_order"
V1, V2 = "order_v1", "order_v2"
QUOTES_FIRST, CONFIRMED = "quotes_first", "confirmed"
"""The patches of `patched_order`."""
CONFIRM = "confirm_order_v1"

Workflow = Callable[[DaprWorkflowContext, Order], Generator[Any, Any, dict[str, Any]]]
Ended = Generator[Any, Any, dict[str, Any]]


def order_v1(ctx: DaprWorkflowContext, order: Order) -> Ended:
    """
    The first version of an order. The result says which version it was.
    """
    ended = yield from workflows.order_v1(ctx, order)
    return {**ended, "version": V1}


def order_v2(ctx: DaprWorkflowContext, order: Order) -> Ended:
    """
    The second version: the providers are asked before the stock is reserved, and an order that was shipped is
    confirmed.
    """
    ended = yield from _asking_first(ctx, order)
    ended = yield from _confirmed(ctx, order, ended)
    return {**ended, "version": V2}


def patched_order(ctx: DaprWorkflowContext, order: Order) -> Ended:
    """
    Both versions in one code. The result says which of the patches the order has applied.
    """
    asks_first = ctx.is_patched(QUOTES_FIRST)
    ended = yield from (_asking_first(ctx, order) if asks_first else workflows.order_v1(ctx, order))
    confirms = ctx.is_patched(CONFIRMED)
    if confirms:
        ended = yield from _confirmed(ctx, order, ended)
    applied = [name for name, is_applied in ((QUOTES_FIRST, asks_first), (CONFIRMED, confirms)) if is_applied]
    return {**ended, "patches": applied}


def unpatched_order(ctx: DaprWorkflowContext, order: Order) -> Ended:
    """
    `patched_order` as it was before it had patches.
    """
    ended = yield from workflows.order_v1(ctx, order)
    return {**ended, "patches": []}


def _asking_first(ctx: DaprWorkflowContext, order: Order) -> Ended:
    quotes = yield from ask(ctx, order)
    provider = cheapest(quotes)
    if provider is None:
        return result(order, "rejected", quotes, reason="no provider answered")
    ended = yield from reserve(ctx, order)
    if ended is not None:
        return {**ended, "quotes": quotes}
    return (yield from ship(ctx, order, quotes, provider))


def _confirmed(ctx: DaprWorkflowContext, order: Order, ended: dict[str, Any]) -> Ended:
    if ended["outcome"] != "completed":
        return ended
    confirmed = yield ctx.call_activity(CONFIRM, input=order, retry_policy=workflows.STORE)
    return {**ended, "confirmed": confirmed}


def confirm(order: Mapping[str, Any]) -> str:
    """
    Return what the customer is told. Every release can execute this activity, also those whose workflows do not call
    it: any replica may get the task of an order of any version.
    """
    return f"{order['quantity']} of {order['sku']} are on their way"


RELEASES: Mapping[str, tuple[Mapping[str, Workflow], Workflow]] = {
    "v1": ({V1: order_v1}, unpatched_order),
    "v2": ({V1: order_v1, V2: order_v2}, patched_order),
    "v1_changed": ({V1: order_v2}, order_v2),
}
"""Release -> the versions of `versioned_order`, the latest last, and the code of `patched_order`."""


def register(runtime: WorkflowRuntime) -> None:
    """
    Register both workflows as this release has them. Raises KeyError if there is no such release.
    """
    named, patched = RELEASES[os.environ.get("APP_VERSION", "v1")]
    for version, function in named.items():
        runtime.register_versioned_workflow(
            _own(function), name=VERSIONED, version_name=version, is_latest=version == list(named)[-1]
        )
    runtime.register_workflow(_own(patched), name=PATCHED)


def _own(function: Workflow) -> Workflow:
    """
    Return a function of its own that does the same: the SDK registers each function once.
    """

    def own(ctx: DaprWorkflowContext, order: Order) -> Ended:
        return function(ctx, order)

    return own
