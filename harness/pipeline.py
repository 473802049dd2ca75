"""
The chain of a run: plan -> run -> evidence -> verdict -> reports. The command line calls it, and prints.

What only a run needs (Docker, gRPC, Locust's host) is imported when one is made, and what draws plots when they are
drawn, so that every command starts quickly and the judge's memory is for the evidence.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness_reports import junit, markdown, reported, terminal
from harness_reports.reported import ReportedRun
from rich.console import Console, RenderableType

from harness import last, rundir
from harness.backends.base import Backend
from harness.checkers import invariant, known, rates
from harness.checkers.database import Opening, Progress, open_database, silent
from harness.checkers.gate import Decision, decide, over_runs, refuse_unusable, unexplained
from harness.checkers.judge import judge
from harness.errors import Exit, HarnessError, LeftError, UsageError, interruptible
from harness.model import Plan, Verdict
from harness.names import BackendName, Store
from harness.planning import estimate
from harness.rundir import RunDir
from harness.runtime import shipped

if TYPE_CHECKING:
    from harness.suite import Case, Made, Ran, SuiteRun


class Place(NamedTuple):
    """
    Where a run is made. `metrics` is the port of loopback that serves its metrics; None for none.
    """

    backend: BackendName = BackendName.PROCESSES
    overlays: tuple[str, ...] = ()
    judged: bool = True
    metrics: int | None = None


class Done(NamedTuple):
    """
    One run that was judged.
    """

    code: int
    verdict: Verdict
    folder: RunDir


def run(plan: Plan, runs: Path, place: Place, console: Console, *, attached: bool = False) -> Done:
    """
    Run one plan into a new run directory below `runs`, and judge it. With `attached` the Locust that started this
    process makes the load.

    Raises UsageError if the plan cannot be run there, HarnessError if the infrastructure fails, and LeftError if the
    user leaves it.
    """
    from harness.load.generators import Attached, Generator, Locust
    from harness.load.workers import Workers
    from harness.running.metrics import RunMetrics, served
    from harness.running.run import Run
    from harness.running.screen import Screen

    plan = plan.model_copy(update={"tap": True})
    make_backend = backend_of(plan, place)
    invariants = invariant.besides_general(plan.target)
    of_team = {} if plan.target.known is None else known.load(plan.target.known)
    with ExitStack() as exits:
        registry = None if place.metrics is None else exits.enter_context(served(place.metrics))
        folder = rundir.create(runs, plan.scenario.name, plan.seed)
        if registry is not None:
            registry.register(RunMetrics(folder.journals, folder.progress))
        folder.save_plan(plan)
        folder.keep_invariants(invariants)
        folder.keep_known({name: finding.query for name, finding in of_team.items()})
        generator: Generator = Locust(folder, shipped.SCENARIOS)
        if attached:
            generator = Attached(folder)
        elif plan.scenario.load.workers > 1:
            generator = Workers(folder, shipped.SCENARIOS, plan)
        screen = exits.enter_context(Screen(f"{plan.scenario.name}, seed {plan.seed}", console))
        screen.say(f"{folder.name}: {' '.join(plan.scenario.claim.split())}")
        screen.say(f"this takes {estimate.told(estimate.expected(plan))}")
        ended = Run(plan, folder, make_backend(folder), generator, screen).execute()
        screen.say("judging")
        try:
            with interruptible():
                verdict = judge_again(folder, plan)
        except KeyboardInterrupt:
            raise LeftError(f"interrupted while the run was judged; `harness check {folder.path}` judges it") from None
    return Done(Exit.INTERRUPTED if ended.interrupted else decide(plan, verdict).code, verdict, folder)


def backend_of(plan: Plan, place: Place) -> Callable[[RunDir], Backend]:
    """
    What makes the backend of a run. Raises UsageError for everything that can be refused before a run begins.
    """
    from harness.backends import store
    from harness.evidence import ledgers
    from harness.planning.powers import refuse_unservable

    refuse_unservable(plan, place.backend)
    refuse_unusable(plan)
    ledgers.refuse_unusable(plan.target)
    if place.backend is BackendName.COMPOSE:
        from harness.backends import composefile
        from harness.backends.compose import Compose

        return partial(Compose, plan, files=composefile.of(plan, place.overlays, judged=place.judged))
    if place.overlays:
        raise UsageError("--overlay goes with --backend compose")
    from harness.backends.processes import Processes
    from harness.runtime.locate import locate_all
    from harness.runtime.parts import for_postgres, parts

    of_store = parts
    if plan.store is Store.POSTGRES:
        store.refuse_without_driver()
        of_store = for_postgres
    return partial(Processes, plan, binaries=locate_all(plan.dapr_version, of_store))


def judge_again(
    folder: RunDir,
    plan: Plan,
    modified: Sequence[str] = (),
    drafts: Path | None = None,
    accepted: Path | None = None,
    progress: Progress = silent,
    opening: Opening = open_database,
) -> Verdict:
    """
    Judge the evidence in a run directory, and keep the verdict and its reports there.

    `drafts` is a folder of invariants, and `accepted` one of known findings, that the user adds to those that the run
    brings. With one of them it is a trial: its verdict and its rows go into the folder `trial`, and the run's own
    verdict and reports stay as they are.
    """
    # Only what lies in the run itself is read: its plan may name any folder, and a stranger may have made it.
    brought = plan.target.invariants is not None
    trial = drafts is not None or accepted is not None
    findings = known.load()
    if folder.known.is_dir():  # the run's own finding, or the user's, is meant where two have one name
        findings |= known.load(folder.known)
    if accepted is not None:
        of_user = known.load(accepted)
        known.refuse_unknown(accepted, of_user, _judged_by(folder, drafts))
        findings |= of_user
    verdict = judge(
        folder.name,
        plan,
        folder.evidence,
        modified,
        of_target=folder.invariants if brought or folder.invariants.is_dir() else None,
        drafts=drafts,
        keep=folder.path / rundir.TRIAL if trial else folder.violations,
        known=findings,
        progress=progress,
        opening=opening,
    )
    foreign = invariant.foreign(folder.invariants, folder.known)
    verdict = verdict.model_copy(update={"trial": trial, "notes": (*verdict.notes, *foreign)})
    if trial:
        beside = RunDir(folder.path / rundir.TRIAL)
        beside.path.mkdir(exist_ok=True)
        beside.save_verdict(verdict)
    else:
        folder.save_verdict(verdict)
        draw(folder, plan, verdict)
    return verdict


def _judged_by(folder: RunDir, drafts: Path | None) -> set[str]:
    """
    The names of the invariants that a run is judged by, with those of the user.
    """
    folders = [each for each in (folder.invariants, drafts) if each is not None and each.is_dir()]
    return set(invariant.load(invariant.GENERAL)).union(*(invariant.load(each) for each in folders))


def draw(folder: RunDir, plan: Plan, verdict: Verdict, base: RunDir | None = None) -> None:
    """
    Write the reports of a verdict into the run directory. The HTML has the figures of `base` beside those of the run.
    """
    from harness_reports import html

    run = reported.judged(folder, plan, verdict)
    html.write(plan, verdict, folder.path, run.decision, base)
    junit.write([run], folder.junit)
    markdown.write([run], folder.summary)


def summary(plan: Plan, verdict: Verdict, folder: RunDir) -> RenderableType:
    """
    What the terminal shows of a verdict, and of what the gate makes of it.
    """
    return terminal.summary(plan, verdict, folder.path, decide(plan, verdict))


def summary_of_drafts(verdict: Verdict, drafts: Path, folder: RunDir) -> RenderableType:
    """
    What the terminal shows of the invariants in the folder `drafts`, before everything else.
    """
    return terminal.drafts(verdict, frozenset(invariant.load(drafts)), folder.path)


class Told:
    """
    What one command tells CI systems of its runs, below the folder that gets their directories: `last.json`,
    `junit.xml` and `summary.md`, written anew with each run that is added, so that they are there when it is cut off.
    """

    def __init__(self, folder: Path, asked: int) -> None:
        self._folder, self._asked = folder, asked
        self.runs: list[ReportedRun] = []
        last.save(folder, last.LastCommand(asked=asked))

    def add(self, run: ReportedRun) -> None:
        """
        Tell of one more run, which was judged or failed.
        """
        self.runs.append(run)
        judged = tuple(each.folder.name for each in self.runs if each.folder is not None)
        failed = tuple(f"{each.label}: {each.decision.sentences[0]}" for each in self.runs if each.folder is None)
        last.save(self._folder, last.LastCommand(asked=self._asked, runs=judged, failed=failed))
        _write_for_ci(self.runs, together(self.runs), self._folder)


def together(runs: Sequence[ReportedRun]) -> Sequence[str]:
    """
    What the gate says against several runs together; nothing against one alone.
    """
    judged = [(run.plan, run.verdict) for run in runs if run.verdict is not None]
    return over_runs(judged) if len(runs) > 1 else ()


def _write_for_ci(runs: Sequence[ReportedRun], over: Sequence[str], folder: Path) -> None:
    junit.write(runs, folder / rundir.JUNIT, over)
    markdown.write(runs, folder / rundir.SUMMARY, over)


def record(runs: Sequence[tuple[Plan, Verdict]], file: Path) -> Sequence[str]:
    """
    Add to `file` how often these runs met known findings; make it if it is not there. Return the names of the runs that
    were left out, since they lack something or are violated by what nothing explains.

    Raises UsageError if the file is there and cannot be used, or cannot be written.
    """
    left_out = []
    found = rates.load(file) if file.exists() else rates.Rates({})
    for plan, verdict in runs:
        if verdict.lacking or unexplained(verdict):
            left_out.append(verdict.run)
        else:
            found = found.with_run(plan, verdict)
    rates.save(found, file)
    return left_out


def run_case(plan: Plan, folder: Path, place: Place) -> Made:
    """
    Run one case of a suite into a new run directory below `folder`. What its nodes kept on disk (over 100 MB) is
    deleted if it passes.

    Raises what `run` raises.
    """
    from harness.suite import Made

    done = run(plan, folder, place, Console(quiet=True))
    decision = decide(plan, done.verdict)
    if done.code is Exit.HOLDS:
        shutil.rmtree(done.folder.data, ignore_errors=True)
    return Made(done.verdict, decision, done.folder.name, interrupted=done.code is Exit.INTERRUPTED)


class ToldSuite:
    """
    What a suite tells: its reports in its own folder, and what CI systems and `harness gate` begin with beside it.
    Written anew with each run; each run's evidence is read once.
    """

    def __init__(self, plans: Mapping[Case, Plan], folder: Path) -> None:
        self._plans, self._folder = plans, folder
        self._runs: dict[Case, ReportedRun] = {}

    def write(self, so_far: SuiteRun) -> Sequence[str]:
        """
        Write all reports. Return which known findings the runs together met more often than recorded.
        """
        from harness_reports import suite as suite_report

        from harness.suite import waiting

        for ran in so_far.ran:
            if ran.case not in self._runs:
                self._runs[ran.case] = self._reported(ran)
        made = [self._runs[ran.case] for ran in so_far.ran]
        excess = together(made)
        needed = [each for each in waiting(so_far) if each.needed]
        not_made = [
            ReportedRun(self._plans[each.case], Decision(Exit.UNKNOWN, (each.why,)), each.case.backend)
            for each in needed
        ]
        suite_report.write(so_far, self._folder, excess)
        last.save(
            self._folder.parent,
            last.LastCommand(
                asked=len(so_far.ran) + len(needed),
                runs=tuple(f"{self._folder.name}/{ran.run}" for ran in so_far.ran if ran.run is not None),
                failed=tuple(f"{ran.case}: {ran.sentences[0]}" for ran in so_far.ran if ran.run is None),
            ),
        )
        for place in (self._folder, self._folder.parent):
            _write_for_ci([*made, *not_made], excess, place)
        return excess

    def _reported(self, ran: Ran) -> ReportedRun:
        plan = self._plans[ran.case]
        if ran.run is None:
            return reported.failed(plan, ran.case.backend, HarnessError("; ".join(ran.sentences)))
        folder = RunDir(self._folder / ran.run)
        return reported.judged(folder, plan, folder.load_verdict())
