"""
The summary on the terminal at the end of a run: one screen, at most 40 lines of 100 columns.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.checkers.gate import Decision
from harness.checkers.repeat import Spread
from harness.model import FaultFinding, Finding, NotApplicable, Plan, Result, Verdict
from harness.rundir import TRIAL, RunDir
from harness_reports import costs, words

_STYLES = {Result.HOLDS: "green", Result.UNKNOWN: "yellow", Result.VIOLATED: "red"}
_MOST_REASONS = 3
_MOST_LEVELS = 2
_MOST_KNOWN = 2
_MOST_NOTES = 2
_MOST_FAULTS = 5
_MOST_WORKFLOWS = 3
_MOST_FINDINGS = 3
_MOST_NOT_APPLICABLE = 5
_MOST_COMMAND = 500
_ONE_LINE = 84
_TWO_LINES = 150
"""Letters that fit next to the labels in two lines of 100 columns, if lines are broken between words."""


def summary(plan: Plan, verdict: Verdict, run: Path, decision: Decision) -> RenderableType:
    """
    Return the verdict for one screen, with the path of the whole report and the command that repeats the run.
    """
    style = _STYLES[verdict.result]
    head = Text.assemble(
        (f"{words.MARKS[verdict.result]} {verdict.result.value}", f"bold {style}"),
        f"  {words.shortened(plan.scenario.name, 40)}, seed {plan.seed}, Dapr {words.shortened(plan.dapr_version, 20)}",
        f", planted defect {words.shortened(plan.defect, 40)}" if plan.defect else "",
        no_wrap=True,
        overflow="ellipsis",
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, told in _rows(plan, verdict, run, decision):
        grid.add_row(label, told)
    return Group(Text(), head, Text(words.headline(verdict), style=style), Text(), grid, Text())


def _rows(plan: Plan, verdict: Verdict, run: Path, decision: Decision) -> Iterator[tuple[str, Text]]:
    yield "claim", Text(words.shortened(verdict.claim, _TWO_LINES))
    if (expected := words.expectation(verdict)) is not None:
        yield "expected", Text(words.shortened(expected, _TWO_LINES))
    if (accepted := words.gate(decision)) is not None:
        yield "gate", Text(words.shortened(accepted, _TWO_LINES), style="green" if decision.accepted else "red")
    yield from _listed(
        "known", (Text(words.shortened(words.known(met), _TWO_LINES)) for met in verdict.known), _MOST_KNOWN
    )
    yield from _listed("because", map(_sentence, verdict.reasons), _MOST_REASONS)
    missed = (Text(words.shortened(level, _ONE_LINE), style="red") for level in verdict.missed_levels)
    yield from _listed("missed", missed, _MOST_LEVELS)
    yield from _listed("note", map(_sentence, verdict.notes), _MOST_NOTES)
    yield "instances", _counted({name: verdict.classes[name] for name in words.in_order(verdict.classes)})
    yield "calls", _counted(verdict.operations)
    repeated = f"{verdict.repeated_attempts:,} of them repeated (allowed){words.overlapping(verdict)}"
    yield "attempts", Text(f"{verdict.attempts:,}, {repeated}")
    took = (Text(f"{words.shortened(name, 24)}: {costs.told(each)}") for name, each in verdict.costs.items())
    yield from _listed("took", took, _MOST_WORKFLOWS)
    yield "faults", Text(words.faults_felt(verdict))
    yield from _listed("", map(_fault, verdict.faults), _MOST_FAULTS)
    held = words.by_result(verdict, Result.HOLDS)
    examined = sum(finding.examined for finding in verdict.findings)
    yield "invariants", Text(f"{len(held)} of {len(verdict.findings)} hold, {examined:,} things examined")
    others = (finding for finding in words.findings(verdict) if finding.result is not Result.HOLDS)
    yield from _listed("", map(_finding, others), _MOST_FINDINGS)
    yield from _listed("not judged", map(_not_applicable, verdict.not_applicable), _MOST_NOT_APPLICABLE)
    if verdict.trial:
        told = f"in {words.printable(str(run / TRIAL))}; the run's own verdict and reports are as they were"
        yield "trial", Text(told, style="bold")
        return
    yield "report", Text(words.printable(str(run / "report.html")), style="bold")
    yield "again", Text(words.shortened(words.repeat(plan, RunDir(run).backend), _MOST_COMMAND), style="bold")


def drafts(verdict: Verdict, names: frozenset[str], run: Path) -> RenderableType:
    """
    Return what the user's invariants, which have these names, found: the rows that the verdict has of each, and where
    the others are.
    """
    lines: list[Text] = []
    for finding in verdict.findings:
        if finding.name in names:
            lines += [Text(), *_draft(finding, run / TRIAL)]
    for left in verdict.not_applicable:
        if not names.isdisjoint(left.invariants):
            told = f"{', '.join(left.invariants)} not judged: give {left.give}"
            lines += [Text(), Text(words.shortened(told, _MOST_COMMAND), style="yellow")]
    return Group(*lines)


def _draft(finding: Finding, kept: Path) -> Iterator[Text]:
    found = f"{words.count(finding.violations, 'row')} against it, {finding.examined:,} things examined"
    yield Text.assemble(
        (f"{words.MARKS[finding.result]} {words.shortened(finding.name, 40)} {finding.result.value}: ", "bold"),
        found,
        style=_STYLES[finding.result],
    )
    if finding.reason is not None:
        yield Text("  " + words.shortened(finding.reason, _MOST_COMMAND))
    for witness in finding.witnesses:
        yield Text("  " + words.shortened(witness.sentence, _MOST_COMMAND))
    if finding.violations > len(finding.witnesses):
        file = words.printable(str(kept / f"{finding.name}.parquet"))
        yield Text(f"  and {finding.violations - len(finding.witnesses):,} more in {file}")


def spreads(found: Iterable[Spread]) -> RenderableType:
    """
    Return a table of the times of the faults of several runs: the median, the longest, and how many are known.
    """
    table = Table("fault", "felt", "first failure", "first success", "recovery", box=None)
    for each in found:
        table.add_row(
            words.shortened(f"{each.fault} {each.role}", 36),
            f"{each.felt:,}",
            *(_spread(seconds) for seconds in (each.first_failure, each.first_success, each.recovery)),
        )
    return table


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return words.NOTHING
    return f"{words.took(statistics.median(seconds))}, at most {words.took(seconds[-1])} ({len(seconds):,})"


def _listed(label: str, lines: Iterable[Text], most: int) -> Iterator[tuple[str, Text]]:
    """
    Return the first lines, and how many more there are.
    """
    every = list(lines)
    for number, line in enumerate(every[:most]):
        yield label if number == 0 else "", line
    if len(every) > most:
        yield "", Text(f"and {len(every) - most:,} more, in the report", style="dim")


def _sentence(text: str) -> Text:
    return Text(words.shortened(text, _ONE_LINE))


def _counted(numbers: Mapping[str, int]) -> Text:
    """
    Return a sum and its parts. A part that is a violation is red.
    """
    told = Text(f"{sum(numbers.values()):,}: ")
    for place, (name, number) in enumerate(numbers.items()):
        bad = words.end_class(name).tone == "violated"
        told.append(", " if place else "")
        told.append(f"{words.shortened(name, 20)} {number:,}", style="red" if bad else "")
    return told


def _fault(fault: FaultFinding) -> Text:
    name = words.shortened(f"{fault.fault} {fault.node}", 36)
    if fault.felt_after is None:
        return Text.assemble(f"{name} at {words.at(fault.at)}: ", ("not felt", "yellow"))
    return Text(words.shortened(f"{name} at {words.at(fault.at)}: {words.felt(fault)}", _TWO_LINES))


def _not_applicable(left: NotApplicable) -> Text:
    told = f"{', '.join(left.invariants)}: to judge this too, give {left.give}"
    return Text(words.shortened(told, _TWO_LINES), style="dim")


def _finding(finding: Finding) -> Text:
    told = finding.reason or (finding.witnesses[0].sentence if finding.witnesses else finding.claim)
    return Text.assemble(
        (f"{words.MARKS[finding.result]} {words.shortened(finding.name, 40)} ", _STYLES[finding.result]),
        words.shortened(told, _TWO_LINES - min(40, len(finding.name))),
    )
