"""
A summary in Markdown (GitHub's flavour), for the step summary of a CI job or a comment.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.checkers.gate import Decision
from harness.model import Finding, Plan, Result, Verdict
from harness.rundir import RunDir
from harness_reports import words

_SIGNS = {Result.HOLDS: "✅", Result.UNKNOWN: "❔", Result.VIOLATED: "❌"}
_MOST_FAULTS = 20
_MOST_LETTERS = 500


def write(plan: Plan, verdict: Verdict, run: Path, decision: Decision) -> Path:
    """
    Write `run/summary.md`; return its path.
    """
    file = run / "summary.md"
    file.write_text("\n".join(_lines(plan, verdict, run, decision)) + "\n", encoding="utf-8")
    return file


def _lines(plan: Plan, verdict: Verdict, run: Path, decision: Decision) -> Iterator[str]:
    defect = f", planted defect {_text(plan.defect)}" if plan.defect else ""
    yield f"## {_SIGNS[verdict.result]} {verdict.result.value}: {_text(verdict.scenario)}, seed {verdict.seed}"
    yield ""
    yield f"**{words.headline(verdict)}**"
    yield ""
    yield f"> {_text(verdict.claim)}"
    yield ""
    if (expected := words.expectation(verdict)) is not None:
        yield f"**{_text(expected)}**"
        yield ""
    if (accepted := words.gate(decision)) is not None:
        yield f"**Gate: {_text(accepted)}**"
        yield ""
    yield from (f"- known: {_text(words.known(met))}" for met in verdict.known)
    remarks = (*verdict.reasons, *verdict.missed_levels, *verdict.notes)
    yield from (f"- {_text(remark)}" for remark in remarks)
    if remarks:
        yield ""
    yield from _table(
        ("what", "how many"),
        [
            (
                f"instances ({_text(plan.target.name)})",
                f"{words.instances(verdict):,}: {_text(words.counts(verdict.classes))}",
            ),
            ("client calls", f"{sum(verdict.operations.values()):,}: {words.counts(verdict.operations)}"),
            (
                "repeated attempts, which are allowed",
                f"{verdict.repeated_attempts:,} of {verdict.attempts:,}{words.overlapping(verdict)}",
            ),
            ("faults", words.faults_felt(verdict)),
            ("invariants that hold", f"{len(words.by_result(verdict, Result.HOLDS))} of {len(verdict.findings)}"),
        ],
    )
    yield from _faults(verdict)
    for result in (Result.VIOLATED, Result.UNKNOWN):
        for finding in words.by_result(verdict, result):
            yield from _finding(finding)
    yield "<details><summary>All invariants</summary>"
    yield ""
    yield from _table(
        ("", "invariant", "claim", "examined", "against it"),
        [
            (_SIGNS[each.result], _text(each.name), _text(each.claim), f"{each.examined:,}", f"{each.violations:,}")
            for each in words.findings(verdict)
        ],
    )
    yield "</details>"
    yield ""
    yield f"Dapr {_text(plan.dapr_version)}{defect}. The same again:"
    yield ""
    yield f"    {words.one_line(words.repeat(plan, RunDir(run).backend))}"


def _faults(verdict: Verdict) -> Iterator[str]:
    if not verdict.faults:
        return
    shown = verdict.faults[:_MOST_FAULTS]
    yield from _table(
        ("step", "fault", "node", "applied", "felt after", "healed", "in flight", "failure", "success", "recovery"),
        [
            (
                f"#{fault.step}",
                _text(fault.fault),
                _text(fault.node),
                words.at(fault.at),
                "**not felt**" if fault.felt_after is None else words.took(fault.felt_after),
                words.at(fault.healed_at),
                f"{fault.in_flight:,}",
                words.took(fault.first_failure),
                words.took(fault.first_success),
                words.recovered(fault) + (f": {_text(fault.unrecovered)}" if fault.unrecovered else ""),
            )
            for fault in shown
        ],
    )
    if len(shown) < len(verdict.faults):
        yield f"The first {len(shown)} of {len(verdict.faults)} faults are shown."
        yield ""


def _explained(finding: Finding) -> str:
    return f"; known findings explain {finding.explained:,} of {finding.violations:,}" if finding.explained else ""


def _finding(finding: Finding) -> Iterator[str]:
    yield f"### {_SIGNS[finding.result]} {_text(finding.name)}"
    yield ""
    yield _text(finding.claim)
    yield ""
    if finding.reason is not None:
        yield _text(finding.reason)
        yield ""
    if finding.witnesses:
        more = finding.violations - 1
        yield (
            f"- {_text(finding.witnesses[0].sentence)}"
            + (f" (and {more:,} more)" if more > 0 else "")
            + _explained(finding)
        )
        yield ""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = list(head)
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _text(text: str) -> str:
    """
    Return a text from outside as Markdown that only shows it: no character has a special meaning.
    """
    plain = html.escape(words.shortened(text, _MOST_LETTERS), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~$@])", r"\\\1", plain)
