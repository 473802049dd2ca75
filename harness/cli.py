"""
The command line. Every command is thin: read, call, draw, exit with a code that errors.Exit explains.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer
from rich.console import Console, RenderableType
from rich.table import Table

from harness.errors import EvidenceError, Exit, HarnessError, LeftError, NodeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.backends.base import Backend
    from harness.checkers.database import Opening
    from harness.model import Plan, Result, Scenario, Target, Verdict
    from harness.rundir import RunDir

app = typer.Typer(
    help="Proves that durable workflows keep their promises while everything around them breaks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console()
err = Console(stderr=True)

Name = Annotated[str, typer.Argument(metavar="SCENARIO", help="a named scenario, or the path of a YAML file")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="a run directory, or `latest`")]
Seed = Annotated[int, typer.Option(help="decides targets, arrivals and order values")]
TargetFile = Annotated[Path | None, typer.Option("--target", help="target.yaml of the system under test")]
DaprVersion = Annotated[str | None, typer.Option(help="Dapr release to run; default: the pinned one")]
Defect = Annotated[str | None, typer.Option(help="plant one of the target's defects")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="override a value of the scenario: path=value, e.g. load.rate=50"),
]
Rate = Annotated[float | None, typer.Option(help="starts a second; same as --set load.rate=...")]
Duration = Annotated[str | None, typer.Option(help="of the load, like 40s; same as --set load.duration=...")]


class Where(StrEnum):
    """
    The backends.
    """

    PROCESSES = "processes"
    COMPOSE = "compose"


BackendName = Annotated[Where, typer.Option("--backend", help="where the system runs")]
Overlays = Annotated[
    list[str] | None,
    typer.Option("--overlay", metavar="NAME", help="also what compose.NAME.yaml holds; only with --backend compose"),
]
Out = Annotated[Path, typer.Option("--out", help="folder that gets the run directories")]


def _plan(
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
    return _planned(read, targets.load(target or read.target), seed, dapr_version or DAPR, defect)


def _planned(read: Scenario, target: Target, seed: int, dapr_version: str, defect: str | None = None) -> Plan:
    from harness import plan
    from harness.faults import FAMILIES

    hits = {name: family.hits for name, family in FAMILIES.items()}
    return plan.make(read, target, hits, seed=seed, dapr_version=dapr_version, defect=defect)


@app.command("list")
def list_scenarios() -> None:
    """
    The named scenarios and what each of them claims.
    """
    from harness import scenario as scenarios
    from harness.faults import FAMILIES

    table = Table("scenario", "claim", box=None, padding=(0, 2, 1, 0))
    for name in scenarios.names():
        read = scenarios.load(scenarios.find(name), FAMILIES)
        table.add_row(name, " ".join(read.claim.split()))
    out.print(table)


@app.command()
def plan(
    scenario: Name,
    seed: Seed = 1,
    target: TargetFile = None,
    dapr_version: DaprVersion = None,
    settings: Settings = None,
    backend: BackendName = Where.PROCESSES,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="the whole plan, as plan.json holds it")] = False,
) -> None:
    """
    The exact timeline and targets of a scenario under a seed, the same on every backend. Touches nothing.
    """
    from harness.faults.controller import refuse_unservable

    made = _plan(scenario, seed, target=target, dapr_version=dapr_version, settings=settings)
    refuse_unservable(made, backend)
    if as_json:
        sys.stdout.write(made.model_dump_json(indent=2, by_alias=True) + "\n")
        return
    load = made.scenario.load
    out.print(f"{made.scenario.name}, seed {seed}, Dapr {made.dapr_version}: {' '.join(made.scenario.claim.split())}")
    out.print(f"load: {load.rate:g} starts/s of {load.workflow} for {load.duration:g} s on {', '.join(made.nodes)}")
    table = Table("at", "fault", "nodes", "until", "settings", box=None)
    for step in made.steps:
        settings_text = ", ".join(f"{key} {value}" for key, value in step.settings.items())
        if step.aim is None:
            at, nodes, until = f"{step.at:g} s", ", ".join(step.nodes), f"{step.at + step.hold:g} s"
        else:
            nodes = (" or " if step.aim.own else ", ").join(step.nodes)
            at, until = f"from {step.at:g} s, {step.aim}", f"{step.hold:g} s later"
        table.add_row(at, step.fault, nodes, until, settings_text)
    out.print(table if made.steps else "no faults")


@app.command()
def run(
    scenario: Name,
    seed: Seed = 1,
    rate: Rate = None,
    duration: Duration = None,
    target: TargetFile = None,
    dapr_version: DaprVersion = None,
    settings: Settings = None,
    defect: Defect = None,
    backend: BackendName = Where.PROCESSES,
    overlays: Overlays = None,
    runs: Out = Path("runs"),
    *,
    repeat: Annotated[int, typer.Option(min=1, help="so many runs, with the seeds from --seed on")] = 1,
    attached: Annotated[bool, typer.Option(hidden=True, help="Locust started us and makes the load")] = False,
) -> None:
    """
    Run a scenario: bring the system up, load it, break it, heal it, collect evidence, judge, report.
    """
    plans = [
        _plan(
            scenario,
            number,
            target=target,
            dapr_version=dapr_version,
            defect=defect,
            settings=settings,
            rate=rate,
            duration=duration,
        )
        for number in range(seed, seed + repeat)
    ]
    place = Place(backend, tuple(overlays or ()))
    raise typer.Exit(_execute(plans[0], runs, place, attached=attached) if repeat == 1 else _repeat(plans, runs, place))


@app.command()
def replay(
    name: RunName,
    target: TargetFile = None,
    backend: BackendName = Where.PROCESSES,
    overlays: Overlays = None,
    runs: Out = Path("runs"),
) -> None:
    """
    The same plan again, into a new run directory. The target is read from its own file, never from a run.
    """
    from harness import rundir
    from harness import scenario as scenarios
    from harness import target as targets

    made = rundir.find(runs, name).load_plan()
    here = targets.load(target or scenarios.REFERENCE_TARGET)
    made = made.model_copy(update={"target": targets.same(made.target, here)})
    raise typer.Exit(_execute(made, runs, Place(backend, tuple(overlays or ()))))


def _repeat(plans: list[Plan], runs: Path, place: Place) -> int:
    """
    Run one plan after the other, a line each, then k of n; return the worst exit code.
    """
    from harness import repeat
    from reports import terminal, words

    codes: list[int] = []
    results: list[Result | None] = []
    verdicts: list[Verdict] = []
    for made in plans:
        try:
            done = _one(made, runs, place, Console(quiet=True))
        except (UsageError, LeftError):
            raise
        except HarnessError as error:
            _say(f"seed {made.seed}: failed: {words.shortened(str(error), 300)}")
            codes.append(error.exit_code)
            results.append(None)
            continue
        codes.append(done.code)
        results.append(done.verdict.result)
        verdicts.append(done.verdict)
        _say(f"seed {made.seed}: {words.in_brief(done.verdict)}  {done.folder.path}")
        if done.code == Exit.INTERRUPTED:
            break
    _say(f"{plans[0].scenario.name}: {repeat.summary(results)}")
    if spreads := repeat.spreads(verdicts):
        out.print(terminal.spreads(spreads))
    return repeat.worst(codes)


def _execute(made: Plan, runs: Path, place: Place, *, attached: bool = False) -> int:
    """
    Run one plan and show what was found; return the exit code.
    """
    # Attached, standard output is the line to our parent.
    console = err if attached else out
    done = _one(made, runs, place, console, attached=attached)
    console.print(_summary(made, done.verdict, done.folder))
    return done.code


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


def _one(made: Plan, runs: Path, place: Place, console: Console, *, attached: bool = False) -> Done:
    """
    Run one plan into a new run directory and judge it.
    """
    from harness import rundir
    from harness import scenario as scenarios
    from harness.load.generators import Attached, Locust
    from harness.runner import Run
    from harness.screen import Screen

    backend = _backend(made, place)
    folder = rundir.create(runs, made.scenario.name, made.seed)
    folder.save_plan(made)
    generator = Attached(folder) if attached else Locust(folder, scenarios.FOLDER)
    with Screen(f"{made.scenario.name}, seed {made.seed}", console) as screen:
        screen.say(f"{folder.name}: {' '.join(made.scenario.claim.split())}")
        ended = Run(made, folder, backend(folder), generator, screen).execute()
        screen.say("judging")
        verdict = _judge(folder, made)
    return Done(_code(verdict, interrupted=ended.interrupted), verdict, folder)


def _backend(made: Plan, place: Place) -> Callable[[RunDir], Backend]:
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


@app.command()
def sweep(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="one of the target's workflows")],
    seed: Seed = 1,
    target: TargetFile = None,
    activity: Annotated[str | None, typer.Option(help="only the crash points of this activity")] = None,
    dapr_version: DaprVersion = None,
    backend: BackendName = Where.PROCESSES,
    runs: Out = Path("runs"),
) -> None:
    """
    A crash at every step point of a workflow, each in a run of its own: a matrix of step x fault.

    Run again, it goes on where it was left, and tries anew what came to no verdict.
    """
    from harness import scenario as scenarios
    from harness import sweep as sweeps
    from harness import target as targets
    from harness.runtime.versions import DAPR
    from reports import sweep as drawing
    from reports import words

    file = target or scenarios.REFERENCE_TARGET
    described = targets.load(file)
    elsewhere = "" if backend is Where.PROCESSES else f"-{backend}"
    folder = runs / f"sweep-{workflow}-{seed}{elsewhere}"
    made = sweeps.matrix(described, workflow, seed=seed, dapr_version=dapr_version or DAPR)
    made = sweeps.resumed(made, folder / drawing.DATA)
    cells = sweeps.todo(made, activity)
    if made.judged:
        _say(f"{folder}: {words.counts(made.counts())}; {words.count(len(cells), 'cell')} to run")

    def run_cell(cell: sweeps.Cell) -> sweeps.Ran:
        done = _one(
            _planned(sweeps.scenario(made, described, file, cell), described, seed, made.dapr_version),
            folder,
            Place(backend),
            Console(quiet=True),
        )
        return sweeps.Ran(done.verdict, done.folder.name, done.code == Exit.INTERRUPTED)

    try:
        for made, told in sweeps.go(made, cells, run_cell):  # noqa: B020 - each is the one before, and a cell more
            drawing.write(made, folder)
            _say(f"{len(made.judged)}/{len(made.cells)}  {drawing.in_brief(told)}")
    finally:
        out.print(drawing.terminal(made, folder))
    raise typer.Exit(sweeps.exit_code(made, activity))


class EngineName(StrEnum):
    """
    What can answer the judge's queries.
    """

    DUCKDB = "duckdb"
    SPARK = "spark"


@app.command()
def check(
    name: RunName,
    runs: Out = Path("runs"),
    *,
    invariants: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a folder of your own invariants, judged besides the others")
    ] = None,
    modified: Annotated[bool, typer.Option(help="judge evidence that is not as the run left it; never HOLDS")] = False,
    engine: Annotated[
        EngineName, typer.Option(help="what answers the queries; `spark` is an extra")
    ] = EngineName.DUCKDB,
) -> None:
    """
    Judge a run again from its saved evidence, offline. The same evidence gives the same verdict.json.
    """
    from harness import rundir
    from harness.evidence import manifest

    folder = rundir.find(runs, name)
    changed = manifest.modified(folder)
    if changed and not modified:
        raise EvidenceError(
            f"{folder.path}: not as the run left it: {', '.join(changed)}; "
            "`--modified` judges what is there all the same, and says so in the verdict"
        )
    made = folder.load_plan()
    with out.status("judging") as status, _engine(engine) as opening:

        def progress(what: str, number: int, count: int) -> None:
            status.update(f"judging: {what} ({number} of {count})")

        verdict = _judge(folder, made, changed, invariants, progress, opening)
    out.print(_summary(made, verdict, folder))
    raise typer.Exit(_code(verdict))


@app.command()
def selftest(name: RunName, runs: Out = Path("runs")) -> None:
    """
    Plant defects in copies of a run's evidence, and see whether the invariants that name them catch them.

    Harmless changes are made there, too: no invariant may take them for a violation.
    """
    from rich.progress import track

    from harness import rundir
    from harness.checkers.selftest import DEFECTS, HARMLESS, tried
    from harness.model import SelfTest

    folder = rundir.find(runs, name)
    made = folder.load_plan()
    result = SelfTest(
        defects=tuple(
            track(
                tried(made, folder.evidence),
                "planting",
                total=len(DEFECTS) + len(HARMLESS),
                console=err,
                transient=True,
                disable=not err.is_terminal,
            )
        )
    )
    folder.save_selftest(result)
    table = Table("", "defect", "table", "invariants that name it", box=None)
    for one in result.defects:
        mark = "-" if not one.planted else "✓" if one.caught == one.expected else "✗"
        missed = [f"{name} (missed)" if one.planted and name not in one.caught else name for name in one.expected]
        if one.harmless:
            missed = [f"{name} (false alarm)" for name in one.caught] or ["harmless: none"]
        table.add_row(
            mark, one.defect, one.table, ", ".join(missed) if one.planted else "no row of this run to plant it in"
        )
    out.print(table)
    out.print(
        f"{len(result.caught)} of {len(result.planted)} planted defects were caught by every invariant that names them"
    )
    out.print(f"{len(result.alarms)} of {len(result.harmless)} harmless changes raised an alarm")
    sound = result.caught == result.planted and not result.alarms
    raise typer.Exit(Exit.UNKNOWN if not result.planted else Exit.HOLDS if sound else Exit.VIOLATED)


@app.command()
def synth(
    instances: Annotated[int, typer.Argument(metavar="N", min=1, help="how many instances")],
    like: Annotated[str, typer.Option(metavar="RUN", help="the run whose shape it takes")],
    seed: Annotated[int, typer.Option(help="decides what is in the last copy, where that is a part of one")] = 1,
    runs: Out = Path("runs"),
) -> None:
    """
    Evidence of N instances in the shape of a real run, to try the checkers on. Nothing is run.
    """
    from harness import rundir
    from harness import synth as synthetic

    with out.status(f"copying {like}"):
        folder, made, measures = synthetic.make(rundir.find(runs, like), instances, seed, runs)
    table = Table("unit", "of", "real", "synthetic", "may differ by", box=None)
    for each in measures:
        table.add_row(each.unit, each.name, f"{each.real:.4f}", f"{each.synthetic:.4f}", f"{each.allowed:.4f}")
    out.print(table)
    _say(f"{made:,} instances; `harness check {folder.path}` judges them")


@app.command()
def report(name: RunName, runs: Out = Path("runs")) -> None:
    """
    Draw the reports of a judged run again.
    """
    from harness import rundir

    folder = rundir.find(runs, name)
    _draw(folder, folder.load_plan(), folder.load_verdict())
    out.print(str(folder.path / "report.html"))


class Schema(StrEnum):
    """
    The files that people write.
    """

    SCENARIO = "scenario"
    TARGET = "target"


@app.command()
def schema(of: Annotated[Schema, typer.Argument(help="scenario or target")] = Schema.SCENARIO) -> None:
    """
    The JSON Schema of the files that people write, for editors.
    """
    from harness import scenario as scenarios
    from harness import target as targets
    from harness.faults import FAMILIES

    made = scenarios.schema(FAMILIES) if of is Schema.SCENARIO else targets.schema()
    sys.stdout.write(json.dumps(made, indent=2) + "\n")


@app.command()
def up(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="whose load it is to be ready for")] = "baseline",
    target: TargetFile = None,
    dapr_version: DaprVersion = None,
    settings: Settings = None,
    defect: Defect = None,
    backend: BackendName = Where.PROCESSES,
    overlays: Overlays = None,
    runs: Out = Path("runs"),
) -> None:
    """
    Bring the system up for hand-driven use, and leave it up: no load, no faults. `harness down` ends it.
    """
    from harness import rundir

    planned = _plan(scenario, 1, target=target, dapr_version=dapr_version, settings=settings, defect=defect)
    made = planned.model_copy(update={"steps": ()})
    backend_of = _backend(made, Place(backend, tuple(overlays or ()), judged=False))
    folder = rundir.create(runs, "up", made.seed)
    folder.save_plan(made)
    system = backend_of(folder)
    endpoints = system.up(_say)
    folder.save_endpoints(endpoints.model_dump_json(indent=2))
    folder.stands.touch()
    system.leave()
    for name, at in {**endpoints.apps, **endpoints.services}.items():
        _say(f"{name:12} {at.url}")
    _say(f"all addresses: {folder.path / 'endpoints.json'}; `harness down` ends it")
    _say(f"load for it: HARNESS_LOAD={folder.path} locust -f scenarios")


@app.command()
def down(
    runs: Out = Path("runs"),
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="also whatever dead runs left anywhere on this machine")
    ] = False,
) -> None:
    """
    End what `harness up` left up. Runs that go on, and what is up from another folder, are left alone.
    """
    from contextlib import ExitStack, closing, suppress

    from harness.backends import containers, guard
    from harness.rundir import RunDir, standing

    with ExitStack() as exits:
        engine = None
        with suppress(NodeError):  # without an engine nothing is in one
            engine = exits.enter_context(closing(containers.connect()))
        doomed = {folder.path for folder in standing(runs)}
        if everything:
            found = guard.owners() | (containers.owners(engine) if engine else frozenset())
            doomed |= {run for run in found if not RunDir(run).stands.exists()}
        doomed -= guard.guarded()
        processes = sum(guard.sweep(run) for run in doomed)
        removed = sum(containers.remove(engine, run) for run in doomed) if engine else 0
    for run in doomed:
        RunDir(run).stands.unlink(missing_ok=True)
    _say(f"{processes} processes ended, {removed} containers, networks and volumes removed")


@app.command()
def provision(
    dapr_version: DaprVersion = None,
    *,
    compose: Annotated[
        bool, typer.Option("--compose", help="only the Compose plugin, built and linked into ~/.docker/cli-plugins")
    ] = False,
) -> None:
    """
    Get daprd, placement, scheduler, Toxiproxy and Redis: what is here is used, the rest is downloaded or built.
    """
    from harness.runtime import plugin
    from harness.runtime import provision as runtime
    from harness.runtime.versions import DAPR

    if compose:
        _say(f"`docker compose` is {plugin.install(_say)}")
        return
    located = runtime.provision(dapr_version=dapr_version or DAPR, progress=_say)
    for name, found in located.items():
        _say(f"{name:18} {found.version:10} {found.path}  ({found.where})")


images = typer.Typer(help="The container images that the Compose backend runs.", no_args_is_help=True)
app.add_typer(images, name="images")


@images.command("build")
def images_build(
    dapr_version: DaprVersion = None,
    overlays: Annotated[
        list[str] | None, typer.Option("--overlay", help="also what this overlay needs: tls, observability, postgres")
    ] = None,
) -> None:
    """
    Make local stand-ins for the official images, from binaries and packages of this machine, where none can be pulled.
    """
    from harness.runtime import images as runtime
    from harness.runtime.versions import DAPR

    runtime.build(dapr_version=dapr_version or DAPR, overlays=overlays or (), progress=_say)


@app.command()
def doctor(dapr_version: DaprVersion = None) -> None:
    """
    What is here, what is missing, and how to mend it.
    """
    from harness.runtime import doctor as runtime
    from harness.runtime.versions import DAPR

    checks = runtime.doctor(dapr_version=dapr_version or DAPR)
    out.print(runtime.render(checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(Exit.SOFTWARE)


def _say(line: str) -> None:
    out.print(line, highlight=False, markup=False, soft_wrap=True)


def _judge(
    folder: RunDir,
    made: Plan,
    modified: Sequence[str] = (),
    own: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    opening: Opening | None = None,
) -> Verdict:
    from harness.checkers.database import opened, silent
    from harness.checkers.judge import judge

    verdict = judge(
        folder.name,
        made,
        folder.evidence,
        modified,
        own=own,
        keep=folder.violations,
        progress=progress or silent,
        opening=opening or opened,
    )
    folder.save_verdict(verdict)
    _draw(folder, made, verdict)
    return verdict


@contextmanager
def _engine(name: EngineName) -> Iterator[Opening]:
    """
    What opens the database of a run. Raises UsageError if the extra that it needs is not installed.
    """
    from harness.checkers.database import opened

    if name is EngineName.DUCKDB:
        yield opened
        return
    lacking = [module for module in ("pyspark", "sqlglot") if find_spec(module) is None]
    if lacking:
        raise UsageError(
            f"--engine spark needs {' and '.join(lacking)}, which an extra brings: "
            "pip install 'durable-workflow-harness[spark]'"
        )
    from harness.checkers import spark

    with spark.cluster() as opening:
        yield opening


def _draw(folder: RunDir, made: Plan, verdict: Verdict) -> None:
    from reports import html, junit, markdown

    html.write(made, verdict, folder.path)
    junit.write(verdict, folder.path)
    markdown.write(made, verdict, folder.path)


def _summary(made: Plan, verdict: Verdict, folder: RunDir) -> RenderableType:
    from reports import terminal

    return terminal.summary(made, verdict, folder.path)


def _code(verdict: Verdict, *, interrupted: bool = False) -> int:
    from harness.gate import exit_code

    return Exit.INTERRUPTED if interrupted else exit_code(verdict)


def _complain(message: str) -> None:
    err.print(f"harness: {message}", style="red", highlight=False, markup=False, soft_wrap=True)


def main() -> NoReturn:
    """
    Entry point: errors become one clear message and an exit code, never a traceback.
    """
    try:
        code = app(standalone_mode=False)
    except HarnessError as error:
        _complain(str(error))
        code = error.exit_code
    except typer.TyperException as error:  # an unknown command, option or value
        _complain(f"{error.format_message()} (`harness --help` and `harness COMMAND --help` say what there is)")
        code = Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        code = Exit.INTERRUPTED
    sys.exit(code or Exit.HOLDS)
