"""
Scenario + target + seed -> Plan. Pure: opens nothing, starts nothing, reads no clock.
"""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Mapping, Sequence
from typing import Literal

from harness.errors import UsageError
from harness.model import DaprStart, FaultStep, Plan, Scenario, Step, Target
from harness.yamlfile import did_you_mean


def nodes(target: Target, replicas: int) -> tuple[str, ...]:
    """
    Every node of the running system, in the order in which it is started.
    """
    services = [f"{name}-0" for name in target.services]
    sidecars = [f"sidecar-{i}" for i in range(replicas)]
    apps = [f"app-{i}" for i in range(replicas)]
    return ("redis", "placement-0", "scheduler-0", *services, *sidecars, *apps)


def links(target: Target, replicas: int) -> tuple[str, ...]:
    """
    Every link, named `from->to`. All sidecars share the one to the scheduler, because the scheduler itself
    tells them where to connect.
    """
    by_dapr = any(isinstance(workflow.start, DaprStart) for workflow in target.workflows.values())
    return (
        "sidecars->scheduler-0",
        *(
            link
            for i in range(replicas)
            for link in (
                f"sidecar-{i}->redis",
                f"sidecar-{i}->placement-0",
                f"app-{i}->sidecar-{i}",
                *(f"app-{i}->{name}-0" for name in target.services),
                f"client->app-{i}",
                *((f"client->sidecar-{i}",) if by_dapr else ()),
            )
        ),
    )


def make(
    scenario: Scenario,
    target: Target,
    hits: Mapping[str, Literal["nodes", "links"]],
    *,
    seed: int,
    dapr_version: str,
    defect: str | None = None,
) -> Plan:
    """
    The exact timeline: which nodes each fault hits, and when. The same arguments give the same plan.

    `hits` says of each fault's name whether it hits nodes or links.

    Raises UsageError where the scenario does not fit the target: an unknown workflow, kind, node or defect.
    """
    workflow = target.workflows.get(scenario.load.workflow)
    if workflow is None:
        raise UsageError(
            f'scenario {scenario.name}: target {target.name} has no workflow "{scenario.load.workflow}"; '
            + did_you_mean(scenario.load.workflow, target.workflows)
        )
    for kind in scenario.load.mix:
        if kind not in workflow.kinds:
            raise UsageError(
                f'scenario {scenario.name}: load.mix: "{kind}" is not a kind of {scenario.load.workflow}; '
                + did_you_mean(kind, workflow.kinds)
            )
    if scenario.load.rate > 0 and not any(scenario.load.mix.values()):
        raise UsageError(f"scenario {scenario.name}: load.mix: at least one kind needs a weight above 0")
    if defect is not None and defect not in target.defects:
        raise UsageError(f'target {target.name} has no defect "{defect}"; {did_you_mean(defect, target.defects)}')

    all_nodes = nodes(target, scenario.topology.replicas)
    all_links = links(target, scenario.topology.replicas)
    rng = random.Random(seed)
    steps = [
        Step(
            step=0,
            fault=fault.fault,
            nodes=_chosen(fault, all_links if hits[fault.fault] == "links" else all_nodes, rng, scenario.name),
            at=fault.at,
            hold=fault.hold,
            settings=fault.settings,
        )
        for fault in scenario.faults
    ]
    steps.sort(key=lambda step: step.at)
    return Plan(
        scenario=scenario,
        target=target,
        seed=seed,
        dapr_version=dapr_version,
        defect=defect,
        nodes=all_nodes,
        links=all_links,
        steps=tuple(step.model_copy(update={"step": number}) for number, step in enumerate(steps)),
    )


def _chosen(fault: FaultStep, known: Sequence[str], rng: random.Random, scenario: str) -> tuple[str, ...]:
    """
    The nodes that one timeline entry hits. One draw of the generator an entry, whatever it picks, so that
    editing one entry's `pick` leaves the others' targets as they were.
    """
    draw = random.Random(rng.getrandbits(64))
    candidates = [name for name in known if _matches(fault.on, name)]
    if not candidates:
        raise UsageError(
            f'scenario {scenario}: fault {fault.fault}: nothing is called "{fault.on}"; '
            + did_you_mean(fault.on, {*known, *(_role(name) for name in known)})
        )
    if fault.pick == "all":
        return tuple(candidates)
    count = 1 if fault.pick == "one" else fault.pick
    if count > len(candidates):
        raise UsageError(
            f'scenario {scenario}: fault {fault.fault}: pick {count} of "{fault.on}", '
            f"but there are only {len(candidates)}"
        )
    chosen = set(draw.sample(candidates, count))
    return tuple(name for name in candidates if name in chosen)


def _matches(pattern: str, name: str) -> bool:
    return pattern == _role(name) or fnmatch.fnmatchcase(name, pattern)


def _role(name: str) -> str:
    """
    `sidecar-0` -> `sidecar`, `sidecar-0->redis` -> `sidecar->redis`, `redis` -> `redis`.
    """
    return "->".join(
        part.rpartition("-")[0] if part.rpartition("-")[2].isdecimal() else part for part in name.split("->")
    )
