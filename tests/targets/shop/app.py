"""An order is charged, mailed and written down, each by an activity. Nothing here knows the harness."""

import contextlib
import json
import os
import threading
import time
import uuid
from datetime import timedelta

import dapr.ext.workflow as wf
import httpx
from dapr.clients import DaprClient

bank = httpx.Client(base_url=os.environ["BANK_URL"])
TWICE = os.environ.get("DEFECT") == "charged_again"
SILENT = os.environ.get("DEFECT") == "silent"
ANEW = os.environ.get("DEFECT") == "anew"
AGAIN = wf.RetryPolicy(first_retry_interval=timedelta(milliseconds=200), max_number_of_attempts=50)
wfr = wf.WorkflowRuntime()


@wfr.workflow(name="order")
def order(ctx, order):
    order["id"] = ctx.instance_id
    yield ctx.call_activity(charge, input=order, retry_policy=AGAIN)
    yield ctx.call_activity(mail, input=order, retry_policy=AGAIN)
    yield ctx.call_activity(note, input=order, retry_policy=AGAIN)


def own(key):
    """A key of what is asked for, which is the same each time; or of this execution alone."""
    return f"{key}-{uuid.uuid4().hex}" if ANEW else key


@wfr.activity(name="charge")
def charge(ctx, order):
    for key in ("charge", "again") if TWICE and order["cents"] == 500 else (own("charge"),):
        asked = {"order": order["id"], "key": f"{order['id']}/{key}", "cents": order["cents"]}
        with contextlib.suppress(httpx.TransportError if SILENT else ()):
            bank.post("/charges", json=asked).raise_for_status()


@wfr.activity(name="mail")
def mail(ctx, order):
    bank.post("/mails", json={"order": order["id"]}).raise_for_status()


@wfr.activity(name="note")
def note(ctx, order):
    with DaprClient() as client:
        note = {"order": order["id"], "micros": time.time_ns() // 1000}
        client.save_state("statestore", own(f"note-{order['id']}"), json.dumps(note))


wfr.start()
threading.Event().wait()
