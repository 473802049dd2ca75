"""
Annotations: what GitHub shows above a job's log, one for each run that does not pass.

An annotation is a workflow command, a line `::error title=...::message` on standard output. The runner ends a value at
`::`, `,` or the line's end, so these are escaped as @actions/core does it (`packages/core/src/command.ts` in
actions/toolkit). Of one step GitHub shows at most ten errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checkers.repeat import WORST_FIRST
from harness.errors import Exit
from harness.model import Finding, Result, Verdict
from harness_reports import words
from harness_reports.reported import ReportedRun

MOST = 10
_MOST_LINES = 6
_MOST_LETTERS = 500
_TITLES = {Exit.SOFTWARE: "NO VERDICT", Exit.USAGE: "NO VERDICT", Exit.GATE_MISSED: "GATE MISSED"}


def lines(runs: Sequence[ReportedRun], over_runs: Sequence[str] = ()) -> list[str]:
    """
    Return at most MOST workflow commands, the worst first: what speaks against all runs together (`over_runs`), and
    each run that does not pass.
    """
    red = sorted((run for run in runs if not run.passes), key=lambda run: WORST_FIRST.index(run.decision.code))
    found = [_error("does not pass", [sentence]) for sentence in over_runs]
    found += [_error(_title(run), list(_told(run))) for run in red]
    if len(found) <= MOST:
        return found
    return [*found[: MOST - 1], _error(f"{len(found) - MOST + 1} more", ["the job's summary has all of them"])]


def _title(run: ReportedRun) -> str:
    result = _TITLES.get(run.decision.code) or run.decision.code.name
    return f"{result}: {run.plan.scenario.name}, seed {run.plan.seed}"


def _told(run: ReportedRun) -> Iterator[str]:
    yield from run.decision.sentences
    if run.verdict is not None:
        yield words.expectation(run.verdict) or words.headline(run.verdict)
        yield from (_finding(finding) for finding in words.by_result(run.verdict, Result.VIOLATED))
        yield from _lacking(run.verdict)


def _finding(finding: Finding) -> str:
    told = finding.witnesses[0].sentence if finding.witnesses else finding.claim
    return f"{finding.name} ({words.count(finding.violations, 'row')}): {told}"


def _lacking(verdict: Verdict) -> Iterator[str]:
    yield from verdict.missed_levels
    yield from verdict.lacking
    yield from (f"{each.name}: {each.reason}" for each in verdict.findings if each.result is Result.UNKNOWN)


def _error(title: str, told: Sequence[str]) -> str:
    shown = [words.shortened(line, _MOST_LETTERS) for line in told[:_MOST_LINES]]
    if len(told) > _MOST_LINES:
        shown.append(f"and {len(told) - _MOST_LINES} more")
    return f"::error title={_property(words.shortened(title, _MOST_LETTERS))}::{_data(chr(10).join(shown))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
