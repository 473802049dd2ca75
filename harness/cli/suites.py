"""
The command that runs a suite.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import out, say
from harness.cli.options import Out
from harness.errors import Exit, LeftError, UsageError

if TYPE_CHECKING:
    from harness.suite import Case, Made


def suite(
    name: Annotated[str, typer.Argument(metavar="SUITE", help="a named suite, or the path of a YAML file")],
    runs: Out = Path("runs"),
    *,
    resume: Annotated[bool, typer.Option(help="go on with the newest suite of this name that has not ended")] = False,
) -> None:
    """
    Run what CI runs: scenarios with their seeds and gates in a time budget; one answer, one report for all of them.
    """
    from harness_reports import suite as drawing
    from harness_reports import words

    from harness import last, pipeline, rundir
    from harness import suite as suites
    from harness.planning import estimate
    from harness.planning import suite as reading

    last.forget(runs)
    described = reading.load(reading.find(name))
    planned = dict(suites.planned(described))
    for case, plan in planned.items():  # whatever can be refused is refused before the first run
        pipeline.backend_of(plan, pipeline.Place(case.backend))
    so_far = suites.SuiteRun(suite=described, cases=tuple(planned))
    folder = _unfinished(runs, described.name) if resume else rundir.new_folder(runs, f"suite-{described.name}")
    if resume:
        so_far = suites.resumed(so_far, planned, folder / drawing.DATA)
    told = pipeline.ToldSuite(planned, folder)
    excess = told.write(so_far)  # so that it can be gone on with, also if the first run is cut off
    expected = sum(case.expected for case in planned) - so_far.took
    say(f"{folder}: {words.count(len(planned) - len(so_far.ran), 'run')}, {estimate.told(expected)}")

    def make(case: Case) -> Made:
        with out.status(words.one_line(f"{case}: about {case.expected:.0f} s")):
            return pipeline.run_case(planned[case], folder, pipeline.Place(case.backend))

    interrupted = False
    try:
        for so_far in suites.go(so_far, make):  # noqa: B020 - each is the one before, and a run more
            excess = told.write(so_far)
            say(f"{len(so_far.ran)}/{len(so_far.cases)}  {drawing.in_brief(so_far.ran[-1])}")
    except LeftError as error:
        interrupted = True
        say(f"{error}; `harness suite {name} --resume` goes on")
    out.print(drawing.terminal(so_far, folder, excess))
    raise typer.Exit(Exit.INTERRUPTED if interrupted else suites.exit_code(so_far, excess))


def _unfinished(runs: Path, name: str) -> Path:
    """
    Return the folder of the newest suite of this name. Raises UsageError if there is none.
    """
    from harness_reports import suite as drawing

    of_name = re.compile(rf"\d{{8}}T\d{{6}}Z-suite-{re.escape(name)}(-\d+)?")
    found = sorted(file.parent for file in runs.glob(f"*/{drawing.DATA}") if of_name.fullmatch(file.parent.name))
    if not found:
        raise UsageError(f"there is no suite {name} in {runs} to go on with; leave --resume out")
    return found[-1].resolve()
