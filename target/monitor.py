"""
The pattern "monitor": a shipment is asked for again and again, until it is delivered or lost. Each poll is a generation
of the workflow (continue-as-new), so its history does not grow.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, TaskFailedError

from target import defects
from target.workflows import CANCEL, COMPENSATION, PROVIDER, REGISTER

NAME = "watch_shipment_v1"
POLL = "poll_v1"
IN_TRANSIT, DELIVERED, LOST = "in transit", "delivered", "lost"

Given = Mapping[str, Any]


def watch_shipment_v1(
    ctx: DaprWorkflowContext, given: Given, defect: str | None = None
) -> Generator[Any, Any, dict[str, Any] | None]:
    """
    Register a shipment and ask for it every so many `seconds`, until it is delivered, or `lost` and then cancelled.
    The result says how it ended, and when it was asked for (`polled`: milliseconds since the epoch, one number a poll).

    The defect early_poll waits half as long between two polls.
    """
    polled: list[int] = given.get("polled", [])
    if not polled:
        try:
            yield ctx.call_activity(REGISTER, input=given, retry_policy=PROVIDER)
        except TaskFailedError:
            yield ctx.call_activity(CANCEL, input=given, retry_policy=COMPENSATION)
            return {"outcome": LOST, "order_id": given["order_id"], "polled": []}
    polled = [*polled, round(ctx.current_utc_datetime.timestamp() * 1000)]
    state = yield ctx.call_activity(POLL, input={"poll": len(polled), "polls": given["polls"], "lost": given["lost"]})
    if state == IN_TRANSIT:
        seconds = given["seconds"] / 2 if defect == defects.EARLY_POLL else given["seconds"]
        yield ctx.create_timer(timedelta(seconds=seconds))
        ctx.continue_as_new({**given, "polled": polled})
        return None
    if state == LOST:
        yield ctx.call_activity(CANCEL, input=given, retry_policy=COMPENSATION)
    return {"outcome": state, "order_id": given["order_id"], "polled": polled}


def poll(given: Given) -> str:
    """
    Return what a carrier says of a shipment at a `poll`: it is in transit until the last of its `polls`, and then it is
    delivered or `lost`.
    """
    if given["poll"] < given["polls"]:
        return IN_TRANSIT
    return LOST if given["lost"] else DELIVERED
