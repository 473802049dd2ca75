"""
Which replicas are there when, in a plan that scales the application.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness import names
from harness.errors import UsageError
from harness.model import Scenario, Step

OUT, IN = "scale_out", "scale_in"
"""The faults that start a replica and take one away."""


def refuse_absent(steps: Sequence[Step], scenario: Scenario) -> None:
    """
    Raise UsageError if a step would start a replica that is there, take away one that is not there or the last one, or
    hit one that is not there at its time; if a replica would be taken away while another fault holds it; and if no step
    starts a spare replica. `steps` are in order of time.
    """
    topology = scenario.topology
    every = [str(names.app(number)) for number in range(topology.replicas + topology.spare)]
    here, idle = set(every[: topology.replicas]), set(every[topology.replicas :])
    held: dict[str, tuple[float, Step]] = {}
    for step in steps:
        scales = step.fault in (OUT, IN)
        if scales and step.aim is not None:
            raise UsageError(f"scenario {scenario.name}: {step.fault} needs a time; it cannot be aimed at an activity")
        for node in step.nodes if step.aim is None else ():
            replica = names.replica(node)
            if replica not in every:
                continue
            if (why := _refusal(step, replica, here, held)) is not None:
                raise UsageError(f"scenario {scenario.name}: {step.fault} at {step.at:g} s: {why}")
            if step.fault == OUT:
                here.add(replica)
                idle.discard(replica)
            elif step.fault == IN:
                here.remove(replica)
            else:
                held[replica] = max(held.get(replica, (0.0, step)), (step.at + step.hold, step), key=lambda of: of[0])
    if idle:
        raise UsageError(
            f"scenario {scenario.name}: topology.spare: no {OUT} starts {', '.join(sorted(idle))}; leave out what is "
            "not started"
        )


def _refusal(step: Step, replica: str, here: set[str], held: dict[str, tuple[float, Step]]) -> str | None:
    """
    Return why a step cannot hit a replica; None if it can. `held` is replica -> until when a fault holds it, and which.
    """
    if step.fault == OUT:
        return f"{replica} is there already; `topology.spare` says how many are not" if replica in here else None
    if replica not in here:
        return f"{replica} is not there at that time"
    if step.fault != IN:
        return None
    until, by = held.get(replica, (0.0, step))
    if step.at < until:
        return f"{by.fault} at {by.at:g} s holds {replica} until {until:g} s"
    return f"{replica} is the last replica" if len(here) == 1 else None
