"""
The order workflow and its worker, on Dapr's Python SDK. The sidecar starts the orders: the worker has no route of its
own.
"""

from __future__ import annotations

import signal
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, TaskFailedError, when_all

import defects
from activities import cancel_shipment, quote, register_shipment, release_stock, reserve_stock, wfr

PROVIDERS = ("heron", "kestrel", "swift")
ROUNDS = 10
PAUSE = timedelta(seconds=1)

# The store may be away for some seconds, so a call is tried again at a constant interval, for half a minute.
STORE = RetryPolicy(first_retry_interval=timedelta(milliseconds=500), max_number_of_attempts=60)
# A provider in trouble gets more and more time: the waits are 0.3, 0.6, 1.2 and 2 s.
PROVIDER = RetryPolicy(
    first_retry_interval=timedelta(milliseconds=300),
    max_number_of_attempts=5,
    backoff_coefficient=2.0,
    max_retry_interval=timedelta(seconds=2),
)
# If a compensation were given up, it would be left half done.
COMPENSATION = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=600)

Quotes = dict[str, int | None]


@wfr.workflow(name="order_v1")
def order_v1(ctx: DaprWorkflowContext, order: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
    """
    Reserve stock, ask all providers for a price at once, and ship with the cheapest. What was done is compensated if
    the order cannot be shipped.
    """
    try:
        reserved = yield ctx.call_activity(reserve_stock, input=order, retry_policy=STORE)
    except TaskFailedError:
        # A try whose answer was lost may still have reserved the stock.
        yield ctx.call_activity(release_stock, input=order, retry_policy=COMPENSATION)
        return result(order, "compensated", reason="given up on the stock")
    if not reserved:
        return result(order, "rejected", reason="insufficient stock")

    quotes = yield from ask(ctx, order)
    provider = cheapest(quotes)
    if provider is None:
        yield ctx.call_activity(release_stock, input=order, retry_policy=COMPENSATION)
        return result(order, "compensated", quotes=quotes, reason="no provider answered")

    shipping = {**order, "provider": provider, "price": quotes[provider]}
    reason = "refused by the provider"
    try:
        shipment = yield ctx.call_activity(register_shipment, input=shipping, retry_policy=PROVIDER)
        if shipment is not None:
            return result(order, "completed", quotes=quotes, provider=provider, shipment=shipment)
    except TaskFailedError:
        reason = "given up on the provider"

    # The shipment may have been committed although its answer was lost. It is cancelled before the stock is released:
    # otherwise it could leave when its stock is already reserved for another order.
    yield ctx.call_activity(cancel_shipment, input=shipping, retry_policy=COMPENSATION)
    yield ctx.call_activity(release_stock, input=order, retry_policy=COMPENSATION)
    return result(order, "compensated", quotes=quotes, provider=provider, reason=reason)


def ask(ctx: DaprWorkflowContext, order: dict[str, Any]) -> Generator[Any, Any, Quotes]:
    """
    Return each provider's price in cents, None for one that did not answer. If none answers, all are asked again.
    """
    mark = defects.MARKS.get(defects.PLANTED)
    asked = {**order, "mark": mark()} if mark else order
    quotes: Quotes = {}
    for number in range(ROUNDS):
        if number:
            yield ctx.create_timer(PAUSE)
        prices = yield when_all([ctx.call_activity(quote, input={**asked, "provider": name}) for name in PROVIDERS])
        quotes = dict(zip(PROVIDERS, prices, strict=True))
        if cheapest(quotes):
            break
    return quotes


def cheapest(quotes: Quotes) -> str | None:
    """
    Return the provider with the lowest price, the first by name if prices are equal; None if there is none.
    """
    answered = [(price, name) for name, price in quotes.items() if price is not None]
    return min(answered)[1] if answered else None


def result(order: dict[str, Any], outcome: str, **facts: Any) -> dict[str, Any]:
    """
    Return how an order ended. A provider that gave no price has none in `quotes`.
    """
    asked = {name: order[name] for name in ("order_id", "sku", "quantity")}
    return {"outcome": outcome, **asked, "quotes": {}, "provider": None, "shipment": None, **facts}


def main() -> None:
    """
    Work until the process is told to stop.
    """
    wfr.start()
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    wfr.shutdown()


if __name__ == "__main__":
    main()
