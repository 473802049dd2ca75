"""
Reading `target.yaml`: the description of the application under attack.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import names
from harness.errors import UsageError
from harness.model import Ending, HttpStart, Program, Target, Workflow
from harness.model.program import WORKERS
from harness.model.target import placeholders
from harness.model.values import JSON_SCHEMA_DRAFT
from harness.planning import ledgers
from harness.planning.yamlfile import Document, Location, did_you_mean, read


def load(file: Path) -> Target:
    """
    Return the target that `file` describes. Every path in it is made absolute, from the folder of the file.

    Raises one UsageError that lists every problem with file:line.
    """
    document = read(file)
    target = document.validate(Target, document.data)
    if target is not None:
        _check(document, target)
    return _absolute(document.finish(target), file.resolve().parent)


def schema() -> dict[str, Any]:
    """
    Return the JSON Schema of a target.yaml, for editors (draft 2020-12).
    """
    return {"$schema": JSON_SCHEMA_DRAFT, **Target.model_json_schema()}


def same(planned: Target, here: Target) -> Target:
    """
    Return `here` if it is the target for which a plan was made, possibly in another folder.

    A run directory is data. Its commands are compared, and never executed. Raises UsageError if the two targets differ.
    """
    if _without_places(planned) != _without_places(here):
        raise UsageError(
            f"the plan is for target {planned.name}, and {here.name} as it is described now is another; "
            "give the description that the plan was made with: --target FILE"
        )
    return here


def _without_places(target: Target) -> Target:
    nowhere = {"workdir": Path()}
    return target.model_copy(
        update={
            "app": target.app.model_copy(update=nowhere),
            "apps": {name: app.model_copy(update=nowhere) for name, app in target.apps.items()},
            "services": {name: service.model_copy(update=nowhere) for name, service in target.services.items()},
            "components": Path(target.components.name) if target.components else None,
            "configuration": Path(target.configuration.name) if target.configuration else None,
            "invariants": Path(target.invariants.name) if target.invariants else None,
            "known": Path(target.known.name) if target.known else None,
            "compose": None,  # the place where it runs is not a part of the target
        }
    )


def _check(document: Document, target: Target) -> None:
    """
    Check what the model cannot check: names that refer to each other.
    """
    _check_effects(document, target)
    _check_services(document, target)
    _check_apps(document, target)
    _check_versions(document, target)
    ledgers.check(document, target)
    for name, balance in target.balances.items():
        for field in ("value", "key", "amount"):
            document.expression(("balances", name, field), getattr(balance, field))
        ledgers.check_app(document, target, ("balances", name), balance.app)
    for name, workflow in target.workflows.items():
        _check_ends(document, ("workflows", name), workflow, effects_needed=bool(target.effects))
        _check_meanings(document, target, ("workflows", name), workflow)
        _check_activities(document, target, name, workflow)
        _check_start(document, name, workflow)
    for name, child in target.children.items():
        if name in target.workflows:
            document.problem(("children", name), f'"{name}" is one of `workflows`, which says how it ends')
        _check_ends(document, ("children", name), child, effects_needed=False)
        _check_meanings(document, target, ("children", name), child)


def _check_meanings(document: Document, target: Target, at: Location, ending: Ending) -> None:
    """
    Check that the ends of a workflow have effects that there are.
    """
    forwards = {pair.forward for pair in target.effects}
    for field, meanings in (("outcomes", ending.outcomes), ("statuses", ending.statuses)):
        for outcome, meaning in meanings.items():
            for effect in set(meaning.effects) - forwards:
                document.problem(
                    (*at, field, outcome, "effects"),
                    f'"{effect}" is not a forward effect of this target; {did_you_mean(effect, forwards)}',
                )


def _check_activities(document: Document, target: Target, name: str, workflow: Workflow) -> None:
    """
    Check that the activities of a workflow have effects that there are.
    """
    known = {effect for pair in target.effects for effect in (pair.forward, pair.compensation) if effect is not None}
    for activity, of in workflow.activities.items():
        if of.effect is not None and of.effect not in known:
            document.problem(
                ("workflows", name, "activities", activity, "effect"),
                f'"{of.effect}" is not an effect of this target; {did_you_mean(of.effect, known)}',
            )


def _check_start(document: Document, name: str, workflow: Workflow) -> None:
    """
    Check what is sent, and where.
    """
    for kind, of in workflow.kinds.items():
        filled = {"id", "kind", *of.vary}
        for unknown in sorted(placeholders(workflow.body) - filled):
            document.problem(
                ("workflows", name, "body"),
                f"{{{unknown}}} is filled in by nothing: kind {kind} does not `vary` it; "
                + did_you_mean(unknown, filled),
            )
    if isinstance(workflow.start, HttpStart):
        if not workflow.start.http.startswith("/"):
            document.problem(("workflows", name, "start", "http"), "a route starts with /")
        if workflow.start.id is not None:
            document.expression(("workflows", name, "start", "id"), workflow.start.id)


def _check_ends(document: Document, at: Location, ending: Ending, *, effects_needed: bool) -> None:
    """
    Check that the file says how an instance ends, and only once.
    """
    if ending.outcome is not None:
        document.expression((*at, "outcome"), ending.outcome)
        if not ending.outcomes:
            document.problem((*at, "outcome"), "what `outcome` may find, and what it means, is missing: `outcomes`")
        if "COMPLETED" in ending.statuses:
            document.problem(
                (*at, "statuses", "COMPLETED"),
                "where there is an `outcome`, it says what COMPLETED means, by `outcomes`",
            )
    elif ending.outcomes:
        document.problem(
            (*at, "outcomes"), "where the output has these words is missing: `outcome`, for example `result` or `@`"
        )
    elif effects_needed and "COMPLETED" not in ending.statuses:
        document.problem(
            at,
            "which effects an instance has that is COMPLETED is missing: `outcome` and `outcomes`, or "
            "`statuses: {COMPLETED: {ends: completed, effects: [...]}}`",
        )


def _check_versions(document: Document, target: Target) -> None:
    """
    Check that no two versions of a program are started alike: nothing could tell as which a process runs.
    """
    programs: list[tuple[Location, Program]] = [(("app",), target.app)]
    programs += [(("apps", name), app) for name, app in target.apps.items()]
    programs += [(("services", name), service) for name, service in target.services.items()]
    for at, program in programs:
        taken: dict[tuple[object, ...], str] = {}
        for name in program.versions:
            of = program.as_version(name)
            first = taken.setdefault((of.command, tuple(sorted(of.env.items()))), name)
            if first != name:
                document.problem(
                    (*at, "versions", name), f"it is started as {first} is; give it another `env` or `command`"
                )


def _check_services(document: Document, target: Target) -> None:
    """
    Check the names of services. The name of a service is the role of its node, so it must not be a role of the system.
    """
    for name, service in target.services.items():
        if service.health == WORKERS:
            document.problem(
                ("services", name, "health"), "a service has no sidecar, so no workers: a route, or `port`"
            )
        if names.is_reserved(name):
            document.problem(
                ("services", name), f'"{name}" is a role of the system\'s own; give the service another name'
            )
        elif not names.is_role(name):
            document.problem(
                ("services", name),
                f'"{name}" cannot be the name of a node: letters, digits, - and _, a letter first',
            )


def _check_apps(document: Document, target: Target) -> None:
    """
    Check the names of further applications, which are parts of the names of their nodes, and their app ids.
    """
    taken: dict[str, str] = {target.app_id: "the main application"}
    for name in target.apps:
        if not names.is_application(name):
            document.problem(
                ("apps", name),
                f'"{name}" cannot be a part of the name of a node: small letters and digits, words joined by -, a '
                "letter first in each; the app id may be another (`app_id`)",
            )
        app_id = target.app_ids[name]
        if app_id in taken:
            document.problem(("apps", name), f"its app id {app_id} is that of {taken[app_id]}, too; give `app_id`")
        taken[app_id] = name


def _check_effects(document: Document, target: Target) -> None:
    taken: set[str] = set()
    for index, pair in enumerate(target.effects):
        for side, effect in (("forward", pair.forward), ("compensation", pair.compensation)):
            if effect in taken:
                document.problem(("effects", index, side), f'"{effect}" is the name of another effect, too')
            if effect is not None:
                taken.add(effect)
    if target.effects and not target.ledgers:
        document.problem(("effects",), "where these effects can be read is missing: `ledgers`")
    if target.ledgers and not target.effects:
        document.problem(("ledgers",), "the effects that these ledgers keep are missing: `effects`")


def _absolute(target: Target, folder: Path) -> Target:
    def program(value: object) -> object:
        return value.model_copy(update={"workdir": (folder / value.workdir).resolve()})  # type: ignore[attr-defined]

    return target.model_copy(
        update={
            "app": program(target.app),
            "apps": {name: program(app) for name, app in target.apps.items()},
            "services": {name: program(service) for name, service in target.services.items()},
            "components": (folder / target.components).resolve() if target.components else None,
            "configuration": (folder / target.configuration).resolve() if target.configuration else None,
            "invariants": (folder / target.invariants).resolve() if target.invariants else None,
            "known": (folder / target.known).resolve() if target.known else None,
            "compose": (folder / target.compose).resolve() if target.compose else None,
        }
    )
