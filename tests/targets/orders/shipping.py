"""Shipping: packs parcels, and delivers them by a workflow of its own. Each parcel is a document in the state store."""

import json
import os
import threading
import time
from datetime import timedelta

import dapr.ext.workflow as wf
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Concurrency, StateOptions
from grpc import RpcError, StatusCode

STORE = "statestore"
SHIPS_TWICE = os.environ.get("DEFECT") == "ships_twice"
FIRST = StateOptions(concurrency=Concurrency.first_write)
AGAIN = wf.RetryPolicy(
    first_retry_interval=timedelta(milliseconds=200), max_number_of_attempts=100, backoff_coefficient=1.0
)

wfr = wf.WorkflowRuntime()


def note(order, step):
    """Note a step of a parcel, once. Return whether it was there before."""
    with DaprClient() as client:
        while True:
            stored = client.get_state(STORE, f"parcel-{order['id']}")
            parcel = json.loads(stored.data or b'{"steps": []}')
            known = any(each["step"] == step for each in parcel["steps"])
            if known and not (SHIPS_TWICE and step == "ship"):
                return True
            parcel["steps"].append({"order": order["id"], "step": step, "at": time.time_ns()})
            try:
                client.save_state(
                    STORE, f"parcel-{order['id']}", json.dumps(parcel), etag=stored.etag or None, options=FIRST
                )
            except RpcError as error:
                if error.code() is not StatusCode.ABORTED:  # ABORTED: another execution has saved it meanwhile
                    raise
                continue
            return known


@wfr.activity(name="pack")
def pack(ctx, order):
    if order["item"] == "anvil":
        return False
    note(order, "pack")
    return True


@wfr.activity(name="ship")
def ship(ctx, order):
    if not note(order, "ship") and SHIPS_TWICE:
        raise RuntimeError("the carrier's answer was lost")


@wfr.workflow(name="deliver")
def deliver(ctx, order):
    yield ctx.create_timer(timedelta(milliseconds=300))
    yield ctx.call_activity(ship, input=order, retry_policy=AGAIN)
    return f"parcel-{order['id']}"


wfr.start()
threading.Event().wait()
