"""Orders: packed by an activity of shipping, then delivered by a workflow of shipping, which has its own app id."""

import threading
from datetime import timedelta

import dapr.ext.workflow as wf

AGAIN = wf.RetryPolicy(
    first_retry_interval=timedelta(milliseconds=200), max_number_of_attempts=100, backoff_coefficient=1.0
)

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="order")
def order(ctx, order):
    packed = yield ctx.call_activity("pack", input=order, retry_policy=AGAIN, app_id="shipping")
    if not packed:
        return {"result": "refused"}
    parcel = yield ctx.call_child_workflow("deliver", input=order, app_id="shipping")
    return {"result": "shipped", "parcel": parcel}


wfr.start()
threading.Event().wait()
