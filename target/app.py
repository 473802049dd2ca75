"""
The app: an HTTP interface to the order workflow, and the worker that runs the workflow.

    POST /orders          202 accepted, now or by an earlier request; 422 not an order; 503 not accepted now
    GET  /orders/{id}     the order's status and output; 404 if there is no such order
    GET  /healthz         200 once the worker is connected and the sidecar answers
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

import grpc
import httpx
import uvicorn
from dapr.clients import DaprClient
from dapr.ext.workflow import DaprWorkflowClient, DaprWorkflowContext, WorkflowRuntime
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from target import approval, defects, granularity, monitor, patterns, versions, workflows
from target.activities import Activities, register
from target.contract import Attempts, Environment
from target.inventory import Inventory
from target.logistics import Logistics
from target.points import BeforeSending, Points

_WORKER_THREADS = 32  # a provider that does not answer holds a thread for a second
_LATE_BY = 0.5


class Order(BaseModel):
    """
    An order as a client sends it. Its id is also the id of its workflow instance.
    """

    order_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    kind: str = "plain"
    sku: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    quantity: Annotated[int, Field(ge=1, le=1000)]


class Orders:
    """
    Starts orders and looks them up. Safe to share between threads.

    `early=True` plants the defect early_ack.
    """

    def __init__(self, client: DaprWorkflowClient, *, early: bool = False) -> None:
        self._client = client
        self._early = early

    def start(self, order: Order) -> None:
        """
        Return once the engine has accepted the order, now or before. Raises grpc.RpcError if it is not known whether it
        has.

        Dapr runs an id again if its workflow has ended, so this method first asks whether the id is known. If two
        starts of one id overlap, both can still be sent. While the order runs, the engine refuses the second. If the
        second arrives after the order's end, the engine runs the order again. That run finds every effect done already,
        because the activities are idempotent by order.
        """
        if self._early:
            threading.Thread(target=self._later, args=(order,), daemon=True).start()
            return
        if not self._known(order.order_id):
            self._schedule(order)

    def _schedule(self, order: Order) -> None:
        try:
            self._client.schedule_new_workflow(workflows.NAME, input=order.model_dump(), instance_id=order.order_id)
        except grpc.RpcError:
            if not self._known(order.order_id):
                raise

    def _known(self, order_id: str) -> bool:
        return self._client.get_workflow_state(order_id, fetch_payloads=False) is not None

    def _later(self, order: Order) -> None:
        time.sleep(_LATE_BY)
        self._schedule(order)

    def get(self, order_id: str) -> dict[str, Any] | None:
        """
        Return an order's status and output; None if the engine does not know the order.
        """
        state = self._client.get_workflow_state(order_id)
        if state is None:
            return None
        return {"order_id": order_id, "status": state.runtime_status.name, "output": state.serialized_output}


def _planted(workflow: Callable[..., Any], defect: str | None) -> Callable[..., Any]:
    """
    Return a workflow with a defect, or without.
    """

    def planted(ctx: DaprWorkflowContext, given: Mapping[str, Any]) -> Generator[Any, Any, Any]:
        return (yield from workflow(ctx, given, defect))

    return planted


def build(environment: Environment) -> FastAPI:
    """
    Return the app on real Dapr, with the addresses and settings of `environment`.
    """
    planted = environment.defect
    points = Points.read()
    runtime = WorkflowRuntime(
        interceptors=[BeforeSending(points)],
        maximum_thread_pool_workers=_WORKER_THREADS,
    )
    runtime.register_workflow(_planted(workflows.order_v1, planted), name=workflows.NAME)
    runtime.register_workflow(_planted(approval.approve_order_v1, planted), name=approval.NAME)
    runtime.register_workflow(_planted(monitor.watch_shipment_v1, planted), name=monitor.NAME)
    runtime.register_workflow(_planted(patterns.parallel_v1, planted), name=patterns.PARALLEL)
    for name, workflow in {**patterns.WORKFLOWS, **granularity.WORKFLOWS}.items():
        runtime.register_workflow(workflow, name=name)
    versions.register(runtime)
    client = DaprClient()
    store = environment.state_store
    inventory = Inventory(client, store, guarded=planted != defects.LOST_UPDATE)
    logistics = Logistics(environment.provider_url, same_key=planted != defects.DOUBLE_SHIP)
    activities = Activities(inventory, logistics, releases=planted != defects.SKIP_RELEASE)
    bodies = {
        **activities.bodies,
        monitor.POLL: monitor.poll,
        versions.CONFIRM: versions.confirm,
        **patterns.Values(client, store).bodies,
        **granularity.Work(client, store).bodies,
    }
    register(runtime, bodies, Attempts(environment.attempts, environment.node), points)
    orders = Orders(DaprWorkflowClient(), early=planted == defects.EARLY_ACK)
    sidecar = httpx.AsyncClient(base_url=environment.sidecar_url, timeout=1)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        runtime.start()
        yield
        runtime.shutdown()
        client.close()
        await sidecar.aclose()

    app = FastAPI(title="orders", lifespan=lifespan)

    @app.post("/orders", status_code=202)
    def start(order: Order) -> dict[str, str]:
        try:
            orders.start(order)
        except grpc.RpcError as error:
            raise HTTPException(503, f"the engine did not accept the order: {error.code()}") from error
        return {"order_id": order.order_id}

    @app.get("/orders/{order_id}")
    def get(order_id: str) -> dict[str, Any]:
        found = orders.get(order_id)
        if found is None:
            raise HTTPException(404, f"there is no order {order_id}")
        return found

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        # This is `async`, so it needs no thread of the pool. All threads may be waiting for an engine that does not
        # answer.
        try:
            (await sidecar.get("/v1.0/healthz")).raise_for_status()
        except httpx.HTTPError as error:
            raise HTTPException(503, "the sidecar does not answer") from error
        return {"node": environment.node}

    return app


def main() -> None:
    """
    Serve until the process is stopped.
    """
    environment = Environment.read()
    uvicorn.run(build(environment), host=environment.host, port=environment.port, log_level="warning")


if __name__ == "__main__":
    main()
