"""
Scenario + target + seed -> Plan. Pure: opens nothing, starts nothing, reads no clock.
"""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise

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
)
from harness.names import Link, Node, Store
from harness.planning import points, scaling, shapes
from harness.planning.fitting import fit, served
from harness.planning.yamlfile import did_you_mean

_MOST_STEPS = 2000
"""The most steps of a plan. Each node of a step is a thread in the run."""
_MOST_PASSED = 5
"""If an aimed fault does not say which instance to hold, the seed chooses one of the first few that come."""
_HIGHEST_RATE = 2000.0
_MOST_STARTS = 1_000_000


def replicas(target: Target, main: int) -> Iterator[Node]:
    """
    Return each replica of each application, by its app: `main` of the main application, then those of the others.
    """
    yield from map(names.app, range(main))
    for name, application in target.apps.items():
        yield from (names.app(number, name) for number in range(application.replicas))


def nodes(target: Target, main: int, store: Store = Store.REDIS) -> tuple[str, ...]:
    """
    Return the name of every node of the running system, in the order in which the nodes are started. `main` is the
    number of replicas of the main application.
    """
    found = (
        Node(store),
        Node(names.PLACEMENT, 0),
        Node(names.SCHEDULER, 0),
        *(Node(name, 0) for name in target.services),
        *map(names.sidecar_of, replicas(target, main)),
        *replicas(target, main),
    )
    return tuple(map(str, found))


def links(
    target: Target, main: int, store: Store = Store.REDIS, *, asks: bool = False, spare: int = 0
) -> tuple[str, ...]:
    """
    Return the name of every link, `from->to`. All sidecars share one link to the scheduler, because the scheduler
    itself tells them where to connect. Clients reach only the `main` replicas of the main application, and their
    sidecars if these start a workflow or take its events, or if clients ask something after the start (`asks`); not the
    `spare` ones, with which the run does not begin.
    """
    by_dapr = asks or any(isinstance(each.start, DaprStart) or each.events for each in target.workflows.values())
    client = Node(names.CLIENT)
    found = [Link(Node(names.ALL_SIDECARS), Node(names.SCHEDULER, 0))]
    for app in replicas(target, main + spare):
        sidecar, is_reached = names.sidecar_of(app), app.application is None and (app.number or 0) < main
        found += [
            Link(sidecar, Node(store)),
            Link(sidecar, Node(names.PLACEMENT, 0)),
            Link(app, sidecar),
            *(Link(app, Node(name, 0)) for name in target.services),
            *([Link(client, app)] if is_reached else []),
            *([Link(client, sidecar)] if is_reached and by_dapr else []),
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
    Return the plan: exactly which nodes each fault hits, and when. The same arguments give the same plan.

    Raises UsageError if the scenario does not fit the target (an unknown workflow, kind, node or defect), and if its
    faults are too many or conflict with each other.
    """
    scenario = fit(scenario, target)
    _refuse_load(scenario)
    if defect is not None and defect not in target.defects:
        raise UsageError(f'target {target.name} has no defect "{defect}"; {did_you_mean(defect, target.defects)}')

    main, spare, store = scenario.topology.replicas, scenario.topology.spare, scenario.topology.store
    asks = bool(scenario.load.asked)
    ready = tuple(f"{name}-0" for name, service in target.services.items() if service.misbehave is not None)
    points.refuse_unseen(scenario, target)
    of = {
        "nodes": nodes(target, main, store),
        "links": links(target, main, store, asks=asks),
        "services": ready,
        "replicas": tuple(map(str, map(names.app, range(main + spare)))),
    }
    known = {name: of[family.hits] for name, family in families().items()}
    rng = random.Random(seed)
    steps = _bounded(
        (step for fault in served(scenario.faults, target) for step in _timeline(fault, known, rng, scenario)), scenario
    )
    if scenario.nemesis is not None and (faults := served(scenario.nemesis.faults, target)):
        nemesis = scenario.nemesis.model_copy(update={"faults": faults})
        steps = _bounded(chain(steps, _nemesis(nemesis, steps, known, rng, scenario)), scenario)
    steps.sort(key=lambda step: step.at)
    _refuse_too_many(steps, scenario)
    _refuse_twice(steps, scenario)
    _refuse_unseen_recovery(steps, scenario)
    scaling.refuse_absent(steps, scenario)
    return Plan(
        scenario=scenario,
        target=target,
        seed=seed,
        dapr_version=dapr_version,
        defect=defect,
        nodes=nodes(target, main + spare, store),
        links=links(target, main, store, asks=asks, spare=spare),
        steps=tuple(step.model_copy(update={"step": number}) for number, step in enumerate(steps)),
    )


def _bounded(steps: Iterable[Step], scenario: Scenario) -> list[Step]:
    """
    Return the steps as a list. Raises UsageError if there are more than a run can take, and makes no more steps than
    are needed to know this.
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
    Raise UsageError if a fault would hit a node that the same fault already holds. The effect of the first would look
    like a proof of the second, and healing one would end both. Aimed faults are not checked, because it is not known
    yet what they hit and when.
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
    Raise UsageError if faults would hold more nodes and links at the same time than the scenario's safety allows.
    """
    for step in steps:
        held = [other for other in steps if other.at <= step.at < other.at + other.hold or other is step]
        count = sum(len(other.nodes) for other in held)
        if count > scenario.safety.at_once:
            raise UsageError(
                f"scenario {scenario.name}: at {step.at:g} s faults would hold {count} nodes and links at once; "
                f"safety.at_once allows {scenario.safety.at_once}"
            )


def _refuse_unseen_recovery(steps: Sequence[Step], scenario: Scenario) -> None:
    """
    Raise UsageError if the gate limits the recovery, and a fault begins while another is in force: the recovery from
    that one is then never seen, so no run could pass.
    """
    if scenario.gate.recovery is None:
        return
    for before, after in pairwise(step for step in steps if step.aim is None):
        if after.at < before.at + before.hold:
            raise UsageError(
                f"scenario {scenario.name}: gate.recovery cannot be met: {after.fault} at {after.at:g} s comes while "
                f"{before.fault} ({before.at:g} s to {before.at + before.hold:g} s) is in force, so the recovery from "
                f"{before.fault} is never seen; move them apart, or leave gate.recovery out"
            )


Known = Mapping[str, Sequence[str]]
"""Fault -> every node or link that it can hit."""


def _timeline(fault: FaultEntry, known: Known, rng: random.Random, scenario: Scenario) -> Iterator[Step]:
    """
    Return the steps of one timeline entry: one per repetition, and if the entry is staggered, one per node.

    Each entry draws once from the generator. So a change of one entry does not change the others.
    """
    draw = random.Random(rng.getrandbits(64))
    times = 1 if fault.every is None else fault.times
    at, count = fault.since, 0
    last = scenario.load.duration if fault.until is None else min(fault.until, scenario.load.duration)
    while at <= last and (times is None or count < times):
        moved = min(max(0.0, at + draw.uniform(-fault.at_jitter, fault.at_jitter)), last)
        nodes = _chosen(fault, known[fault.fault], draw, scenario)
        for number, group in enumerate([(node,) for node in nodes] if fault.stagger else [nodes]):
            yield _step(fault, group, moved + number * fault.stagger, _aim(fault, draw))
        count += 1
        at += fault.every or 0.0


def _nemesis(
    nemesis: Nemesis, planned: Sequence[Step], known: Known, rng: random.Random, scenario: Scenario
) -> Iterator[Step]:
    """
    Return the steps of the random nemesis. They do not conflict with the steps that are already planned.
    """
    draw = random.Random(rng.getrandbits(64))
    taken = list(planned)
    at, end = nemesis.after, scenario.load.duration if nemesis.until is None else nemesis.until
    while (at := at + draw.expovariate(1 / nemesis.interval)) < min(end, scenario.load.duration):
        fault = draw.choices(nemesis.faults, [one.weight for one in nemesis.faults])[0]
        nodes = _chosen(fault, known[fault.fault], draw, scenario)
        overlapping = _overlapping(taken, at, fault.hold)
        held = {node for step in _overlapping(taken, at, fault.hold, nemesis.rest) for node in step.nodes}
        # If a node at an end of a link is faulty, no probe goes through the link. So a fault of the node is also a
        # fault of the link.
        free = held.isdisjoint(names.touched(nodes)) and names.touched(held).isdisjoint(nodes)
        if len(overlapping) < nemesis.at_once and free:
            step = _step(fault, nodes, at)
            taken.append(step)
            yield step


def _overlapping(steps: Sequence[Step], at: float, hold: float, apart: float = 0.0) -> list[Step]:
    """
    Return the steps that are in force at some time in the `hold` seconds from `at` on, or less than `apart` seconds
    before or after.
    """
    return [step for step in steps if step.at < at + hold + apart and at < step.at + step.hold + apart]


def _step(fault: FaultEntry | NemesisFault, nodes: tuple[str, ...], at: float, aim: Aim | None = None) -> Step:
    """
    Return a step. It has no number yet. Its time is rounded to milliseconds.
    """
    return Step(
        step=0, fault=fault.fault, nodes=nodes, at=round(at, 3), hold=fault.hold, settings=fault.settings, aim=aim
    )


def _aim(fault: FaultEntry, draw: random.Random) -> Aim | None:
    if not isinstance(fault.at, ActivityPoint):
        return None
    occurrence = fault.at.occurrence or draw.randint(1, _MOST_PASSED)
    return Aim(activity=fault.at.activity, point=fault.at.point, occurrence=occurrence, own=fault.pick == "own")


def _refuse_load(scenario: Scenario) -> None:
    """
    Raise UsageError if a load has starts and no kinds of them, or more of them than a run can take.
    """
    load = scenario.load
    starts, peak = shapes.expected(load), shapes.peak(load)
    for name, share in load.shares.items() if starts > 0 else ():
        if not any(share.mix.values()):
            where = f"load.workflows.{name}.mix" if load.workflows else "load.mix"
            raise UsageError(f"scenario {scenario.name}: {where}: at least one kind needs a weight above 0")
    if peak > _HIGHEST_RATE:
        raise UsageError(
            f"scenario {scenario.name}: load.shape: the rate rises to {peak:g} starts/s; the most is {_HIGHEST_RATE:g}"
        )
    if starts > _MOST_STARTS:
        raise UsageError(
            f"scenario {scenario.name}: load: about {starts:,.0f} starts; the most of one run is {_MOST_STARTS:,}"
        )


def _chosen(
    fault: FaultEntry | NemesisFault, known: Sequence[str], draw: random.Random, scenario: Scenario
) -> tuple[str, ...]:
    """
    Return the nodes that a fault hits, chosen from those that its `on` names. Raises UsageError if there are too few.
    """
    store = scenario.topology.store
    on = [names.with_store(pattern, store) for pattern in fault.on]
    for pattern in on:
        if not any(_matches(pattern, name) for name in known):
            neutral = names.without_store(pattern)
            raise UsageError(
                f'scenario {scenario.name}: fault {fault.fault}: nothing is called "{pattern}"; '
                + (
                    f'the state store of this run is {store}: "{neutral}" is right whatever store it is'
                    if names.with_store(neutral, store) != pattern
                    else did_you_mean(pattern, {*known, *map(names.role, known), *map(names.group, known)})
                )
            )
    candidates = [name for name in known if any(_matches(pattern, name) for pattern in on)]
    if fault.pick == "own":
        foreign = next((name for name in candidates if names.replica(name) is None), None)
        if foreign is not None:
            raise UsageError(
                f"scenario {scenario.name}: fault {fault.fault}: pick: own, but {foreign} is not of one replica"
            )
    if fault.pick in ("all", "own"):
        return tuple(candidates)
    count = fault.pick if isinstance(fault.pick, int) else 1
    if count > len(candidates):
        raise UsageError(
            f'scenario {scenario.name}: fault {fault.fault}: pick {count} of "{", ".join(fault.on)}", '
            f"but there are only {len(candidates)}"
        )
    chosen = set(draw.sample(candidates, count))
    return tuple(name for name in candidates if name in chosen)


def _matches(pattern: str, name: str) -> bool:
    role = names.role(name)
    of_service = pattern == names.SERVICES and not names.is_reserved(role) and names.is_role(role)
    return pattern in (role, names.group(name)) or of_service or fnmatch.fnmatchcase(name, pattern)
