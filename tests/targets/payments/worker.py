"""
A payment workflow: hold an amount on an account, wait for the bank; if it declines the payment, void the hold.

Nothing here knows the harness; the contract is docs/target-contract.md.
"""

import json
import os
import time
import uuid
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dapr.ext.workflow as wf
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions

STORE = os.environ["STATE_STORE"]
BLIND = os.environ.get("DEFECT") == "blind_hold"
ATTEMPTS = os.open(os.environ["ATTEMPTS_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write, consistency=Consistency.strong)
AGAIN = wf.RetryPolicy(
    first_retry_interval=timedelta(milliseconds=200), max_number_of_attempts=100, backoff_coefficient=1.0
)
THINKING_TIME = timedelta(seconds=1)  # the bank's, on whether to accept: a payment is in flight for at least this long

runtime = wf.WorkflowRuntime()


def note(row):
    os.write(ATTEMPTS, json.dumps({**row, "at_ns": time.time_ns()}).encode() + b"\n")


def enter(ctx, activity, payment, effect):
    """
    Enter `effect` into the account's document, once for each instance (unless the defect is planted).
    """
    attempt = {"attempt_id": uuid.uuid4().hex}
    started = {"instance_id": ctx.workflow_id, "activity": activity, "task_id": ctx.task_id, "node": os.environ["NODE"]}
    note({"event": "start", **attempt, **started})
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
                    note({"event": "end", **attempt, "outcome": "error", "detail": str(error)[:200]})
                    raise
    if BLIND and len(mine) == 0:
        note({"event": "end", **attempt, "outcome": "error", "detail": "planted"})
        raise RuntimeError("planted: failed after the effect")
    note({"event": "end", **attempt, "outcome": "ok"})


@runtime.activity(name="hold_v1")
def hold(ctx, payment):
    enter(ctx, "hold_v1", payment, "hold")


@runtime.activity(name="void_v1")
def void(ctx, payment):
    enter(ctx, "void_v1", payment, "void")


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
