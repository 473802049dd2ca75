"""
Canaries: one workflow instance on each replica. The system is ready only when all of them have ended, and as the target
declares it.
"""

from __future__ import annotations

import random
import time

import httpx

from harness.backends.endpoints import Endpoints
from harness.errors import NodeError, UsageError
from harness.journal import Journal
from harness.load.arrivals import arrival
from harness.load.operations import Operations
from harness.load.start import start
from harness.model import Plan
from harness.rows import OperationRow
from harness.rundir import RunDir
from harness.running.watch import Watch
from harness.running.witnesses import Witnesses

CLIENT = "canary"
_PATIENCE = 60.0
"""Seconds. Each canary must be accepted within this time, and all canaries must end within this time."""
_LOOK = 10.0
"""Seconds. This often, the ids that the engine has are compared with those that were started."""
_TICK = 0.05
_SHOWN = 200


def release(plan: Plan, run: RunDir, endpoints: Endpoints, watch: Watch, witnesses: Witnesses) -> int:
    """
    Start one instance of the most frequent kind on each replica, and wait until all have ended. Return their number.

    Raises NodeError if an instance is not accepted, or does not end in time; UsageError if one has ended otherwise than
    target.yaml describes; EvidenceError if a ledger cannot be used, before the first instance and after the last.
    """
    load = plan.scenario.load
    kind = max(load.mix, key=lambda name: load.mix[name])
    before = witnesses.ids()
    witnesses.begin([f"{CLIENT}-{replica}" for replica in range(len(endpoints.apps))])
    with Journal[OperationRow](run.journals.operations(CLIENT)) as journal:
        operations = Operations(journal, CLIENT, load.workflow)
        started = [_start(plan, endpoints, operations, kind, replica) for replica in range(len(endpoints.apps))]
    deadline, look = time.monotonic() + _PATIENCE, time.monotonic() + _LOOK
    watch.poll()
    while watch.unsettled:
        if time.monotonic() > look:
            look += _LOOK
            _refuse_other_ids(set(started), witnesses.ids() - before)
        if time.monotonic() > deadline:
            raise NodeError(f"{watch.unsettled} canary instances did not end in {_PATIENCE:g} s")
        time.sleep(_TICK)
        watch.poll()
    required: dict[str, tuple[str, ...]] = {}
    for instance, state in witnesses.states(started, plan.workflow.outcome).items():
        meaning = plan.workflow.meaning(state.terminal, state.outcome)
        if state.terminal == "COMPLETED" and meaning is None:
            raise UsageError(_undeclared(plan, instance, state.outcome, state.output))
        required[instance] = meaning.effects if meaning is not None else ()
    witnesses.refuse_unfit(required)
    return len(endpoints.apps)


def _start(plan: Plan, endpoints: Endpoints, operations: Operations, kind: str, replica: int) -> str:
    """
    Start a canary on a replica. Return its instance id.
    """
    load = plan.scenario.load
    canary = arrival(plan.workflow, kind, f"{CLIENT}-{replica}", random.Random(replica))
    call = start(load, plan.workflow, canary.instance_id, canary.body, endpoints, replica)
    op_id = operations.invoke(call, canary.instance_id, kind, attempt=1, intended_ns=time.time_ns())
    try:
        got = httpx.post(call.url, json=call.body, timeout=_PATIENCE)
        status, text = got.status_code, got.text
    except httpx.HTTPError as error:
        status, text = None, str(error)
    answer = call.answer(status, text)
    operations.complete(op_id, status, answer)
    if answer.outcome != "ok":
        raise NodeError(f"{call.node} did not accept a canary: {status or 'no answer'}: {answer.detail}")
    return answer.instance_id or canary.instance_id


def _refuse_other_ids(started: set[str], found: set[str]) -> None:
    """
    Raise UsageError if the engine has other instances than those that were started.
    """
    unknown, others = sorted(started - found), sorted(found - started)
    if unknown and others:
        raise UsageError(
            f"{', '.join(unknown)} was accepted, and the engine has no such instance; it has {others[0]}, which nobody "
            "asked for: the application does not take the id that it is given. If its answer brings the id, say where "
            "(`start: {http: ..., id: ...}` in target.yaml)"
        )


def _undeclared(plan: Plan, instance: str, outcome: str | None, output: str | None) -> str:
    workflow = plan.workflow
    shown = (output or "nothing")[:_SHOWN]
    said = f"`outcome: {workflow.outcome}` finds " + ("no word in it" if outcome is None else f'"{outcome}" in it')
    return (
        f"the canary {instance} ended with the output {shown}; {said}, and target {plan.target.name} declares the "
        f"outcomes {', '.join(workflow.outcomes)} of {plan.scenario.load.workflow}. Correct `outcome` or `outcomes` in "
        "target.yaml; without both, the status COMPLETED alone says that an instance completed"
    )
