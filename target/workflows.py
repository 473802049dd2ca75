"""
The order workflow. Its code only decides; everything that touches the outside world is an activity.

    reserve stock --> ask three providers at once --> register with the cheapest that answered --> completed
         |                     | none answers                  | refused, or given up
      rejected                 +-------------------------------+--> cancel, release --> compensated

The code must be deterministic, because the engine runs it again from its history: no clock, no randomness, no I/O. The
names have versions, so that instances in flight continue with the code with which they began.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, TaskFailedError, when_all

from target import defects
from target.logistics import PROVIDERS

NAME = "order_v1"
RESERVE = "reserve_stock_v1"
QUOTE = "quote_v1"
REGISTER = "register_shipment_v1"
CANCEL = "cancel_shipment_v1"
RELEASE = "release_stock_v1"

# The store may be away for some seconds, so a call is tried again at a constant interval, for half a minute.
STORE = RetryPolicy(
    first_retry_interval=timedelta(milliseconds=500), max_number_of_attempts=60, backoff_coefficient=1.0
)
# A provider in trouble gets more and more time: the waits are 0.3, 0.6, 1.2 and 2 s. Then the order is compensated.
PROVIDER = RetryPolicy(
    first_retry_interval=timedelta(milliseconds=300),
    max_number_of_attempts=5,
    backoff_coefficient=2.0,
    max_retry_interval=timedelta(seconds=2),
)
# If a compensation were given up, it would be left half done.
COMPENSATION = RetryPolicy(
    first_retry_interval=timedelta(seconds=1), max_number_of_attempts=600, backoff_coefficient=1.0
)
ROUNDS = 10
PAUSE = timedelta(seconds=1)

Order = Mapping[str, Any]
Quotes = dict[str, int | None]


def cheapest(quotes: Mapping[str, int | None]) -> str | None:
    """
    Return the provider with the lowest price among those that answered; the first by name if prices are equal; None if
    none answered.
    """
    answered = [(price, name) for name, price in quotes.items() if price is not None]
    return min(answered)[1] if answered else None


def order_v1(ctx: DaprWorkflowContext, order: Order, defect: str | None = None) -> Generator[Any, Any, dict[str, Any]]:
    """
    One order, from its acceptance to its end. `order` contains order_id, kind, sku and quantity. A `defect` of MARKS
    makes the code nondeterministic.
    """
    mark = defects.MARKS.get(defect or "")
    asked = order if mark is None else {**order, "mark": mark()}
    ended = yield from reserve(ctx, order)
    if ended is not None:
        return ended
    quotes = yield from ask(ctx, asked)
    provider = cheapest(quotes)
    if provider is None:
        yield ctx.call_activity(RELEASE, input=order, retry_policy=COMPENSATION)
        return result(order, "compensated", quotes, reason="no provider answered")
    return (yield from ship(ctx, order, quotes, provider))


def reserve(ctx: DaprWorkflowContext, order: Order) -> Generator[Any, Any, dict[str, Any] | None]:
    """
    Reserve the stock. Return how the order ended; None if it goes on.
    """
    try:
        reserved = yield ctx.call_activity(RESERVE, input=order, retry_policy=STORE)
    except TaskFailedError:
        # A try whose answer was lost may still have reserved the stock.
        yield ctx.call_activity(RELEASE, input=order, retry_policy=COMPENSATION)
        return result(order, "compensated", reason="given up on the stock")
    return None if reserved else result(order, "rejected", reason="insufficient stock")


def ask(ctx: DaprWorkflowContext, asked: Order) -> Generator[Any, Any, Quotes]:
    """
    Ask all providers at once, and again while none answers. Return what they answered the last time.
    """
    quotes: Quotes = {}
    for round_number in range(ROUNDS):
        if round_number:
            yield ctx.create_timer(PAUSE)
        answers = yield when_all([ctx.call_activity(QUOTE, input={**asked, "provider": p}) for p in PROVIDERS])
        quotes = dict(zip(PROVIDERS, answers, strict=True))
        if cheapest(quotes) is not None:
            break
    return quotes


def ship(ctx: DaprWorkflowContext, order: Order, quotes: Quotes, provider: str) -> Generator[Any, Any, dict[str, Any]]:
    """
    Ship an order whose stock is reserved with a provider; if that fails for good, compensate what was done.
    """
    shipping = {**order, "provider": provider, "price": quotes[provider]}
    reason = "refused by the provider"
    try:
        shipment = yield ctx.call_activity(REGISTER, input=shipping, retry_policy=PROVIDER)
        if shipment is not None:
            return result(order, "completed", quotes, provider=provider, shipment=shipment)
    except TaskFailedError:
        reason = "given up on the provider"

    # The shipment may have been committed although its answer was lost. It is cancelled before the stock is released,
    # because otherwise it could leave when its stock is already reserved for another order.
    yield ctx.call_activity(CANCEL, input=shipping, retry_policy=COMPENSATION)
    yield ctx.call_activity(RELEASE, input=order, retry_policy=COMPENSATION)
    return result(order, "compensated", quotes, provider=provider, reason=reason)


def result(
    order: Order,
    outcome: str,
    quotes: Quotes | None = None,
    *,
    provider: str | None = None,
    shipment: str | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """
    Return what an order says of itself at its end: how it ended, and what it had.
    """
    return {
        "outcome": outcome,
        "order_id": order["order_id"],
        "sku": order["sku"],
        "quantity": order["quantity"],
        "quotes": quotes or {},
        "provider": provider,
        "shipment": shipment,
        "reason": reason,
    }
