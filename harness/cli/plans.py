"""
The commands that show what there is and what a run would do. They start nothing.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from harness.cli.console import out, say, say_json
from harness.cli.options import Backend, DaprVersion, Name, Seed, Settings, StateStore, TargetFile
from harness.names import BackendName


def list_scenarios(
    *, as_json: Annotated[bool, typer.Option("--json", help="whole claims, and what else is known")] = False
) -> None:
    """
    List the named scenarios and suites, and what each of them claims.
    """
    from harness_reports import words

    from harness.planning import scenario as scenarios
    from harness.planning import suite as suites

    named = [scenarios.load(scenarios.find(name)) for name in scenarios.names()]
    listed = [suites.load(suites.find(name)) for name in suites.names()]
    if as_json:
        told = {
            "scenarios": [
                {
                    "name": each.name,
                    "claim": " ".join(each.claim.split()),
                    "faults": sorted(
                        {fault.fault for fault in each.faults + (each.nemesis.faults if each.nemesis else ())}
                    ),
                    "workflows": [name for name in each.load.shares if name],
                    "load_seconds": each.load.duration,
                }
                for each in named
            ],
            "suites": [
                {"name": each.name, "claim": " ".join(each.claim.split()), "budget_seconds": each.budget}
                for each in listed
            ],
        }
        say_json(json.dumps(told, indent=2))
        return
    every = {
        "scenarios, for any target": {each.name: each.claim for each in named if "" in each.load.shares},
        "scenarios, for workflows of the reference target": {
            each.name: each.claim for each in named if "" not in each.load.shares
        },
        "suites": {each.name: each.claim for each in listed},
    }
    widest = max(len(name) for claims in every.values() for name in claims)
    for title, claims in every.items():
        say(title)
        for name, text in claims.items():
            claim = " ".join(text.split())
            say(f"{name:{widest}}  {words.shortened(claim, out.width - widest - 2) if out.is_terminal else claim}")
        say("")
    say("harness plan SCENARIO shows a whole claim and what would be done; harness list --json has all claims")


def plan(
    scenario: Name,
    seed: Seed = 1,
    target: TargetFile = None,
    dapr_version: DaprVersion = None,
    settings: Settings = None,
    store: StateStore = None,
    backend: Backend = BackendName.PROCESSES,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="the whole plan, as plan.json holds it")] = False,
) -> None:
    """
    Show the exact timeline and nodes of a scenario with a seed, the same on every backend. Starts nothing.
    """
    from harness.checkers.gate import refuse_unusable
    from harness.model.scenario import IN_FLIGHT_WITHIN
    from harness.planning import estimate, fitting
    from harness.planning.powers import refuse_unservable
    from harness.planning.request import Request

    planned = Request(scenario, target, dapr_version, settings=tuple(settings or ()), store=store).plan(seed)
    refuse_unservable(planned, backend)
    refuse_unusable(planned)
    if as_json:
        say_json(planned.model_dump_json(indent=2, by_alias=True))
        return
    load = planned.scenario.load
    out.print(
        f"{planned.scenario.name}, seed {seed}, Dapr {planned.dapr_version}: {' '.join(planned.scenario.claim.split())}"
    )
    out.print(f"load: {load.started} for {load.duration:g} s, {load.pace}, on {', '.join(planned.nodes)}")
    for name, requests in load.asked.items():
        out.print(*(f"requests to {name}: {request}" for request in requests), sep="\n")
    for fault in fitting.left_out(planned.scenario, planned.target):
        out.print(f"left out: {fault}, because target {planned.target.name} has no services")
    table = Table("step", "at", "fault", "nodes", "until", "settings", box=None)
    for step in planned.steps:
        settings_text = ", ".join(f"{key} {value}" for key, value in step.settings.items())
        if step.aim is None:
            at, nodes, until = f"{step.at:g} s", ", ".join(step.nodes), f"{step.at + step.hold:g} s"
        else:
            nodes = (" or " if step.aim.own else ", ").join(step.nodes)
            at, until = f"from {step.at:g} s, {step.aim}", f"{step.hold:g} s later"
        table.add_row(str(step.step), at, step.fault, nodes, until, settings_text)
    out.print(table if planned.steps else "no faults")
    least, settle = planned.scenario.checks.minimum.in_flight, planned.scenario.checks.settle
    if least and any(step.aim is None for step in planned.steps):
        out.print(
            f"a fault waits up to {IN_FLIGHT_WITHIN:g} s until {least} or more instances are in flight, "
            "and then ends as much later"
        )
    out.print(f"takes {estimate.told(estimate.expected(planned))}, up to {settle:g} s more if instances do not end")
