"""
A payment workflow: hold an amount on an account, wait for the bank; if it declines the payment, void the hold.

Nothing here knows the harness, and no attempts are written down: the tap tells what ran.
"""

import json
import os
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dapr.ext.workflow as wf
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions

STORE = os.environ["STATE_STORE"]
BLIND = os.environ.get("DEFECT") == "blind_hold"
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write, consistency=Consistency.strong)
AGAIN = wf.RetryPolicy(
    first_retry_interval=timedelta(milliseconds=200), max_number_of_attempts=100, backoff_coefficient=1.0
)
THINKING_TIME = timedelta(seconds=1)  # the bank's, on whether to accept: a payment is in flight for at least this long

runtime = wf.WorkflowRuntime()


def enter(ctx, payment, effect):
    """
    Enter `effect` into the account's document, once for each instance (unless the defect is planted).
    """
    key = f"account-{payment['account']}"
    with DaprClient() as client:
        while True:
            stored = client.get_state(STORE, key)
            document = json.loads(stored.data or b'{"entries": []}')
            mine = [entry for entry in document["entries"] if entry["instance_id"] == ctx.workflow_id]
            if not BLIND and any(entry["effect"] == effect for entry in mine):
                break
            document["entries"].append(
                {
                    "instance_id": ctx.workflow_id,
                    "effect": effect,
                    "key": f"{ctx.workflow_id}/{len(mine)}",
                    "at_ns": time.time_ns(),
                    "attributes": {"amount": payment["amount"]},
                }
            )
            try:
                client.save_state(STORE, key, json.dumps(document), etag=stored.etag or None, options=FIRST_WRITE)
                break
            except Exception as error:
                if "etag" not in str(error).lower() and "ABORTED" not in str(error):
                    raise
    if BLIND and len(mine) == 0:
        raise RuntimeError("planted: failed after the effect")


@runtime.activity(name="hold_v1")
def hold(ctx, payment):
    enter(ctx, payment, "hold")


@runtime.activity(name="void_v1")
def void(ctx, payment):
    enter(ctx, payment, "void")


@runtime.workflow(name="payment_v1")
def payment_v1(ctx, payment):
    yield ctx.call_activity(hold, input=payment, retry_policy=AGAIN)
    yield ctx.create_timer(THINKING_TIME)
    if payment["kind"] == "good":
        return {"result": "paid"}
    yield ctx.call_activity(void, input=payment, retry_policy=AGAIN)
    return {"result": "voided"}


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


runtime.start()
runtime.wait_for_worker_ready()
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Health).serve_forever()
