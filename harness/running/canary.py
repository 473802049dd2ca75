"""
Canaries: one workflow instance on each replica. The system is ready only when all of them have ended, and as the target
declares it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection

import httpx

from harness.backends.endpoints import Endpoints
from harness.errors import NodeError, UsageError
from harness.evidence.engine import State
from harness.journal import Journal
from harness.load.arrivals import Arrival, arrival, most_frequent
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
    Start one instance of each workflow, of its most frequent kind, on each replica, and wait until all have ended.
    Return their number.

    Raises NodeError if an instance is not accepted, or does not end in time; UsageError if one has ended otherwise than
    target.yaml describes; EvidenceError if a ledger cannot be used, before the first instance and after the last.
    """
    canaries = _canaries(plan, len(endpoints.apps))
    before = witnesses.ids()
    witnesses.begin([canary.instance_id for canary in canaries])
    with Journal[OperationRow](run.journals.operations(CLIENT)) as journal:
        operations = Operations(journal, CLIENT)
        started = {_start(plan, endpoints, operations, canary): canary.workflow for canary in canaries}
    deadline, look = time.monotonic() + _PATIENCE, time.monotonic() + _LOOK
    watch.poll()
    while watch.unsettled:
        if time.monotonic() > look:
            look += _LOOK
            _refuse_other_ids(started.keys(), witnesses.ids() - before)
        if time.monotonic() > deadline:
            raise NodeError(f"{watch.unsettled} canary instances did not end in {_PATIENCE:g} s")
        time.sleep(_TICK)
        watch.poll()
    required: dict[str, tuple[str, ...]] = {}
    for name, workflow in plan.workflows.items():
        of_workflow = [instance for instance, started_as in started.items() if started_as == name]
        for instance, state in witnesses.states(of_workflow, workflow.outcome).items():
            meaning = workflow.meaning(state.terminal, state.outcome)
            if state.terminal == "COMPLETED" and meaning is None:
                raise UsageError(_undeclared(plan, name, instance, state))
            required[instance] = meaning.effects if meaning is not None else ()
    witnesses.refuse_unfit(required)
    return len(canaries)


def _canaries(plan: Plan, replicas: int) -> list[Arrival]:
    """
    Return the canaries of each workflow, one a replica: that with number n is for the replica n modulo `replicas`.
    """
    found: list[Arrival] = []
    for name, share in plan.scenario.load.shares.items():
        for replica in range(replicas):
            number = len(found)
            kind, instance = most_frequent(share), f"{CLIENT}-{number}"
            draw = random.Random(replica)
            found.append(arrival(name, plan.workflows[name], kind, instance, draw, number=number))
    return found


def _start(plan: Plan, endpoints: Endpoints, operations: Operations, canary: Arrival) -> str:
    """
    Start a canary on its replica. Return its instance id.
    """
    workflow = plan.workflows[canary.workflow]
    call = start(canary.workflow, workflow, canary.instance_id, canary.body, endpoints, canary.number)
    op_id = operations.invoke(call, canary, attempt=1, intended_ns=time.time_ns())
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


def _refuse_other_ids(started: Collection[str], found: set[str]) -> None:
    """
    Raise UsageError if the engine has other instances than those that were started.
    """
    unknown, others = sorted(set(started) - found), sorted(found.difference(started))
    if unknown and others:
        raise UsageError(
            f"{', '.join(unknown)} was accepted, and the engine has no such instance; it has {others[0]}, which nobody "
            "asked for: the application does not take the id that it is given. If its answer brings the id, say where "
            "(`start: {http: ..., id: ...}` in target.yaml)"
        )


def _undeclared(plan: Plan, name: str, instance: str, state: State) -> str:
    workflow = plan.workflows[name]
    shown = (state.output or "nothing")[:_SHOWN]
    found = "no word in it" if state.outcome is None else f'"{state.outcome}" in it'
    said = f"`outcome: {workflow.outcome}` finds {found}"
    return (
        f"the canary {instance} ended with the output {shown}; {said}, and target {plan.target.name} declares the "
        f"outcomes {', '.join(workflow.outcomes)} of {name}. Correct `outcome` or `outcomes` in "
        "target.yaml; without both, the status COMPLETED alone says that an instance completed"
    )
