"""
Canaries: one workflow instance on each replica. The system is ready only when all of them have ended.
"""

from __future__ import annotations

import random
import time

import httpx

from harness.backends.endpoints import Endpoints
from harness.errors import NodeError
from harness.journal import Journal
from harness.load.arrivals import arrival
from harness.load.operations import Operations
from harness.load.start import start
from harness.model import Plan
from harness.rows import OperationRow
from harness.rundir import RunDir
from harness.running.watch import Watch

CLIENT = "canary"
_PATIENCE = 60.0
"""Seconds. Each canary must be accepted within this time, and all canaries must end within this time."""
_TICK = 0.05


def release(plan: Plan, run: RunDir, endpoints: Endpoints, watch: Watch) -> int:
    """
    Start one instance of the most frequent kind on each replica, and wait until all have ended. Return their number.

    Raises NodeError if an instance is not accepted, or does not end in time.
    """
    load = plan.scenario.load
    kind = max(load.mix, key=lambda name: load.mix[name])
    with Journal[OperationRow](run.journals.operations(CLIENT)) as journal:
        operations = Operations(journal, CLIENT, load.workflow)
        for replica in range(len(endpoints.apps)):
            _start(plan, endpoints, operations, kind, replica)
    deadline = time.monotonic() + _PATIENCE
    watch.poll()
    while watch.unsettled:
        if time.monotonic() > deadline:
            raise NodeError(f"{watch.unsettled} canary instances did not end in {_PATIENCE:g} s")
        time.sleep(_TICK)
        watch.poll()
    return len(endpoints.apps)


def _start(plan: Plan, endpoints: Endpoints, operations: Operations, kind: str, replica: int) -> None:
    load = plan.scenario.load
    canary = arrival(plan.workflow, kind, f"{CLIENT}-{replica}", random.Random(replica))
    call = start(load, plan.workflow, canary.instance_id, canary.body, endpoints, replica)
    op_id = operations.invoke(call, canary.instance_id, kind, attempt=1, intended_ns=time.time_ns())
    status, detail = None, None
    try:
        answer = httpx.post(call.url, json=call.body, timeout=_PATIENCE)
        status, detail = answer.status_code, answer.text[:300]
    except httpx.HTTPError as error:
        detail = str(error)
    outcome = call.outcome(status)
    operations.complete(op_id, outcome, status, None if outcome == "ok" else detail)
    if outcome != "ok":
        raise NodeError(f"{call.node} did not accept a canary: {status or 'no answer'}: {detail}")
