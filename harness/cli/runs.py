"""
The commands that make runs, and clean up after them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from harness.cli.console import err, out, say
from harness.cli.options import (
    Backend,
    DaprVersion,
    Defect,
    Duration,
    Metrics,
    Name,
    Out,
    Overlays,
    Rate,
    RunName,
    Seed,
    Settings,
    StateStore,
    TargetFile,
)
from harness.errors import Exit, HarnessError, LeftError, NodeError, UsageError
from harness.names import BackendName

if TYPE_CHECKING:
    from harness.model import Plan
    from harness.pipeline import Place


def run(
    scenario: Name,
    seed: Seed = 1,
    rate: Rate = None,
    duration: Duration = None,
    target: TargetFile = None,
    dapr_version: DaprVersion = None,
    settings: Settings = None,
    defect: Defect = None,
    store: StateStore = None,
    backend: Backend = BackendName.PROCESSES,
    overlays: Overlays = None,
    metrics: Metrics = None,
    runs: Out = Path("runs"),
    *,
    repeat: Annotated[int, typer.Option(min=1, help="number of runs, with the seeds from --seed on")] = 1,
    attached: Annotated[bool, typer.Option(hidden=True, help="Locust started us and makes the load")] = False,
) -> None:
    """
    Run a scenario: bring the system up, load it, break it, heal it, collect evidence, judge, report.
    """
    from harness import last
    from harness.pipeline import Place
    from harness.planning.request import Request

    last.forget(runs)
    request = Request(scenario, target, dapr_version, defect, tuple(settings or ()), rate, duration, store)
    plans = [request.plan(number) for number in range(seed, seed + repeat)]
    place = Place(backend, tuple(overlays or ()), metrics=metrics)
    raise typer.Exit(_execute(plans[0], runs, place, attached=attached) if repeat == 1 else _repeat(plans, runs, place))


def replay(
    name: RunName,
    target: TargetFile = None,
    backend: Backend = BackendName.PROCESSES,
    overlays: Overlays = None,
    runs: Out = Path("runs"),
) -> None:
    """
    Run the plan of an earlier run again, into a new run directory. The target is read from its own file, never from a
    run.
    """
    from harness import last, rundir
    from harness.pipeline import Place
    from harness.planning import target as targets
    from harness.runtime import shipped

    planned = rundir.find(runs, name).load_plan()
    last.forget(runs)
    here = targets.load(target or shipped.TARGET)
    planned = planned.model_copy(update={"target": targets.same(planned.target, here)})
    raise typer.Exit(_execute(planned, runs, Place(backend, tuple(overlays or ()))))


def _repeat(plans: list[Plan], runs: Path, place: Place) -> int:
    """
    Run one plan after the other. Print one line for each, then k of n. Return the worst exit code.

    `latest` is then the worst run, the first of them if several are as bad.
    """
    from harness_reports import reported, terminal, words

    from harness import pipeline, rundir
    from harness.checkers import repeat

    told = pipeline.Told(runs, asked=len(plans))
    codes: list[int] = []
    for planned in plans:
        try:
            done = pipeline.run(planned, runs, place, Console(quiet=True))
        except HarnessError as error:
            told.add(reported.failed(planned, place.backend, error))
            if isinstance(error, UsageError | LeftError):
                raise
            say(f"seed {planned.seed}: failed: {words.shortened(str(error), 300)}")
            codes.append(error.exit_code)
            continue
        told.add(reported.judged(done.folder, planned, done.verdict))
        codes.append(done.code)
        say(f"seed {planned.seed}: {words.in_brief(done.verdict)}  {done.folder.path}")
        if done.code == Exit.INTERRUPTED:
            break
    verdicts = [run.verdict for run in told.runs]
    say(f"{plans[0].scenario.name}: {repeat.summary(None if each is None else each.result for each in verdicts)}")
    if spreads := repeat.spreads(filter(None, verdicts)):
        out.print(terminal.spreads(spreads))
    worst = told.runs[codes.index(repeat.worst(codes))]
    if worst.folder is not None:
        rundir.point_latest(rundir.RunDir(worst.folder))
    for sentence in pipeline.together(told.runs):
        say(f"does not pass: {sentence}")
        codes.append(Exit.VIOLATED)
    say(f"of all of them: {runs / rundir.SUMMARY}, {runs / rundir.JUNIT}")
    return repeat.worst(codes)


def _execute(planned: Plan, runs: Path, place: Place, *, attached: bool = False) -> int:
    """
    Run one plan and show what was found; return the exit code.
    """
    from harness_reports import reported

    from harness import pipeline

    # When attached, standard output is the channel to the parent process.
    console = err if attached else out
    told = pipeline.Told(runs, asked=1)
    try:
        done = pipeline.run(planned, runs, place, console, attached=attached)
    except HarnessError as error:
        told.add(reported.failed(planned, place.backend, error))
        raise
    told.add(reported.judged(done.folder, planned, done.verdict))
    console.print(pipeline.summary(planned, done.verdict, done.folder))
    return done.code


def sweep(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="one of the target's workflows")],
    seed: Seed = 1,
    target: TargetFile = None,
    activity: Annotated[str | None, typer.Option(help="only the crash points of this activity")] = None,
    dapr_version: DaprVersion = None,
    backend: Backend = BackendName.PROCESSES,
    runs: Out = Path("runs"),
) -> None:
    """
    A crash at every activity point of a workflow, each in a run of its own: a matrix of point x fault.

    If you run it again, it continues where it stopped, and repeats the cells without a clear verdict.
    """
    from harness_reports import sweep as drawing
    from harness_reports import words

    from harness import last, pipeline
    from harness import sweep as sweeps
    from harness.planning import plan as planning
    from harness.planning import target as targets
    from harness.runtime import shipped
    from harness.runtime.versions import DAPR

    last.forget(runs)  # a sweep has a report of its own, and no gate
    file = target or shipped.TARGET
    described = targets.load(file)
    elsewhere = "" if backend is BackendName.PROCESSES else f"-{backend}"
    folder = runs / f"sweep-{workflow}-{seed}{elsewhere}"
    release = dapr_version or DAPR
    so_far = sweeps.matrix(described, workflow, seed=seed, dapr_version=release)
    so_far = sweeps.resumed(so_far, folder / drawing.DATA)
    cells = sweeps.todo(so_far, activity)
    if so_far.judged:
        say(f"{folder}: {words.counts(so_far.counts())}; {words.count(len(cells), 'cell')} to run")

    def run_cell(cell: sweeps.Cell) -> sweeps.Ran:
        of_cell = sweeps.scenario(so_far, described, file, cell)
        plan_of_cell = planning.make(of_cell, described, seed=seed, dapr_version=so_far.dapr_version)
        done = pipeline.run(plan_of_cell, folder, pipeline.Place(backend), Console(quiet=True))
        return sweeps.Ran(done.verdict, done.folder.name, done.code == Exit.INTERRUPTED)

    try:
        for so_far, told in sweeps.go(so_far, cells, run_cell):  # noqa: B020 - each is the one before, and a cell more
            drawing.write(so_far, folder)
            say(f"{len(so_far.judged)}/{len(so_far.cells)}  {drawing.in_brief(told)}")
    finally:
        out.print(drawing.terminal(so_far, folder))
    raise typer.Exit(sweeps.exit_code(so_far, activity))


def up(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="whose load it is to be ready for")] = "baseline",
    target: TargetFile = None,
    dapr_version: DaprVersion = None,
    settings: Settings = None,
    defect: Defect = None,
    store: StateStore = None,
    backend: Backend = BackendName.PROCESSES,
    overlays: Overlays = None,
    runs: Out = Path("runs"),
) -> None:
    """
    Start the system for use by hand, and leave it up, without load and faults. `harness down` ends it.
    """
    from harness import pipeline, rundir
    from harness.planning.request import Request

    faulty = Request(scenario, target, dapr_version, defect, tuple(settings or ()), store=store).plan(1)
    planned = faulty.model_copy(update={"steps": ()})
    make = pipeline.backend_of(planned, pipeline.Place(backend, tuple(overlays or ()), judged=False))
    folder = rundir.create(runs, "up", planned.seed)
    folder.save_plan(planned)
    system = make(folder)
    endpoints = system.up(say)
    folder.save_endpoints(endpoints.model_dump_json(indent=2))
    folder.stands.touch()
    system.leave()
    for name, at in {**endpoints.apps, **endpoints.services}.items():
        say(f"{name:12} {at.url}")
    say(f"all addresses: {folder.path / 'endpoints.json'}; `harness down` ends it")
    say(f"load for it: HARNESS_LOAD={folder.path} locust -f scenarios")


def down(
    runs: Out = Path("runs"),
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="also whatever dead runs left anywhere on this machine")
    ] = False,
) -> None:
    """
    End the systems that `harness up` started. Runs in progress, and systems of another --out folder, are left alone.
    """
    from contextlib import ExitStack, closing, suppress

    from harness.backends import containers, guard
    from harness.rundir import RunDir, standing

    with ExitStack() as exits:
        engine = None
        mine = standing(runs)
        with suppress(NodeError):  # without an engine nothing is in one
            engine = exits.enter_context(closing(containers.connect()))
        if engine is None and (kept := [str(folder.path) for folder in mine if folder.backend == BackendName.COMPOSE]):
            raise NodeError(f"no Docker engine answers, and what is up there is left up: {', '.join(kept)}")
        doomed = {folder.path for folder in mine}
        if everything:
            found = guard.owners() | (containers.owners(engine) if engine else frozenset())
            doomed |= {run for run in found if not RunDir(run).stands.exists()}
        doomed -= guard.guarded()
        processes = sum(guard.end_run(run) for run in doomed)
        removed = sum(containers.remove(engine, run) for run in doomed) if engine else 0
    for run in doomed:
        RunDir(run).stands.unlink(missing_ok=True)
    say(f"{processes} processes ended, {removed} containers, networks and volumes removed")
