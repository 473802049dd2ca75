"""
The pattern "external event": an order that waits for somebody's approval, for so many seconds and no longer.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from target import defects
from target.workflows import Order, order_v1, result

NAME = "approve_order_v1"
EVENT = "approval"
TIMED_OUT = "timed_out"


def approve_order_v1(
    ctx: DaprWorkflowContext, given: Order, defect: str | None = None
) -> Generator[Any, Any, dict[str, Any]]:
    """
    Wait for the event `approval`, at most `seconds`. If it comes in time, the order is processed as any other, and the
    result says which approval it was (`number`, of the first that came). If not, it has timed out, and nothing was
    ordered.

    The defect timeout_ignored processes an order that has timed out, too.
    """
    order = {name: given[name] for name in ("order_id", "kind", "sku", "quantity")}
    approval: dict[str, Any] = {}
    try:
        approval = yield ctx.wait_for_external_event(EVENT, timeout=timedelta(seconds=given["seconds"]))
    except TimeoutError:
        if defect != defects.TIMEOUT_IGNORED:
            return {**result(order, TIMED_OUT, reason="nobody approved it"), "approval": None}
    ended = yield from order_v1(ctx, order, defect)
    return {**ended, "approval": approval.get("number")}
