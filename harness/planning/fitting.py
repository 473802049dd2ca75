"""
A scenario made whole by a target. A named scenario names faults and a rate. Where it is silent, the target says which
workflow is started, with which kinds, and which ends a run must show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TypeVar

from harness import names
from harness.errors import UsageError
from harness.model import DaprStart, EndClass, FaultEntry, NemesisFault, Scenario, Share, Target, Workflow
from harness.planning.yamlfile import Location, did_you_mean

Fault = TypeVar("Fault", FaultEntry, NemesisFault)


class MisfitError(UsageError):
    """
    A scenario names what its target does not have. `at` is where it does, in the scenario.
    """

    def __init__(self, scenario: Scenario, at: Location, message: str) -> None:
        super().__init__(f"scenario {scenario.name}: {'.'.join(map(str, at))}: {message}")
        self.at = at
        self.message = message


def fit(scenario: Scenario, target: Target) -> Scenario:
    """
    Return the scenario with everything that it leaves to the target: `load.workflow`, `load.mix` (or the `mix` of each
    of `load.workflows`), `checks.minimum.classes`, and with `checks.services_away` more `checks.ends`.

    Raises MisfitError if the scenario names a workflow or a kind that the target does not have.
    """
    load, checks = scenario.load, scenario.checks
    named = load.workflows or {
        load.workflow or next(iter(target.workflows)): Share(mix=load.mix, requests=load.requests)
    }
    shares = {name: _whole(scenario, target, name, share) for name, share in named.items()}
    started = {name: target.workflows[name] for name in shares}
    kinds = {kind for workflow in started.values() for kind in workflow.kinds}
    for kind in checks.ends:
        if kind not in kinds:
            _refuse_kind(scenario, ("checks", "ends", kind), kind, " or ".join(started), kinds)
    if load.workflows:
        fitted = load.model_copy(update={"workflows": shares})
    else:
        ((name, share),) = shares.items()
        fitted = load.model_copy(update={"workflow": name, "mix": share.mix})
    away = _ends_without_services(scenario, started) if checks.services_away else {}
    least = sum((Counter(workflow.minimum) for workflow in started.values()), Counter[EndClass]())
    minimum = checks.minimum.model_copy(
        update={"classes": dict(least) if checks.minimum.classes == "target" else checks.minimum.classes}
    )
    return scenario.model_copy(
        update={
            "load": fitted,
            "checks": checks.model_copy(update={"minimum": minimum, "ends": {**away, **checks.ends}}),
        }
    )


def _whole(scenario: Scenario, target: Target, name: str, share: Share) -> Share:
    """
    Return the share of a workflow with the weights of its kinds.
    """
    several = bool(scenario.load.workflows)
    at: Location = ("load", "workflows", name) if several else ("load", "workflow")
    workflow = target.workflows.get(name)
    if workflow is None:
        hint = did_you_mean(name, target.workflows)
        raise MisfitError(scenario, at, f'target {target.name} has no workflow "{name}"; {hint}')
    for kind in share.mix:
        if kind not in workflow.kinds:
            within = (*at, "mix", kind) if several else ("load", "mix", kind)
            _refuse_kind(scenario, within, kind, name, workflow.kinds)
    for number, request in enumerate(share.requests):
        within = (*(at if several else ("load",)), "requests", number, "event" if request.event else "operation")
        if request.event is not None and request.event not in workflow.events:
            hint = did_you_mean(request.event, workflow.events)
            raise MisfitError(scenario, within, f'{name} has no event "{request.event}" in target.yaml; {hint}')
        if workflow.start.id is not None:
            raise MisfitError(scenario, within, f"{name} chooses its ids itself, so no plan can name whom to ask")
        if request.operation == "start" and (why := _not_again(workflow, share)) is not None:
            raise MisfitError(scenario, within, f"{name} cannot be started again under an id: {why}")
    return share.model_copy(update={"mix": share.mix or {kind: of.weight for kind, of in workflow.kinds.items()}})


def _not_again(workflow: Workflow, share: Share) -> str | None:
    """
    Return why no client can start an instance again under its id; None if clients can.
    """
    if not isinstance(workflow.start, DaprStart):
        return "the application starts it, and takes a second start for a repetition"
    of_activities = any(each.effect is not None for each in workflow.activities.values())
    if of_activities or any(meaning.effects for meaning in workflow.meanings().values()):
        return "it has effects, and a ledger does not tell those of two executions under one id apart"
    if any(request.operation == "purge" for request in share.requests):
        return "its instances are purged, too, and nothing would tell a new execution from the first one"
    return None


def _ends_without_services(scenario: Scenario, started: Mapping[str, Workflow]) -> Mapping[str, tuple[EndClass, ...]]:
    """
    Return kind -> the ends that it may have besides, while the outside world is away. `checks.ends` knows kinds by
    their names alone, so two workflows that have a kind of one name must agree.
    """
    found: dict[str, tuple[EndClass, ...]] = {}
    for name, workflow in started.items():
        for kind, of in workflow.kinds.items():
            if found.setdefault(kind, of.ends_without_services) != of.ends_without_services:
                raise MisfitError(
                    scenario,
                    ("load", "workflows", name),
                    f'another workflow of this load has a kind "{kind}", too, with other `ends_without_services`; '
                    "start them in different scenarios, or give one of the kinds another name in target.yaml",
                )
    return {kind: ends for kind, ends in found.items() if ends}


def left_out(scenario: Scenario, target: Target) -> tuple[str, ...]:
    """
    Return the faults of a scenario that are on services, if the target has none, so that nothing is hit.
    """
    random = scenario.nemesis.faults if scenario.nemesis is not None else ()
    every: tuple[FaultEntry | NemesisFault, ...] = (*scenario.faults, *random)
    return tuple(f"{fault.fault} on {', '.join(fault.on)}" for fault in every if not _is_served(fault, target))


def served(faults: Collection[Fault], target: Target) -> tuple[Fault, ...]:
    """
    Return the faults that are not left out.
    """
    return tuple(fault for fault in faults if _is_served(fault, target))


def _is_served(fault: FaultEntry | NemesisFault, target: Target) -> bool:
    return bool(target.services) or set(fault.on) != {names.SERVICES}


def _refuse_kind(scenario: Scenario, at: Location, kind: str, name: str, kinds: Collection[str]) -> None:
    raise MisfitError(scenario, at, f'"{kind}" is not a kind of {name}; {did_you_mean(kind, kinds)}')
