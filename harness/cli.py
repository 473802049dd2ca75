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

from harness.errors import EvidenceError, Exit, HarnessError, LeftError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
    *,
    as_json: Annotated[bool, typer.Option("--json", help="the whole plan, as plan.json holds it")] = False,
) -> None:
    """
    The exact timeline and targets of a scenario under a seed. Touches nothing.
    """
    made = _plan(scenario, seed, target=target, dapr_version=dapr_version, settings=settings)
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
    raise typer.Exit(_execute(plans[0], runs, attached=attached) if repeat == 1 else _repeat(plans, runs))


@app.command()
def replay(name: RunName, target: TargetFile = None, runs: Out = Path("runs")) -> None:
    """
    The same plan again, into a new run directory. The target is read from its own file, never from a run.
    """
    from harness import rundir
    from harness import scenario as scenarios
    from harness import target as targets

    made = rundir.find(runs, name).load_plan()
    here = targets.load(target or scenarios.REFERENCE_TARGET)
    raise typer.Exit(_execute(made.model_copy(update={"target": targets.same(made.target, here)}), runs))


def _repeat(plans: list[Plan], runs: Path) -> int:
    """
    Run one plan after the other, a line each, then k of n; return the worst exit code.
    """
    from harness import repeat
    from reports import words

    codes: list[int] = []
    results: list[Result | None] = []
    for made in plans:
        try:
            done = _one(made, runs, Console(quiet=True))
        except (UsageError, LeftError):
            raise
        except HarnessError as error:
            _say(f"seed {made.seed}: failed: {words.shortened(str(error), 300)}")
            codes.append(error.exit_code)
            results.append(None)
            continue
        codes.append(done.code)
        results.append(done.verdict.result)
        _say(f"seed {made.seed}: {words.in_brief(done.verdict)}  {done.folder.path}")
        if done.code == Exit.INTERRUPTED:
            break
    _say(f"{plans[0].scenario.name}: {repeat.summary(results)}")
    return repeat.worst(codes)


def _execute(made: Plan, runs: Path, *, attached: bool = False) -> int:
    """
    Run one plan and show what was found; return the exit code.
    """
    # Attached, standard output is the line to our parent.
    console = err if attached else out
    done = _one(made, runs, console, attached=attached)
    console.print(_summary(made, done.verdict, done.folder))
    return done.code


class Done(NamedTuple):
    """
    One run that was judged.
    """

    code: int
    verdict: Verdict
    folder: RunDir


def _one(made: Plan, runs: Path, console: Console, *, attached: bool = False) -> Done:
    """
    Run one plan into a new run directory and judge it.
    """
    from harness import rundir
    from harness import scenario as scenarios
    from harness.backends.processes import Processes
    from harness.faults.controller import refuse_unservable
    from harness.load.generators import Attached, Locust
    from harness.runner import Run
    from harness.runtime.locate import locate_all
    from harness.screen import Screen

    binaries = locate_all(made.dapr_version)
    folder = rundir.create(runs, made.scenario.name, made.seed)
    folder.save_plan(made)
    backend = Processes(made, folder, binaries)
    refuse_unservable(made, backend)
    generator = Attached(folder) if attached else Locust(folder, scenarios.FOLDER)
    with Screen(f"{made.scenario.name}, seed {made.seed}", console) as screen:
        screen.say(f"{folder.name}: {' '.join(made.scenario.claim.split())}")
        ended = Run(made, folder, backend, generator, screen).execute()
        screen.say("judging")
        verdict = _judge(folder, made)
    return Done(_code(verdict, interrupted=ended.interrupted), verdict, folder)


@app.command()
def sweep(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="one of the target's workflows")],
    seed: Seed = 1,
    target: TargetFile = None,
    activity: Annotated[str | None, typer.Option(help="only the crash points of this activity")] = None,
    dapr_version: DaprVersion = None,
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
    folder = runs / f"sweep-{workflow}-{seed}"
    made = sweeps.matrix(described, workflow, seed=seed, dapr_version=dapr_version or DAPR)
    made = sweeps.resumed(made, folder / drawing.DATA)
    cells = sweeps.todo(made, activity)
    if made.judged:
        _say(f"{folder}: {words.counts(made.counts())}; {words.count(len(cells), 'cell')} to run")

    def run_cell(cell: sweeps.Cell) -> sweeps.Ran:
        done = _one(
            _planned(sweeps.scenario(made, described, file, cell), described, seed, made.dapr_version),
            folder,
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
    """
    from rich.progress import track

    from harness import rundir
    from harness.checkers.selftest import DEFECTS, tried
    from harness.model import SelfTest

    folder = rundir.find(runs, name)
    made = folder.load_plan()
    result = SelfTest(
        defects=tuple(
            track(
                tried(made, folder.evidence),
                "planting",
                total=len(DEFECTS),
                console=err,
                transient=True,
                disable=not err.is_terminal,
            )
        )
    )
    folder.save_selftest(result)
    table = Table("", "defect", "table", "invariants that name it", box=None)
    for one in result.defects:
        mark = "-" if not one.planted else "✓" if one in result.caught else "✗"
        missed = [f"{name} (missed)" if one.planted and name not in one.caught else name for name in one.expected]
        table.add_row(
            mark, one.defect, one.table, ", ".join(missed) if one.planted else "no row of this run to plant it in"
        )
    out.print(table)
    out.print(
        f"{len(result.caught)} of {len(result.planted)} planted defects were caught by every invariant that names them"
    )
    raise typer.Exit(
        Exit.UNKNOWN if not result.planted else Exit.HOLDS if result.caught == result.planted else Exit.VIOLATED
    )


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
def down() -> None:
    """
    End whatever a dead run left running.
    """
    from harness.backends import guard

    found = guard.sweep()
    out.print(f"{found} processes of earlier runs were ended" if found else "nothing was left running")


@app.command()
def provision(dapr_version: DaprVersion = None) -> None:
    """
    Get daprd, placement, scheduler, Toxiproxy and Redis: what is here is used, the rest is downloaded or built.
    """
    from harness.runtime import provision as runtime
    from harness.runtime.versions import DAPR

    located = runtime.provision(dapr_version=dapr_version or DAPR, progress=_say)
    for name, found in located.items():
        _say(f"{name:18} {found.version:10} {found.path}  ({found.where})")


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
