"""
A summary in Markdown (GitHub's flavour) of one or of many runs, for the step summary of a CI job or a comment.

GitHub refuses a step summary of more than 1 MiB as a whole ("Workflow commands for GitHub Actions", its documentation).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.checkers.repeat import WORST_FIRST
from harness.errors import Exit
from harness.files import write_whole
from harness.model import Finding, Plan, Result, Verdict
from harness_reports import costs, words
from harness_reports.reported import ReportedRun

LARGEST = 900_000
"""Bytes."""

_SIGNS = {Result.HOLDS: "✅", Result.UNKNOWN: "❔", Result.VIOLATED: "❌"}
_CODES = {
    Exit.VIOLATED: "violated",
    Exit.UNKNOWN: "cannot tell",
    Exit.GATE_MISSED: "service level missed",
    Exit.SOFTWARE: "failed",
    Exit.USAGE: "cannot be run",
    Exit.INTERRUPTED: "interrupted",
}
_MOST_FAULTS = 20
_MOST_REMARKS = 50
_MOST_RUNS = 300
_MOST_RED_RUNS = 30
_MOST_FINDINGS = 30
_MOST_INVARIANTS = 200
_ROOM_FOR_REMARK = 200
_MOST_LETTERS = 500


def write(runs: Sequence[ReportedRun], file: Path, over_runs: Sequence[str] = ()) -> None:
    """
    Write the summary of one run, or of several with a table of them. `over_runs` are the sentences of a gate about all
    of them, why they do not pass (`harness.checkers.gate.over_runs`).

    The file is never larger than LARGEST. What does not fit is left out, and this is said.
    """
    parts = _of_one(runs[0]) if len(runs) == 1 and not over_runs else _of_many(runs, over_runs)
    write_whole(file, _fitting(parts))


def _fitting(parts: Iterable[Iterable[str]]) -> str:
    """
    The parts, each as lines, of which the file may have as many as fit.
    """
    text, room, left_out = [], LARGEST - _ROOM_FOR_REMARK, 0
    for part in parts:
        lines = "".join(f"{line}\n" for line in part)
        size = len(lines.encode())
        if size <= room:
            text.append(lines)
            room -= size
        else:
            left_out += 1
    if left_out:
        text.append(f"\n{words.count(left_out, 'part')} of this summary did not fit; report.html has all.\n")
    return "".join(text)


def _of_many(runs: Sequence[ReportedRun], over_runs: Sequence[str]) -> Iterator[Iterable[str]]:
    """
    What all runs came to, a table of them, and then what does not pass, the worst first.
    """
    red = [run for run in runs if not run.passes]
    sign = "❌" if red or over_runs else "✅"
    yield [f"## {sign} {len(runs) - len(red):,} of {words.count(len(runs), 'run')} pass", ""]
    yield [*(f"- **does not pass**: {_text(sentence)}" for sentence in over_runs[:_MOST_REMARKS]), ""]
    shown = sorted(runs, key=_worst_first)[:_MOST_RUNS]
    yield _table(("", "scenario", "seed", "Dapr", "backend", "result", "gate", "took"), [_row(run) for run in shown])
    if len(shown) < len(runs):
        yield [f"The worst {len(shown):,} of {len(runs):,} runs are shown.", ""]
    for run in sorted(red, key=_worst_first)[:_MOST_RED_RUNS]:
        yield from _of_one(run)
        yield [""]
    if len(red) > _MOST_RED_RUNS:
        yield [f"Only the worst {_MOST_RED_RUNS} of {len(red):,} runs that do not pass are told.", ""]


def _worst_first(run: ReportedRun) -> int:
    return WORST_FIRST.index(run.decision.code)


def _row(run: ReportedRun) -> tuple[str, ...]:
    plan, verdict = run.plan, run.verdict
    defect = f", defect {plan.defect}" if plan.defect else ""
    return (
        "✅" if run.passes else "❌",
        _text(plan.scenario.name + defect),
        str(plan.seed),
        _text(plan.dapr_version),
        _text(run.backend),
        _text("failed" if verdict is None else words.in_brief(verdict)),
        "passes" if run.passes else f"**{_CODES[run.decision.code]}**",
        words.took(run.took),
    )


def _of_one(run: ReportedRun) -> Iterator[Iterable[str]]:
    plan, verdict = run.plan, run.verdict
    if verdict is None:
        yield [f"## ❌ no verdict: {_text(plan.scenario.name)}, seed {plan.seed}", ""]
        yield [*(f"- {_text(sentence)}" for sentence in run.decision.sentences[:_MOST_REMARKS]), ""]
    else:
        yield _head(run, verdict)
        yield _figures(plan, verdict)
        yield _faults(verdict)
        others = [finding for finding in words.findings(verdict) if finding.result is not Result.HOLDS]
        yield from map(_finding, others[:_MOST_FINDINGS])
        if len(others) > _MOST_FINDINGS:
            yield [f"And {len(others) - _MOST_FINDINGS:,} more, in report.html.", ""]
        yield _invariants(verdict)
        yield _not_applicable(verdict)
    defect = f", planted defect {_text(plan.defect)}" if plan.defect else ""
    yield [
        f"Dapr {_text(plan.dapr_version)}{defect}. The same again:",
        "",
        f"    {words.one_line(words.repeat(plan, run.backend))}",
    ]


def _head(run: ReportedRun, verdict: Verdict) -> Iterator[str]:
    yield f"## {_SIGNS[verdict.result]} {verdict.result.value}: {_text(verdict.scenario)}, seed {verdict.seed}"
    yield ""
    yield f"**{words.headline(verdict)}**"
    yield ""
    yield f"> {_text(verdict.claim)}"
    yield ""
    for sentence in (words.expectation(verdict), run.decision.sentences and f"Gate: {words.gate(run.decision)}"):
        if sentence:
            yield f"**{_text(sentence)}**"
            yield ""
    remarks = [f"known: {words.known(met)}" for met in verdict.known]
    remarks += [*verdict.reasons, *verdict.missed_levels, *verdict.notes]
    yield from (f"- {_text(remark)}" for remark in remarks[:_MOST_REMARKS])
    if len(remarks) > _MOST_REMARKS:
        yield f"- and {len(remarks) - _MOST_REMARKS:,} more, in report.html"
    if remarks:
        yield ""


def _figures(plan: Plan, verdict: Verdict) -> Iterator[str]:
    return _table(
        ("what", "how many"),
        [
            (
                f"instances ({_text(plan.target.name)})",
                f"{words.instances(verdict):,}: {_text(words.counts(verdict.classes))}",
            ),
            *(
                (f"of {_text(workflow)}", f"{sum(classes.values()):,}: {_text(words.counts(classes))}")
                for workflow, classes in (verdict.workflows if plan.scenario.load.workflows else {}).items()
            ),
            *((f"{_text(workflow)} took", costs.told(each)) for workflow, each in verdict.costs.items()),
            ("client calls", f"{sum(verdict.operations.values()):,}: {_text(words.counts(verdict.operations))}"),
            (
                "repeated attempts, which are allowed",
                f"{verdict.repeated_attempts:,} of {verdict.attempts:,}{words.overlapping(verdict)}",
            ),
            ("faults", words.faults_felt(verdict)),
            ("invariants that hold", f"{len(words.by_result(verdict, Result.HOLDS))} of {len(verdict.findings)}"),
        ],
    )


def _invariants(verdict: Verdict) -> Iterator[str]:
    yield "<details><summary>All invariants</summary>"
    yield ""
    yield from _table(
        ("", "invariant", "claim", "examined", "against it"),
        [
            (_SIGNS[each.result], _text(each.name), _text(each.claim), f"{each.examined:,}", f"{each.violations:,}")
            for each in words.findings(verdict)[:_MOST_INVARIANTS]
        ],
    )
    if len(verdict.findings) > _MOST_INVARIANTS:
        yield f"The first {_MOST_INVARIANTS} of {len(verdict.findings):,} are shown."
    yield "</details>"
    yield ""


def _not_applicable(verdict: Verdict) -> Iterator[str]:
    if verdict.not_applicable:
        yield "Not applicable, because the target offers no evidence for it:"
        yield ""
        yield from _table(
            ("not judged", "nothing tells", "to judge this too, give"),
            [
                (_text(", ".join(each.invariants)), _text(each.lacking), _text(each.give))
                for each in verdict.not_applicable
            ],
        )


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
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~$@])", r"\\\1", plain)
    return re.sub(r"^([-=:]|\d+(?=\.(\s|$)))", lambda begin: _as_text(begin[0]), escaped)


def _as_text(begin: str) -> str:
    """
    The begin of a line that would make it a list, a rule, a heading or, in a log, a workflow command, and now does not.
    """
    return f"{begin}\\" if begin.isdigit() else f"\\{begin}"
