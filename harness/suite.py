"""
A suite: many runs, one after the other, and one answer for all of them.

Each run has a system of its own, which the run starts and ends, so that no run can change the result of the next.

The answer is that every run passes its scenario's gate. So one run that is violated decides its entry of the suite on
its Dapr release, and the other runs there are not made. In the other direction an entry can say what is enough: its
runs on a release stop once it is sure that only few of them would fail (`runs_that_suffice`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from harness.checkers.gate import Decision
from harness.checkers.repeat import worst
from harness.errors import EvidenceError, Exit, HarnessError, LeftError, UsageError
from harness.files import BY_HARNESS, read_up_to
from harness.model import Plan, Result, Value, Verdict
from harness.names import BackendName
from harness.planning.estimate import expected
from harness.planning.suite import Suite
from harness.rundir import RunDir
from harness.runtime.versions import DAPR

CONFIDENCE = 0.95


class Case(Value):
    """
    One run of a suite, before it is made. `entry` is the index of its entry in the suite. It will take about `expected`
    seconds.
    """

    entry: int
    scenario: str
    seed: int
    dapr_version: str
    backend: BackendName
    expected: float

    def __str__(self) -> str:
        """
        `sidecar_kill, seed 3`, and what is unusual.
        """
        return f"{self.scenario}, seed {self.seed}{self.unusual}"

    @property
    def unusual(self) -> str:
        """
        `, Dapr 1.17.0, compose`: the Dapr release and the backend, where they are not the usual ones.
        """
        release = "" if self.dapr_version == DAPR else f", Dapr {self.dapr_version}"
        backend = "" if self.backend is BackendName.PROCESSES else f", {self.backend}"
        return release + backend


class Ran(Value):
    """
    A case whose run was made: the exit code of its gate, the result of its verdict, and the name of its run directory.
    `result` and `run` are None if the run failed. `sentences` say why the exit code is what it is. `took` is in
    seconds.
    """

    case: Case
    code: Exit
    result: Result | None = None
    violated: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    run: str | None = None
    took: float

    @property
    def passes(self) -> bool:
        """
        Does the gate of its scenario let it pass?
        """
        return self.code is Exit.HOLDS


class Waiting(NamedTuple):
    """
    A case that has no run, and why. Is a run of it needed, and does it fit into what is left of the budget?
    """

    case: Case
    why: str
    needed: bool
    fits: bool


class SuiteRun(Value):
    """
    A suite so far: every case, and those that were run.
    """

    suite: Suite
    cases: tuple[Case, ...]
    ran: tuple[Ran, ...] = ()

    @property
    def took(self) -> float:
        """
        How long the runs took together, in seconds.
        """
        return sum(ran.took for ran in self.ran)

    def of(self, case: Case) -> Ran | None:
        """
        Return the run of a case; None if it has none.
        """
        return next((ran for ran in self.ran if ran.case == case), None)


class Made(NamedTuple):
    """
    The run of one case: its verdict, what the gate makes of it, and the name of its run directory.
    """

    verdict: Verdict
    decision: Decision
    run: str
    interrupted: bool = False


def planned(suite: Suite) -> list[tuple[Case, Plan]]:
    """
    Return every case of a suite with its plan, in the order in which they are run: first seeds first, so that each
    scenario has a run before any has its second.

    Raises UsageError if one of them cannot be planned, or if an entry has too few seeds for what is `enough`.
    """
    rounds: list[tuple[int, Case, Plan]] = []
    for number, entry in enumerate(suite.runs):
        where = f"suite {suite.name}, runs.{number} ({entry.scenario})"
        if entry.enough is not None and len(entry.seeds) < (needed := runs_that_suffice(entry.enough)):
            raise UsageError(f"{where}: enough: {entry.enough:g} takes {needed} runs, and seeds: {len(entry.seeds)}")
        for release in entry.dapr:
            request = suite.request(entry, release)
            for turn, seed in enumerate(entry.seeds):
                try:
                    plan = request.plan(seed)
                except UsageError as error:
                    raise UsageError(f"{where}: {error}") from error
                case = Case(
                    entry=number,
                    scenario=plan.scenario.name,
                    seed=seed,
                    dapr_version=release,
                    backend=entry.backend,
                    expected=expected(plan),
                )
                rounds.append((turn, case, plan))
    rounds.sort(key=lambda each: each[0])  # a stable sort: within a round the suite's own order stays
    return [(case, plan) for _, case, plan in rounds]


def resumed(fresh: SuiteRun, plans: Mapping[Case, Plan], file: Path) -> SuiteRun:
    """
    Return `fresh`, whose cases have these plans, with the runs that an earlier, unfinished suite left in `file`. Runs
    that failed are made again.

    Raises UsageError if the suite or what it runs has changed since, or if it has ended; EvidenceError if the file, or
    a run that it names, cannot be used.
    """
    try:
        before = SuiteRun.model_validate_json(read_up_to(BY_HARNESS, file))
    except OSError as error:
        raise EvidenceError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise EvidenceError(f"{file} was not written by this version of the harness: {error}") from error
    left = before.model_copy(update={"ran": tuple(ran for ran in before.ran if ran.run is not None)})
    if (before.suite, before.cases) != (fresh.suite, fresh.cases) or any(
        not _did(RunDir(file.parent / ran.run), plans[ran.case]) for ran in left.ran if ran.run is not None
    ):
        raise UsageError(f"suite {fresh.suite.name} has changed since {file.parent} was begun; begin it anew")
    if following(left) is None:
        raise UsageError(f"{file.parent} has ended, so nothing is left to go on with; leave --resume out")
    return left


def _did(run: RunDir, plan: Plan) -> bool:
    """
    Did a run do this plan? A plan says nothing of a tap before it is run.
    """
    did = run.load_plan()
    return did == plan.model_copy(update={"tap": did.tap})


def runs_that_suffice(share: float) -> int:
    """
    Return how many runs, all of which pass, make it 95 % sure that fewer than `share` of all runs fail.

    This is the sequential probability ratio test for "none fails" against "this share fails": the first failure decides
    for the second, and n passes have the likelihood ratio (1 - share) ** n (A. Wald, "Sequential tests of statistical
    hypotheses", Annals of Mathematical Statistics 16, 1945).
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-share))


def waiting(so_far: SuiteRun) -> Iterator[Waiting]:
    """
    Return the cases without a run, each with the reason, in the order in which they are run.
    """
    left = max(so_far.suite.budget - so_far.took, 0)
    for case in so_far.cases:
        if so_far.of(case) is None:
            settled = _settled(so_far, case)
            fits = case.expected <= left
            short = f"it takes about {case.expected:.0f} s, and {left:.0f} s of the budget were left"
            yield Waiting(case, settled or ("not run" if fits else short), needed=settled is None, fits=fits)


def _settled(so_far: SuiteRun, case: Case) -> str | None:
    """
    Return why no more runs of a case's entry are needed on its Dapr release; None if they are.
    """
    ran = [each for each in so_far.ran if (each.case.entry, each.case.dapr_version) == (case.entry, case.dapr_version)]
    decided = next((each for each in ran if each.code is Exit.VIOLATED), None)
    if decided is not None:
        return f"decided: {decided.case} does not pass"
    share = so_far.suite.runs[case.entry].enough
    passed = sum(each.passes for each in ran)
    if share is not None and passed >= runs_that_suffice(share):
        return f"enough: {passed} runs passed, so it is 95 % sure that fewer than {100 * share:g} % fail"
    return None


def following(so_far: SuiteRun) -> Case | None:
    """
    Return the case to run next: the first that is needed and fits into what is left of the budget.
    """
    return next((each.case for each in waiting(so_far) if each.needed and each.fits), None)


def go(so_far: SuiteRun, make: Callable[[Case], Made]) -> Iterator[SuiteRun]:
    """
    Run one case after the other. After each, return the suite so far.

    A case whose run fails is kept with its exit code, and the suite goes on. If the user interrupts a run, its case is
    not counted, and LeftError is raised. UsageError is passed on.
    """
    while (case := following(so_far)) is not None:
        began = time.monotonic()
        try:
            made = make(case)
        except (UsageError, LeftError):
            raise
        except HarnessError as error:
            ran = Ran(case=case, code=error.exit_code, sentences=(str(error),), took=time.monotonic() - began)
        else:
            if made.interrupted:
                raise LeftError("interrupted; the run that was under way is not counted")
            ran = _ran(case, made, time.monotonic() - began)
        so_far = so_far.model_copy(update={"ran": (*so_far.ran, ran)})
        yield so_far


def _ran(case: Case, made: Made, took: float) -> Ran:
    verdict = made.verdict
    return Ran(
        case=case,
        code=made.decision.code,
        result=verdict.result,
        violated=tuple(found.name for found in verdict.findings if found.result is Result.VIOLATED),
        known=tuple(met.name for met in verdict.known),
        sentences=made.decision.sentences or (*verdict.reasons, *verdict.missed_levels),
        run=made.run,
        took=round(took, 1),
    )


def exit_code(so_far: SuiteRun, excess: Sequence[str] = ()) -> Exit:
    """
    Return the exit code of a suite: the worst of its runs. A case that should have been run and was not counts as
    UNKNOWN. `excess` says which known findings all the runs together met more often than recorded.
    """
    codes = {ran.code for ran in so_far.ran}
    if excess:
        codes.add(Exit.VIOLATED)
    if not codes or any(each.needed for each in waiting(so_far)):
        codes.add(Exit.UNKNOWN)
    return worst(codes)
