"""
The activities of the order workflow. Each makes one change to the outside world, and can safely be executed again at
any point. And how an activity is registered with the worker, so that its executions are recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dapr.ext.workflow import WorkflowActivityContext, WorkflowRuntime

from target import workflows
from target.contract import Attempts
from target.inventory import Inventory
from target.logistics import Logistics, RefusedError
from target.points import AFTER_EFFECT, BEFORE_EFFECT, Execution, Points

Body = Callable[[Mapping[str, Any]], Any]


class Activities:
    """
    The bodies of the activities. They use an inventory and the providers.

    `releases=False` plants the defect skip_release.
    """

    def __init__(self, inventory: Inventory, logistics: Logistics, *, releases: bool = True) -> None:
        self._inventory = inventory
        self._logistics = logistics
        self._releases = releases

    def reserve_stock(self, order: Mapping[str, Any]) -> bool:
        """
        Reserve the stock; return False if there is not enough.
        """
        return self._inventory.reserve(order["order_id"], order["sku"], order["quantity"])

    def quote(self, order: Mapping[str, Any]) -> int | None:
        """
        Return a provider's price in cents; None if the provider does not answer.
        """
        return self._logistics.quote(order["provider"], order["order_id"], order["quantity"])

    def register_shipment(self, order: Mapping[str, Any]) -> str | None:
        """
        Register a shipment and return its id; None if the provider refuses permanently, so that another try would not
        help.
        """
        try:
            return self._logistics.register(
                order["provider"], order["order_id"], order["kind"], order["quantity"], order["price"]
            )
        except RefusedError:
            return None

    def cancel_shipment(self, order: Mapping[str, Any]) -> None:
        """
        Cancel the order's shipment, whether it was committed or not.
        """
        self._logistics.cancel(order["provider"], order["order_id"])

    def release_stock(self, order: Mapping[str, Any]) -> None:
        """
        Release the stock that was reserved for the order.
        """
        if self._releases:
            self._inventory.release(order["order_id"], order["sku"])

    @property
    def bodies(self) -> Mapping[str, Body]:
        """
        The bodies, each under its versioned name.
        """
        return {
            workflows.RESERVE: self.reserve_stock,
            workflows.QUOTE: self.quote,
            workflows.REGISTER: self.register_shipment,
            workflows.CANCEL: self.cancel_shipment,
            workflows.RELEASE: self.release_stock,
        }


def register(runtime: WorkflowRuntime, bodies: Mapping[str, Body], attempts: Attempts, points: Points) -> None:
    """
    Register the bodies of activities with the worker. Every execution is recorded in `attempts`, and its activity
    points are announced to `points`.
    """
    for name, body in bodies.items():
        runtime.register_activity(_recorded(name, body, attempts, points), name=name)


def _recorded(
    name: str, body: Body, attempts: Attempts, points: Points
) -> Callable[[WorkflowActivityContext, Any], Any]:
    def execute(ctx: WorkflowActivityContext, given: dict[str, Any]) -> Any:
        attempt = attempts.begin(ctx.workflow_id, name, ctx.task_id)
        execution = Execution(ctx.workflow_id, name, ctx.task_id, attempt, attempts.node)
        try:
            points.reach(execution, BEFORE_EFFECT)
            result = body(given)
            points.reach(execution, AFTER_EFFECT)
        except BaseException as error:
            attempts.end(attempt, error)
            raise
        attempts.end(attempt, None)
        points.returns(execution)
        return result

    return execute
