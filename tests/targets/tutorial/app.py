"""An order workflow in twenty lines, as in any tutorial. Nothing here knows the harness."""

import json
import logging
import threading

import dapr.ext.workflow as wf
from dapr.clients import DaprClient

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="order")
def order(ctx, order):
    if (yield ctx.call_activity(take_stock, input=order)):
        yield ctx.call_activity(notify, input=order)
        return {"processed": True}
    return {"processed": False}


@wfr.activity(name="take_stock")
def take_stock(ctx, order):
    with DaprClient() as client:
        item = json.loads(client.get_state("statestore", order["item"]).data or b'{"units": 5000}')
        if item["units"] < order["units"]:
            return False
        item["units"] -= order["units"]
        client.save_state("statestore", order["item"], json.dumps(item))
    return True


@wfr.activity(name="notify")
def notify(ctx, order):
    logging.getLogger("orders").info("processed %s", order)


wfr.start()
threading.Event().wait()
