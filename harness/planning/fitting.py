"""
A scenario made whole by a target. A named scenario names faults and a rate. Where it is silent, the target says which
workflow is started, with which kinds, and which ends a run must show.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from harness import names
from harness.errors import UsageError
from harness.model import FaultEntry, NemesisFault, Scenario, Target, Workflow
from harness.planning.yamlfile import did_you_mean

Fault = TypeVar("Fault", FaultEntry, NemesisFault)


def fit(scenario: Scenario, target: Target) -> Scenario:
    """
    Return the scenario with everything that it leaves to the target: `load.workflow`, `load.mix`,
    `checks.minimum.classes`, and with `checks.services_away` more `checks.ends`.

    Raises UsageError if the scenario names a workflow or a kind that the target does not have.
    """
    name = scenario.load.workflow or next(iter(target.workflows))
    workflow = target.workflows.get(name)
    if workflow is None:
        raise UsageError(
            f'scenario {scenario.name}: target {target.name} has no workflow "{name}"; '
            + did_you_mean(name, target.workflows)
        )
    for field, kinds in (("load.mix", scenario.load.mix), ("checks.ends", scenario.checks.ends)):
        _refuse_unknown_kinds(scenario, field, kinds, name, workflow)
    checks = scenario.checks
    away = {kind: of.ends_without_services for kind, of in workflow.kinds.items() if of.ends_without_services}
    minimum = checks.minimum.model_copy(
        update={"classes": workflow.minimum if checks.minimum.classes == "target" else checks.minimum.classes}
    )
    return scenario.model_copy(
        update={
            "load": scenario.load.model_copy(
                update={
                    "workflow": name,
                    "mix": scenario.load.mix or {kind: of.weight for kind, of in workflow.kinds.items()},
                }
            ),
            "checks": checks.model_copy(
                update={"minimum": minimum, "ends": {**(away if checks.services_away else {}), **checks.ends}}
            ),
        }
    )


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


def _refuse_unknown_kinds(
    scenario: Scenario, field: str, kinds: Collection[str], name: str, workflow: Workflow
) -> None:
    for kind in kinds:
        if kind not in workflow.kinds:
            raise UsageError(
                f'scenario {scenario.name}: {field}: "{kind}" is not a kind of {name}; '
                + did_you_mean(kind, workflow.kinds)
            )
