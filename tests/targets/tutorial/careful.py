"""The same order workflow, written with care: stock is saved with its etag, and taken once for each order."""

import json
import logging
import threading

import dapr.ext.workflow as wf
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Concurrency, StateOptions
from grpc import RpcError

wfr = wf.WorkflowRuntime()
FIRST = StateOptions(concurrency=Concurrency.first_write)


@wfr.workflow(name="order")
def order(ctx, order):
    if (yield ctx.call_activity(take_stock, input=order)):
        yield ctx.call_activity(notify, input=order)
        return {"processed": True}
    return {"processed": False}


@wfr.activity(name="take_stock")
def take_stock(ctx, order):
    with DaprClient() as client:
        while True:
            stored = client.get_state("statestore", order["item"])
            item = json.loads(stored.data or b'{"units": 5000, "taken": []}')
            if order["id"] in item["taken"]:
                return True
            if item["units"] < order["units"]:
                return False
            item = {"units": item["units"] - order["units"], "taken": [*item["taken"], order["id"]]}
            try:
                client.save_state(
                    "statestore", order["item"], json.dumps(item), etag=stored.etag or None, options=FIRST
                )
            except RpcError:  # somebody else has saved it meanwhile: again
                continue
            return True


@wfr.activity(name="notify")
def notify(ctx, order):
    logging.getLogger("orders").info("processed %s", order)


wfr.start()
threading.Event().wait()
