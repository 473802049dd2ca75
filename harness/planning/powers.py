"""
Whether a backend can serve a plan. This is checked before anything starts.
"""

from __future__ import annotations

from harness.backends import components
from harness.backends.base import POWERS
from harness.errors import UsageError
from harness.faults import make
from harness.model import CallsLedger, Plan
from harness.names import BackendName


def refuse_unservable(plan: Plan, backend: BackendName) -> None:
    """
    Raise UsageError if a fault of the plan needs a power that the backend does not have, or cannot hit its node, if the
    target has further applications, or calls of a service to be recorded, and the backend cannot do that, or if its
    components lead out of a run of processes.
    """
    if backend is BackendName.PROCESSES:
        components.prepared(plan.target, plan.store)
    if backend is BackendName.COMPOSE and plan.target.apps:
        raise UsageError(
            f"target {plan.target.name} has further applications (`apps`), which the backend {backend} cannot start: "
            "use --backend processes"
        )
    if backend is BackendName.COMPOSE and any(isinstance(each, CallsLedger) for each in plan.target.ledgers):
        raise UsageError(f"the backend {backend} does not record calls to a service (`calls`): use --backend processes")
    for step in plan.steps:
        fault = make(step.fault, step.settings)
        for node in step.nodes:
            if (why := fault.refusal(plan.target, node)) is not None:
                raise UsageError(f"fault {step.fault} cannot hit {node}: {why}")
        needs = fault.needs
        if not any(issubclass(power, needs) for power in POWERS[backend]):
            raise UsageError(
                f"fault {step.fault} needs the power {needs.__name__}, which the backend {backend} does not have"
            )
