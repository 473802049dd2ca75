"""
A suite: its matrix of scenario x seed on the terminal, as JSON, and as one HTML file that works offline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.checkers.repeat import summary
from harness.errors import Exit
from harness.model import Result
from harness.suite import Case, Ran, SuiteRun, exit_code, waiting
from harness_reports import page, palette, words

DATA = "suite.json"
PAGE = "report.html"

_ANSWERS = {Exit.HOLDS: Result.HOLDS, Exit.VIOLATED: Result.VIOLATED, Exit.GATE_MISSED: Result.VIOLATED}
"""Exit code -> the result whose colour its answer has. That of every other exit code is UNKNOWN."""
_STYLES = {Exit.HOLDS: "green", Exit.VIOLATED: "red", Exit.GATE_MISSED: "red"}
_MOST_SENTENCES = 3
_MOST_LETTERS = 300


class Row(NamedTuple):
    """
    One row of the matrix: a scenario on a Dapr release and a backend, and its cases by seed.
    """

    title: str
    cases: dict[int, Case]


def write(suite: SuiteRun, folder: Path, excess: Sequence[str]) -> None:
    """
    Write `folder/suite.json` and `folder/report.html`, each completely or not at all.
    """
    page.write(folder, (DATA, suite), (PAGE, _html(suite, excess)))


def rows(suite: SuiteRun) -> list[Row]:
    """
    Return the rows of the matrix, in the order of the suite.
    """
    found: dict[tuple[int, str], Row] = {}
    for case in sorted(suite.cases, key=lambda case: (case.entry, case.seed)):
        row = Row(f"{case.scenario}{case.unusual}", {})
        found.setdefault((case.entry, case.dapr_version), row).cases[case.seed] = case
    return list(found.values())


def seeds(suite: SuiteRun) -> list[int]:
    """
    Return every seed of the suite, in ascending order: the columns of the matrix.
    """
    return sorted({case.seed for case in suite.cases})


def headline(suite: SuiteRun, excess: Sequence[str]) -> str:
    """
    Return the answer of the suite in a sentence.
    """
    passed = sum(ran.passes for ran in suite.ran)
    made = f"{passed} of {words.count(len(suite.ran), 'run')} {'passes' if passed == 1 else 'pass'}"
    lacking = sum(each.needed for each in waiting(suite))
    left = f"; {lacking} not run" if lacking else ""
    often = "; known findings were met too often" if excess else ""
    answer = "passes" if exit_code(suite, excess) is Exit.HOLDS else "does not pass"
    return f"Suite {suite.suite.name} {answer}: {made}{left}{often}."


def told(ran: Ran) -> str:
    """
    Return in a word what a run came to: its result, or `failed`.
    """
    return "failed" if ran.result is None else ran.result.value


def is_accepted(ran: Ran) -> bool:
    """
    Does a run pass although its verdict is not HOLDS?
    """
    return ran.passes and ran.result is not Result.HOLDS


def in_brief(ran: Ran) -> str:
    """
    Return a run in one line: `passes sidecar_kill, seed 3: HOLDS, 62.1 s`.
    """
    why = [words.shortened(sentence, _MOST_LETTERS) for sentence in ran.sentences[:1]]
    line = f"{'passes' if ran.passes else 'fails'} {ran.case}: {told(ran)}, {words.took(ran.took)}"
    return words.one_line(": ".join([line, *why]) if not ran.passes or is_accepted(ran) else line)


def terminal(suite: SuiteRun, folder: Path, excess: Sequence[str]) -> RenderableType:
    """
    Return the matrix for one screen; below it what does not pass, what was not run, and the path of the whole report.
    """
    table = Table("scenario", *map(str, seeds(suite)), box=None, padding=(0, 1, 0, 0))
    for row in rows(suite):
        table.add_row(row.title, *(_sign(suite, row.cases.get(seed)) for seed in seeds(suite)))
    bad = [ran for ran in suite.ran if not ran.passes]
    code = exit_code(suite, excess)
    return Group(
        Text(),
        table,
        Text(),
        *(Text(in_brief(ran), style=_STYLES.get(ran.code, "yellow")) for ran in bad),
        *(Text(words.one_line(sentence), style="red") for sentence in excess),
        *(Text(f"not run  {why}") for why in not_run(suite)),
        Text(headline(suite, excess), style=f"bold {_STYLES.get(code, 'yellow')}"),
        Text(words.printable(str(folder / PAGE)), style="bold"),
    )


def not_run(suite: SuiteRun) -> Iterator[str]:
    """
    Return which cases have no run, those of one reason in one line.
    """
    reasons: dict[str, list[Case]] = {}
    for each in waiting(suite):
        reasons.setdefault(each.why, []).append(each.case)
    for why, cases in reasons.items():
        more = f" and {words.count(len(cases) - 1, 'other')}" if len(cases) > 1 else ""
        yield f"{cases[0]}{more}: {why}"


def _sign(suite: SuiteRun, case: Case | None) -> Text:
    ran = None if case is None else suite.of(case)
    if ran is None:
        return Text("" if case is None else words.NOTHING, style="dim")
    sign = "!" if ran.result is None else words.MARKS[ran.result]
    return Text(sign, style="green" if ran.passes else _STYLES.get(ran.code, "yellow"))


def _html(suite: SuiteRun, excess: Sequence[str]) -> str:
    code = exit_code(suite, excess)
    return (
        page.environment()
        .get_template("suite.html.j2")
        .render(
            suite=suite,
            headline=headline(suite, excess),
            code=int(code),
            answer=_ANSWERS.get(code, Result.UNKNOWN),
            rows=[(row, summary(map(_result, _runs(suite, row)))) for row in rows(suite)],
            seeds=seeds(suite),
            excess=excess,
            not_run=list(not_run(suite)),
            explained=[ran for ran in suite.ran if ran.sentences and (not ran.passes or is_accepted(ran))],
            told=told,
            most=_MOST_SENTENCES,
            result=Result,
            palette=palette,
            style=page.style(),
            policy=page.policy(),
            words=words,
        )
    )


def _runs(suite: SuiteRun, row: Row) -> list[Ran]:
    return [ran for case in row.cases.values() if (ran := suite.of(case)) is not None]


def _result(ran: Ran) -> Result | None:
    return ran.result
