"""
Scenario + target + seed -> Plan. Pure: opens nothing, starts nothing, reads no clock.
"""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from harness import names
from harness.errors import UsageError
from harness.faults import families
from harness.model import (
    ActivityPoint,
    Aim,
    DaprStart,
    FaultEntry,
    Nemesis,
    NemesisFault,
    Plan,
    Scenario,
    Step,
    Target,
    Workflow,
)
from harness.names import Link, Node
from harness.planning.yamlfile import did_you_mean

_MOST_STEPS = 2000
"""Each is a thread of its own in the run."""
_MOST_PASSED = 5
"""An aimed fault that does not say which instance it wants takes one of the first few to come."""


def nodes(target: Target, replicas: int) -> tuple[str, ...]:
    """
    Every node of the running system, in the order in which it is started.
    """
    found = (
        Node(names.REDIS),
        Node(names.PLACEMENT, 0),
        Node(names.SCHEDULER, 0),
        *(Node(name, 0) for name in target.services),
        *map(names.sidecar, range(replicas)),
        *map(names.app, range(replicas)),
    )
    return tuple(map(str, found))


def links(target: Target, replicas: int) -> tuple[str, ...]:
    """
    Every link, named `from->to`. All sidecars share the one to the scheduler, because the scheduler itself
    tells them where to connect.
    """
    by_dapr = any(isinstance(workflow.start, DaprStart) for workflow in target.workflows.values())
    client = Node(names.CLIENT)
    found = [Link(Node(names.ALL_SIDECARS), Node(names.SCHEDULER, 0))]
    for app, sidecar in zip(map(names.app, range(replicas)), map(names.sidecar, range(replicas)), strict=True):
        found += [
            Link(sidecar, Node(names.REDIS)),
            Link(sidecar, Node(names.PLACEMENT, 0)),
            Link(app, sidecar),
            *(Link(app, Node(name, 0)) for name in target.services),
            Link(client, app),
            *([Link(client, sidecar)] if by_dapr else []),
        ]
    return tuple(map(str, found))


def make(
    scenario: Scenario,
    target: Target,
    *,
    seed: int,
    dapr_version: str,
    defect: str | None = None,
) -> Plan:
    """
    The exact timeline: which nodes each fault hits, and when. The same arguments give the same plan.

    Raises UsageError where the scenario does not fit the target (an unknown workflow, kind, node or defect), and where
    its faults are too many or in each other's way.
    """
    workflow = target.workflows.get(scenario.load.workflow)
    if workflow is None:
        raise UsageError(
            f'scenario {scenario.name}: target {target.name} has no workflow "{scenario.load.workflow}"; '
            + did_you_mean(scenario.load.workflow, target.workflows)
        )
    for field, kinds in (("load.mix", scenario.load.mix), ("checks.ends", scenario.checks.ends)):
        for kind in kinds:
            if kind not in workflow.kinds:
                raise UsageError(
                    f'scenario {scenario.name}: {field}: "{kind}" is not a kind of {scenario.load.workflow}; '
                    + did_you_mean(kind, workflow.kinds)
                )
    if scenario.load.rate > 0 and not any(scenario.load.mix.values()):
        raise UsageError(f"scenario {scenario.name}: load.mix: at least one kind needs a weight above 0")
    if defect is not None and defect not in target.defects:
        raise UsageError(f'target {target.name} has no defect "{defect}"; {did_you_mean(defect, target.defects)}')

    all_nodes = nodes(target, scenario.topology.replicas)
    all_links = links(target, scenario.topology.replicas)
    ready = tuple(f"{name}-0" for name, service in target.services.items() if service.misbehave is not None)
    _refuse_unknown_activities(scenario, workflow)
    of = {"nodes": all_nodes, "links": all_links, "services": ready}
    known = {name: of[family.hits] for name, family in families().items()}
    rng = random.Random(seed)
    steps = _bounded((step for fault in scenario.faults for step in _timeline(fault, known, rng, scenario)), scenario)
    if scenario.nemesis is not None:
        steps = _bounded(chain(steps, _nemesis(scenario.nemesis, steps, known, rng, scenario)), scenario)
    steps.sort(key=lambda step: step.at)
    _refuse_too_many(steps, scenario)
    _refuse_twice(steps, scenario)
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


def _bounded(steps: Iterable[Step], scenario: Scenario) -> list[Step]:
    """
    The steps, unless there are more than a run can take; no more of them are made than tells that.
    """
    first_steps = list(islice(steps, _MOST_STEPS + 1))
    if len(first_steps) > _MOST_STEPS:
        raise UsageError(
            f"scenario {scenario.name}: its faults are more than {_MOST_STEPS:,} steps; "
            "a longer `every` or `interval`, or a smaller `times` or `until`, makes them fewer"
        )
    return first_steps


def _refuse_twice(steps: Sequence[Step], scenario: Scenario) -> None:
    """
    Raise UsageError where a fault would hit a node that the same fault holds already: the first would prove the second,
    and the end of one would be that of both. What an aimed fault hits, and when, is not known yet.
    """
    held: dict[tuple[str, str], tuple[int, Step]] = {}
    for number, step in enumerate(steps):
        if step.aim is not None:
            continue
        for node in step.nodes:
            before, first = held.get((step.fault, node), (number, step))
            ends = first.at + first.hold
            if first is not step and (step.at < ends or step.at == first.at):
                raise UsageError(
                    f"scenario {scenario.name}: {step.fault} at {step.at:g} s (step {number}) would hit {node} while "
                    f"{first.fault} at {first.at:g} s (step {before}) holds it until {ends:g} s"
                )
            held[step.fault, node] = number, step


def _refuse_too_many(steps: Sequence[Step], scenario: Scenario) -> None:
    """
    Raise UsageError where more nodes and links would be held at the same time than the scenario's safety allows.
    """
    for step in steps:
        held = [other for other in steps if other.at <= step.at < other.at + other.hold or other is step]
        count = sum(len(other.nodes) for other in held)
        if count > scenario.safety.at_once:
            raise UsageError(
                f"scenario {scenario.name}: at {step.at:g} s faults would hold {count} nodes and links at once; "
                f"safety.at_once allows {scenario.safety.at_once}"
            )


Known = Mapping[str, Sequence[str]]
"""Fault -> every node or link that it could hit."""


def _timeline(fault: FaultEntry, known: Known, rng: random.Random, scenario: Scenario) -> Iterator[Step]:
    """
    The steps of one timeline entry: one a repetition, and one a node where the entry is staggered.

    Each entry takes one draw of the generator, so that editing one leaves the others as they were.
    """
    draw = random.Random(rng.getrandbits(64))
    times = 1 if fault.every is None else fault.times
    at, count = fault.since, 0
    last = scenario.load.duration if fault.until is None else min(fault.until, scenario.load.duration)
    while at <= last and (times is None or count < times):
        moved = min(max(0.0, at + draw.uniform(-fault.at_jitter, fault.at_jitter)), last)
        nodes = _chosen(fault, known[fault.fault], draw, scenario.name)
        for number, group in enumerate([(node,) for node in nodes] if fault.stagger else [nodes]):
            yield _step(fault, group, moved + number * fault.stagger, _aim(fault, draw))
        count += 1
        at += fault.every or 0.0


def _nemesis(
    nemesis: Nemesis, planned: Sequence[Step], known: Known, rng: random.Random, scenario: Scenario
) -> Iterator[Step]:
    """
    The steps of the random nemesis, which keeps clear of those that are planned already.
    """
    draw = random.Random(rng.getrandbits(64))
    taken = list(planned)
    at, end = nemesis.after, scenario.load.duration if nemesis.until is None else nemesis.until
    while (at := at + draw.expovariate(1 / nemesis.interval)) < min(end, scenario.load.duration):
        fault = draw.choices(nemesis.faults, [one.weight for one in nemesis.faults])[0]
        nodes = _chosen(fault, known[fault.fault], draw, scenario.name)
        overlapping = _overlapping(taken, at, fault.hold)
        held = {node for step in _overlapping(taken, at, fault.hold, nemesis.rest) for node in step.nodes}
        # Without the nodes at its ends no probe goes through a link, so a fault of one is a fault of the other.
        free = held.isdisjoint(names.touched(nodes)) and names.touched(held).isdisjoint(nodes)
        if len(overlapping) < nemesis.at_once and free:
            step = _step(fault, nodes, at)
            taken.append(step)
            yield step


def _overlapping(steps: Sequence[Step], at: float, hold: float, apart: float = 0.0) -> list[Step]:
    """
    The steps that are in force at some time from `at` for `hold` seconds, or less than `apart` seconds from it.
    """
    return [step for step in steps if step.at < at + hold + apart and at < step.at + step.hold + apart]


def _step(fault: FaultEntry | NemesisFault, nodes: tuple[str, ...], at: float, aim: Aim | None = None) -> Step:
    """
    A step that has no number yet; times are whole milliseconds.
    """
    return Step(
        step=0, fault=fault.fault, nodes=nodes, at=round(at, 3), hold=fault.hold, settings=fault.settings, aim=aim
    )


def _aim(fault: FaultEntry, draw: random.Random) -> Aim | None:
    if not isinstance(fault.at, ActivityPoint):
        return None
    occurrence = fault.at.occurrence or draw.randint(1, _MOST_PASSED)
    return Aim(activity=fault.at.activity, point=fault.at.point, occurrence=occurrence, own=fault.pick == "own")


def _refuse_unknown_activities(scenario: Scenario, workflow: Workflow) -> None:
    for fault in scenario.faults:
        if isinstance(fault.at, ActivityPoint) and fault.at.activity not in workflow.activities:
            raise UsageError(
                f'scenario {scenario.name}: fault {fault.fault}: "{fault.at.activity}" is not an activity of '
                f"{scenario.load.workflow} that can be aimed at; {did_you_mean(fault.at.activity, workflow.activities)}"
            )


def _chosen(
    fault: FaultEntry | NemesisFault, known: Sequence[str], draw: random.Random, scenario: str
) -> tuple[str, ...]:
    """
    The nodes that a fault hits, chosen among those that its `on` names.
    """
    for pattern in fault.on:
        if not any(_matches(pattern, name) for name in known):
            raise UsageError(
                f'scenario {scenario}: fault {fault.fault}: nothing is called "{pattern}"; '
                + did_you_mean(pattern, {*known, *(names.role(name) for name in known)})
            )
    candidates = [name for name in known if any(_matches(pattern, name) for pattern in fault.on)]
    if fault.pick == "own":
        foreign = next((name for name in candidates if names.replica(name) is None), None)
        if foreign is not None:
            raise UsageError(
                f"scenario {scenario}: fault {fault.fault}: pick: own, but {foreign} is not of one replica"
            )
    if fault.pick in ("all", "own"):
        return tuple(candidates)
    count = fault.pick if isinstance(fault.pick, int) else 1
    if count > len(candidates):
        raise UsageError(
            f'scenario {scenario}: fault {fault.fault}: pick {count} of "{", ".join(fault.on)}", '
            f"but there are only {len(candidates)}"
        )
    chosen = set(draw.sample(candidates, count))
    return tuple(name for name in candidates if name in chosen)


def _matches(pattern: str, name: str) -> bool:
    return pattern == names.role(name) or fnmatch.fnmatchcase(name, pattern)
