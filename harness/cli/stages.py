"""
What several commands do: plan, run, judge, draw.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console, RenderableType

from harness.cli.options import Where
from harness.errors import Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.backends.base import Backend
    from harness.checkers.database import Opening
    from harness.model import Plan, Scenario, Target, Verdict
    from harness.rundir import RunDir


def plan_of(
    scenario: str,
    seed: int,
    *,
    target: Path | None = None,
    dapr_version: str | None = None,
    defect: str | None = None,
    settings: list[str] | None = None,
    rate: float | None = None,
    duration: str | None = None,
) -> Plan:
    """
    From the command line to a plan. Opens nothing but the two YAML files.
    """
    from harness import scenario as scenarios
    from harness import target as targets
    from harness.faults import FAMILIES
    from harness.runtime.versions import DAPR

    overrides = list(settings or [])
    if rate is not None:
        overrides.append(f"load.rate={rate}")
    if duration is not None:
        overrides.append(f"load.duration={duration}")
    read = scenarios.load(scenarios.find(scenario), FAMILIES, overrides)
    return planned(read, targets.load(target or read.target), seed, dapr_version or DAPR, defect)


def planned(read: Scenario, target: Target, seed: int, dapr_version: str, defect: str | None = None) -> Plan:
    """
    The plan of a scenario that was read. Raises UsageError if scenario and target do not fit each other.
    """
    from harness import plan
    from harness.faults import FAMILIES

    hits = {name: family.hits for name, family in FAMILIES.items()}
    return plan.make(read, target, hits, seed=seed, dapr_version=dapr_version, defect=defect)


class Place(NamedTuple):
    """
    Where a run is made.
    """

    backend: Where = Where.PROCESSES
    overlays: tuple[str, ...] = ()
    judged: bool = True


class Done(NamedTuple):
    """
    One run that was judged.
    """

    code: int
    verdict: Verdict
    folder: RunDir


def run_one(made: Plan, runs: Path, place: Place, console: Console, *, attached: bool = False) -> Done:
    """
    Run one plan into a new run directory and judge it.
    """
    from harness import rundir
    from harness import scenario as scenarios
    from harness.load.generators import Attached, Locust
    from harness.runner import Run
    from harness.screen import Screen

    make = backend_of(made, place)
    folder = rundir.create(runs, made.scenario.name, made.seed)
    folder.save_plan(made)
    folder.keep_invariants(made.target.invariants)
    generator = Attached(folder) if attached else Locust(folder, scenarios.FOLDER)
    with Screen(f"{made.scenario.name}, seed {made.seed}", console) as screen:
        screen.say(f"{folder.name}: {' '.join(made.scenario.claim.split())}")
        ended = Run(made, folder, make(folder), generator, screen).execute()
        screen.say("judging")
        verdict = judged(folder, made)
    return Done(code_of(verdict, interrupted=ended.interrupted), verdict, folder)


def backend_of(made: Plan, place: Place) -> Callable[[RunDir], Backend]:
    """
    What makes the backend of a run, once everything that can be refused beforehand is not.
    """
    from functools import partial

    from harness.faults.controller import refuse_unservable

    refuse_unservable(made, place.backend)
    if place.backend is Where.COMPOSE:
        from harness.backends import composefile
        from harness.backends.compose import Compose

        return partial(Compose, made, files=composefile.of(made, place.overlays, judged=place.judged))
    if place.overlays:
        raise UsageError("--overlay goes with --backend compose")
    from harness.backends.processes import Processes
    from harness.runtime.locate import locate_all

    return partial(Processes, made, binaries=locate_all(made.dapr_version))


def judged(
    folder: RunDir,
    made: Plan,
    modified: Sequence[str] = (),
    own: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    opening: Opening | None = None,
) -> Verdict:
    """
    Judge the evidence in a run directory, and keep the verdict and its reports there.
    """
    from harness.checkers.database import opened, silent
    from harness.checkers.judge import judge

    verdict = judge(
        folder.name,
        made,
        folder.evidence,
        modified,
        theirs=folder.invariants if folder.invariants.is_dir() else None,
        own=own,
        keep=folder.violations,
        progress=progress or silent,
        opening=opening or opened,
    )
    folder.save_verdict(verdict)
    draw(folder, made, verdict)
    return verdict


def draw(folder: RunDir, made: Plan, verdict: Verdict) -> None:
    """
    Write the reports of a verdict into the run directory.
    """
    from reports import html, junit, markdown

    html.write(made, verdict, folder.path)
    junit.write(verdict, folder.path)
    markdown.write(made, verdict, folder.path)


def summary(made: Plan, verdict: Verdict, folder: RunDir) -> RenderableType:
    """
    What the terminal shows of a verdict.
    """
    from reports import terminal

    return terminal.summary(made, verdict, folder.path)


def code_of(verdict: Verdict, *, interrupted: bool = False) -> int:
    """
    The exit code of a run that was judged.
    """
    from harness.gate import exit_code

    return Exit.INTERRUPTED if interrupted else exit_code(verdict)
