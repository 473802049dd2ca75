"""
The commands that prepare a machine, a folder for your own files, and an editor.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import out, say, say_json
from harness.cli.options import DaprVersion
from harness.errors import Exit

KeepBuildCache = Annotated[
    bool, typer.Option("--keep-build-cache", help="keep Go's caches for the next build; default: remove them")
]


def provision(
    dapr_version: DaprVersion = None,
    *,
    compose: Annotated[
        bool, typer.Option("--compose", help="only the Compose plugin, built and linked into ~/.docker/cli-plugins")
    ] = False,
    keep: KeepBuildCache = False,
) -> None:
    """
    Get daprd, placement, scheduler, Toxiproxy and Redis. What is here is used; the rest is downloaded or built.
    """
    from harness.runtime import gocache, plugin
    from harness.runtime import provision as runtime
    from harness.runtime.versions import DAPR

    with gocache.removed_afterwards(say, keep=keep):
        if compose:
            say(f"`docker compose` is {plugin.install(say)}")
            return
        located = runtime.provision(dapr_version=dapr_version or DAPR, progress=say)
    for name, found in located.items():
        say(f"{name:18} {found.version:10} {found.path}  ({found.where})")


def images_build(
    dapr_version: DaprVersion = None,
    overlays: Annotated[
        list[str] | None, typer.Option("--overlay", help="also what this overlay needs: tls, observability, postgres")
    ] = None,
    *,
    keep: KeepBuildCache = False,
) -> None:
    """
    Make local stand-ins for the official images, for machines that cannot pull images.
    """
    from harness.runtime import gocache
    from harness.runtime import images as runtime
    from harness.runtime.versions import DAPR

    with gocache.removed_afterwards(say, keep=keep):
        runtime.build(dapr_version=dapr_version or DAPR, overlays=overlays or (), progress=say)


def doctor(dapr_version: DaprVersion = None) -> None:
    """
    Show what is here, what is missing, and how to fix it.
    """
    from harness import faults, plugins
    from harness.checkers import invariant
    from harness.runtime import doctor as runtime
    from harness.runtime.versions import DAPR

    checks = [
        *runtime.doctor(dapr_version=dapr_version or DAPR),
        *(runtime.of_plugin("fault", each, faults.problem(each)) for each in plugins.found(plugins.FAULTS)),
        *(runtime.of_plugin("invariants", each, invariant.problem(each)) for each in plugins.found(plugins.INVARIANTS)),
    ]
    out.print(runtime.render(checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(Exit.SOFTWARE)


def init(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="a new or empty folder, for a copy of the reference target")
    ] = None,
    scenario: Annotated[str, typer.Option(help="with DIR: the named scenario to begin with")] = "baseline",
) -> None:
    """
    Describe the application in this folder: a target.yaml and a first scenario, from its dapr.yaml
    or compose file and its sources.

    With DIR, copy a scenario, the reference target and the compose files there, for changing.
    """
    from harness.planning import scenario as scenarios
    from harness.runtime import shipped

    if folder is None:
        _describe()
        return
    file = scenarios.find(scenario)
    for copied in shipped.copy_out(folder, file):
        say(str(copied))
    say(f"run it: harness run {folder / 'scenarios' / file.name}")


def _describe() -> None:
    from harness.errors import UsageError
    from harness.planning import describing

    known = describing.facts(Path())
    files = {"target.yaml": describing.target(known), "first.yaml": describing.SCENARIO}
    if there := [name for name in files if Path(name).exists()]:
        raise UsageError(f"{' and '.join(there)} is there already; `harness init` writes over nothing")
    for name, text in files.items():
        try:
            Path(name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{name} cannot be written: {error.strerror}") from error
        say(name)
    say("not known, so look at it in target.yaml:")
    for lack in describing.lacking(known):
        say(f"  {lack}")
    say("then: harness target check target.yaml && harness run first")


class Schema(StrEnum):
    """
    The files that people write, and those that programs read.
    """

    SCENARIO = "scenario"
    TARGET = "target"
    VERDICT = "verdict"
    SUITE = "suite"
    CAPACITY = "capacity"


def schema(of: Annotated[Schema, typer.Argument(help="of what")] = Schema.SCENARIO) -> None:
    """
    Print the JSON Schema of a scenario, a target.yaml or a suite, for editors, or of a verdict.json or a capacity.json,
    for programs.
    """
    from harness.capacity import result as capacities
    from harness.model import verdict
    from harness.planning import scenario as scenarios
    from harness.planning import suite as suites
    from harness.planning import target as targets

    made = {
        Schema.SCENARIO: scenarios.schema,
        Schema.TARGET: targets.schema,
        Schema.SUITE: suites.schema,
        Schema.VERDICT: verdict.schema,
        Schema.CAPACITY: capacities.schema,
    }
    say_json(json.dumps(made[of](), indent=2))
