"""
The commands that judge saved evidence, and those that test the judge.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from harness.cli import console
from harness.cli.console import annotate, in_github_actions, out, say
from harness.cli.options import Out, RunName, RunNames
from harness.errors import EvidenceError, Exit, UsageError
from harness.files import is_there

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.checkers.database import Opening
    from harness.model import Plan, Verdict
    from harness.rundir import RunDir


class DatabaseName(StrEnum):
    """
    The databases that can answer the judge's queries.
    """

    DUCKDB = "duckdb"
    SPARK = "spark"


def check(
    name: RunName,
    runs: Out = Path("runs"),
    *,
    invariants: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a folder of your own invariants, in addition to the others")
    ] = None,
    known: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a folder of your own known findings, besides the others")
    ] = None,
    modified: Annotated[bool, typer.Option(help="judge evidence that is not as the run left it; never HOLDS")] = False,
    database: Annotated[
        DatabaseName, typer.Option(help="what answers the queries; `spark` is an extra")
    ] = DatabaseName.DUCKDB,
) -> None:
    """
    Judge a run again from its saved evidence, offline. The same evidence gives the same verdict.json.

    With --invariants or --known it is a trial: its verdict goes into the run's folder `trial`, and the run's own
    verdict and reports stay as they are.
    """
    from harness import pipeline, rundir
    from harness.checkers.gate import decide
    from harness.evidence import manifest

    folder = rundir.find(runs, name)
    changed = manifest.modified(folder)
    if changed and not modified:
        raise EvidenceError(
            f"{folder.path}: not as the run left it: {', '.join(changed)}; "
            "`--modified` judges what is there all the same, and says so in the verdict"
        )
    plan = folder.load_plan()
    with out.status("judging") as status, _opening(database) as opening:

        def progress(what: str, number: int, count: int) -> None:
            status.update(f"judging: {what} ({number} of {count})")

        verdict = pipeline.judge_again(folder, plan, changed, invariants, known, progress, opening)
    if invariants is not None:
        out.print(pipeline.summary_of_drafts(verdict, invariants, folder))
    out.print(pipeline.summary(plan, verdict, folder))
    raise typer.Exit(decide(plan, verdict).code)


@contextmanager
def _opening(name: DatabaseName) -> Iterator[Opening]:
    """
    Return what opens the database of a run. Raises UsageError if the extra that it needs is not installed.
    """
    from harness.checkers.database import open_database

    if name is DatabaseName.DUCKDB:
        yield open_database
        return
    lacking = [module for module in ("pyspark", "sqlglot") if find_spec(module) is None]
    if lacking:
        raise UsageError(
            f"--database spark needs {' and '.join(lacking)}, which an extra brings: "
            "pip install 'durable-workflow-harness[spark]'"
        )
    from harness.checkers import spark

    with spark.cluster() as opening:
        yield opening


def gate(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="run directories; default: all runs of the last command that made runs"
        ),
    ] = None,
    runs: Out = Path("runs"),
    *,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="add how often these runs met known findings to a file, for `gate.recorded`"),
    ] = None,
) -> None:
    """
    What the gate of their scenarios makes of runs that are judged: one exit code for all of them, the worst.

    In a job of GitHub Actions every run that does not pass becomes an annotation.
    """
    from harness_reports import annotations, reported, words

    from harness import last, pipeline, rundir
    from harness.checkers import repeat

    made = last.LastCommand(asked=len(names), runs=tuple(names)) if names else last.load(runs)
    folders = [rundir.find(runs, name) for name in made.runs]
    if twice := {folder.name for folder in folders if folders.count(folder) > 1}:
        raise UsageError(f"{', '.join(sorted(twice))}: a run counts once, and is named more than once")
    plans = [folder.load_plan() for folder in folders]
    judged = [reported.judged(folder, plan, _sound(folder, plan)) for folder, plan in zip(folders, plans, strict=True)]
    codes: list[int] = []
    for folder, run in zip(folders, judged, strict=True):
        codes.append(run.decision.code)
        brief = words.in_brief(run.verdict) if run.verdict else ""
        say(f"{'passes' if run.passes else 'fails'}  {folder.name}: {brief}")
        for sentence in run.decision.sentences:
            say(f"        {sentence}")
    against = [*pipeline.together(judged)]
    codes += [Exit.VIOLATED for _ in against]
    codes += [Exit.SOFTWARE for _ in made.failed]
    against += made.failed
    if not_made := made.asked - len(made.runs) - len(made.failed):
        against.append(f"{words.count(not_made, 'run')} of {made.asked} never came to an end")
        codes.append(Exit.UNKNOWN)
    for sentence in against:
        say(f"fails  {sentence}")
    if in_github_actions():
        annotate(annotations.lines(judged, against))
    if record is not None:
        left_out = pipeline.record([(run.plan, run.verdict) for run in judged if run.verdict], record)
        say(f"recorded in {record}" + (f", but for {', '.join(left_out)}: not sound" if left_out else ""))
    code = repeat.worst(codes)
    say(f"{words.count(made.asked, 'run')}: exit code {int(code)}")
    raise typer.Exit(code)


def pack(
    names: RunNames = None,
    runs: Out = Path("runs"),
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="the archive, or a folder for it; default: packed.tar.gz in --out"),
    ] = None,
    limit: Annotated[float, typer.Option(metavar="MB", min=0.1, help="the largest that it may be")] = 5.0,
) -> None:
    """
    Pack runs for keeping: all that their verdicts rest on and the reports, without `data/` and what finds no room.

    Unpacked in a folder, `harness check` and `harness gate` work there with `--out`.
    """
    from harness_reports import words

    from harness import last, rundir
    from harness import pack as packing

    made = tuple(names) if names else last.load(runs).runs
    folders = {folder.path: folder for folder in (rundir.find(runs, name) for name in made)}
    if not names and is_there(runs / rundir.LATEST / "plan.json"):  # also a run that failed, for its logs
        newest = rundir.find(runs, rundir.LATEST)
        folders[newest.path] = newest
    to = runs if to is None else to
    file = to / "packed.tar.gz" if to.is_dir() else to
    if not file.parent.is_dir():
        raise UsageError(f"{file} cannot be made: {file.parent} is not a folder; --to names a file in one, or one")
    try:
        packed = packing.pack(runs, list(folders.values()), file, round(limit * 1_000_000))
    except OSError as error:
        raise EvidenceError(f"{file} cannot be made: {error.filename}: {error.strerror}") from error
    say(f"{packed.file}: {packed.size / 1_000_000:.2f} MB, {words.count(len(folders), 'run')}")
    if packed.left_out:
        named = ", ".join(map(str, packed.left_out[:3]))
        say(f"without {len(packed.left_out)} files that find no room: {named}{', ...' if packed.left_out[3:] else ''}")
    if packed.size > limit * 1_000_000:
        say(f"larger than {limit:g} MB: so much is what the verdicts rest on; pack fewer runs, or allow more (--limit)")


def _sound(folder: RunDir, plan: Plan) -> Verdict:
    """
    The verdict of a run, if it is one on this plan, agrees with itself, and the evidence is as the run left it. Raises
    EvidenceError if not.
    """
    from harness.checkers import invariant
    from harness.evidence import manifest
    from harness.model import Result, worst

    verdict = folder.load_verdict()
    if changed := manifest.modified(folder):
        raise EvidenceError(f"{folder.path}: not as the run left it: {', '.join(changed)}; no gate lets that pass")
    lacking = (Result.UNKNOWN for _ in verdict.lacking)
    scenario = plan.scenario
    agrees = (verdict.scenario, verdict.seed, verdict.expect) == (scenario.name, plan.seed, scenario.expect)
    agrees &= verdict.result is worst([*(finding.result for finding in verdict.findings), *lacking])
    told = {finding.name for finding in verdict.findings}
    told.update(name for each in verdict.not_applicable for name in each.invariants)
    agrees &= told >= invariant.load(invariant.GENERAL).keys()
    agrees &= not any(finding.violations for finding in verdict.findings if finding.result is Result.HOLDS)
    if not agrees:
        raise EvidenceError(f"{folder.verdict} is not as the judge wrote it; run `harness check {folder.path}`")
    if verdict.trial:
        raise EvidenceError(
            f"{folder.path} was judged last with --known or --invariants, to try them; "
            f"run `harness check {folder.path}` without, for a verdict that a gate can take"
        )
    return verdict


def synth(
    instances: Annotated[int, typer.Argument(metavar="N", min=1, help="how many instances")],
    like: Annotated[str, typer.Option(metavar="RUN", help="the real run that is copied")],
    seed: Annotated[int, typer.Option(help="decides what is in the last copy, if that is incomplete")] = 1,
    runs: Out = Path("runs"),
) -> None:
    """
    Make evidence of N instances from copies of a real run, to test the checkers. Nothing is run.
    """
    from harness import rundir
    from harness.checkers import synth as synthetic

    with out.status(f"copying {like}"):
        folder, copied, measures = synthetic.make(rundir.find(runs, like), instances, seed, runs)
    table = Table("unit", "of", "real", "synthetic", "may differ by", box=None)
    for each in measures:
        table.add_row(each.unit, each.name, f"{each.real:.4f}", f"{each.synthetic:.4f}", f"{each.allowed:.4f}")
    out.print(table)
    say(f"{copied:,} instances; `harness check {folder.path}` judges them")


def report(
    name: RunName,
    runs: Out = Path("runs"),
    *,
    baseline: Annotated[
        str | None, typer.Option(metavar="RUN", help="a run whose figures are shown beside those of this one")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="open the report in your browser")] = False,
) -> None:
    """
    Draw the reports of a judged run again.
    """
    from harness import pipeline, rundir

    folder = rundir.find(runs, name)
    base = None if baseline is None else rundir.find(runs, baseline)
    pipeline.draw(folder, folder.load_plan(), folder.load_verdict(), base)
    file = folder.path / "report.html"
    out.print(str(file))
    if show:
        console.show(file.as_uri())


def serve(
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="a folder of run directories")] = Path("runs"),
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="on loopback; 0 takes any that is free")] = 0,
    show: Annotated[bool, typer.Option("--open", help="open the index in your browser")] = False,
) -> None:
    """
    Show an index of all runs in a folder, on loopback and read-only, until Ctrl-C.
    """
    from harness.running.interruption import Interruption
    from harness.serving import Server

    with Server(runs, port) as server:
        say(f"{runs} is served at {server.address} until Ctrl-C")
        if show:
            console.show(server.address)
        with suppress(KeyboardInterrupt), Interruption():  # also where a shell's background job ignores Ctrl-C
            server.serve_forever()
