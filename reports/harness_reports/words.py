"""
What all reports say in the same words: verdicts, end classes, times, counts, the command that repeats a run.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.checkers.gate import Decision, is_as_expected, unexpected
from harness.errors import Exit
from harness.model import Asked, FaultFinding, Finding, Known, Plan, Result, SelfTest, Verdict
from harness.rundir import PROCESSES
from harness.runtime.versions import DAPR

NOTHING = "\N{EN DASH}"
"""Shown if there is no value."""

_LONG = 999.5

Tone = Literal["holds", "unknown", "violated"]

MARKS: Mapping[Result, str] = {Result.HOLDS: "✓", Result.UNKNOWN: "?", Result.VIOLATED: "✗"}
"""One sign for each result, so that no result is shown only by a colour."""

ORDER: Mapping[Result, int] = {Result.VIOLATED: 0, Result.UNKNOWN: 1, Result.HOLDS: 2}
"""The order of results: first what a reader must see first."""


MEANING = (
    (
        "HOLDS means that, in this one run, every applicable invariant had something to examine and none found a "
        "counterexample in the evidence, that the run was thick enough, and that every fault was proved to be felt."
    ),
    (
        "It does not mean that there is no counterexample: other seeds, timings, loads, faults and versions were not "
        "tried, and nothing is said of effects that the target does not declare or its ledgers do not keep."
    ),
    "VIOLATED rests on the rows that are shown with each violation; UNKNOWN is not a pass, and says what was lacking.",
)
"""What a verdict says and does not say, for a reader who has only this report."""


@dataclass(frozen=True)
class EndClass:
    """
    One class in which an instance may end: how it is coloured, and what it means.
    """

    tone: Tone
    meaning: str


CLASSES: Mapping[str, EndClass] = {
    "completed": EndClass("holds", "made every effect that its outcome calls for, once, and compensated none"),
    "compensated": EndClass("holds", "compensated every effect that it had made, once"),
    "rejected": EndClass("holds", "ended by the workflow itself; no effect remains"),
    "refused": EndClass("holds", "the client was told no, and nothing happened"),
    "terminated": EndClass("holds", "a client ended it at once; what it had made by then may remain"),
    "purged": EndClass("holds", "a client had it forgotten, so the engine has nothing of it any more"),
    "paused": EndClass("holds", "a client paused it, and no later resume was acknowledged"),
    "never_started": EndClass("unknown", "the client was told nothing, and nothing happened"),
    "running": EndClass("unknown", "still ran when the run was cut short"),
    "undeclared": EndClass("unknown", "ended with an outcome that target.yaml does not declare"),
    "unclassified": EndClass("unknown", "the evidence does not decide how it ended"),
    "lost": EndClass("violated", "accepted, then no instance or no effect"),
    "stuck": EndClass("violated", "had not ended after the settle time"),
    "failed": EndClass("violated", "ended as FAILED or TERMINATED, which target.yaml does not allow"),
    "duplicated": EndClass("violated", "an effect happened more than once"),
    "half_compensated": EndClass("violated", "an effect was left that should have been compensated"),
    "over_compensated": EndClass("violated", "compensated more than was made"),
    "phantom": EndClass("violated", "effects, or an instance, that no client asked for"),
    "misordered": EndClass("violated", "effects in an order that the target rules out"),
    "contradiction": EndClass("violated", "engine and ledger disagree"),
}
"""The end classes in the order in which they are shown."""


def end_class(name: str) -> EndClass:
    """
    Return what is known about a class. For a class that is not known here, return that it is not known.
    """
    return CLASSES.get(name, EndClass("unknown", "a class that this report does not know"))


def in_order(names: Iterable[str], order: Iterable[str] = CLASSES) -> list[str]:
    """
    Return `names` in the order of `order` (by default that of the end classes). Names that are not in it come last.
    """
    place = {name: number for number, name in enumerate(order)}
    return sorted(names, key=lambda name: (place.get(name, len(place)), name))


def printable(text: str) -> str:
    """
    Return `text` with a space for every white-space character, and a sign for every other invisible character.
    Identifiers and error texts come from the system under test. A terminal would obey control characters, and XML
    forbids them.
    """
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def one_line(text: str) -> str:
    """
    Return `text` as one printable line.
    """
    return printable(" ".join(text.split()))


def shortened(text: str, most: int) -> str:
    """
    Return `text` as one line of at most `most` characters. If it was longer, it ends with an ellipsis.
    """
    read = text[: 4 * most]  # enough, and a text of a hundred megabytes takes no time
    line = one_line(read)
    return line if len(line) <= most and read == text else line[: most - 1].rstrip() + "…"


def tried(selftest: SelfTest) -> str:
    """
    What became of the defects that were planted in copies of a run's evidence, in a sentence.
    """
    return (
        f"Self-test of the checker: of {count(len(selftest.planted), 'defect')} planted in copies of this evidence, "
        f"{len(selftest.caught):,} were caught by every invariant that names them; "
        f"{len(selftest.alarms)} of {count(len(selftest.harmless), 'harmless change')} raised an alarm."
    )


def some(sentences: Sequence[str], most: int = 12) -> list[str]:
    """
    Return the first of these sentences, and one more that says how many are left out, if there are too many.
    """
    left = len(sentences) - most
    return [*sentences[:most], *([f"{left:,} more are in verdict.json."] if left > 0 else [])]


def took(seconds: float | None) -> str:
    """
    Return a duration (in seconds) with its unit, with three digits: `0.4 ms`, `12 ms`, `2.1 s`, `95.3 s`, `1,200 s`.
    """
    if seconds is None:
        return NOTHING
    number, unit = (seconds, "s") if abs(seconds) >= 1 else (seconds * 1000, "ms")
    return f"{number:.3g} {unit}" if abs(number) < _LONG else f"{number:,.0f} {unit}"


def at(seconds: float | None) -> str:
    """
    A point in time, in seconds after the load began, to the millisecond.
    """
    return NOTHING if seconds is None else f"{seconds:.3f} s"


def count(number: int, one: str, more: str | None = None) -> str:
    """
    A number with its noun: `1 instance`, `2,000 instances`.
    """
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def counts(of: Mapping[str, int]) -> str:
    """
    Several numbers, each with its name: `ok 640, unknown 12`.
    """
    return ", ".join(f"{name} {number:,}" for name, number in of.items())


def instances(verdict: Verdict) -> int:
    """
    Return the number of instances in the verdict.
    """
    return sum(verdict.classes.values())


def findings(verdict: Verdict) -> list[Finding]:
    """
    Return all findings, first those that a reader must see first.
    """
    return sorted(verdict.findings, key=lambda finding: ORDER[finding.result])


def by_result(verdict: Verdict, result: Result) -> list[Finding]:
    """
    The findings of one result.
    """
    return [finding for finding in verdict.findings if finding.result is result]


def headline(verdict: Verdict) -> str:
    """
    The verdict in a sentence.
    """
    total = len(verdict.findings)
    of = count(total, "invariant")
    match verdict.result:
        case Result.HOLDS:
            *first, last = verdict.rests_on or ("the evidence of the run",)
            rests_on = " and ".join(filter(None, (", ".join(first), last)))
            over = f"{of} over {count(instances(verdict), 'instance')}"
            return f"Every promise that was examined was kept, by {rests_on}: {over}{_left(verdict)}."
        case Result.VIOLATED:
            broken = len(by_result(verdict, Result.VIOLATED))
            told = f"A promise was broken: {broken} of {of} {'is' if broken == 1 else 'are'} violated"
            return f"{told}{_explained(verdict)}."
        case Result.UNKNOWN:
            held = len(by_result(verdict, Result.HOLDS))
            return f"This run cannot tell whether the promises were kept: {held} of {of} held."


def _left(verdict: Verdict) -> str:
    """
    How many invariants are not applicable; nothing if all are.
    """
    left = sum(len(each.invariants) for each in verdict.not_applicable)
    return f"; {left} {'is' if left == 1 else 'are'} not applicable" if left else ""


def _explained(verdict: Verdict) -> str:
    """
    How much of what is violated known findings explain; nothing if they explain none of it.
    """
    violated = by_result(verdict, Result.VIOLATED)
    explained = sum(finding.explained for finding in violated)
    rows = sum(finding.violations for finding in violated)
    if not explained:
        return ""
    return (
        ", and known findings explain all of it"
        if explained == rows
        else (f", and known findings explain {explained:,} of {count(rows, 'row')}")
    )


def expectation(verdict: Verdict) -> str | None:
    """
    Return in words what the scenario expected to be violated, and whether it was; None if it expected nothing.
    """
    if verdict.expect is None:
        return None
    known = f"{' and '.join(verdict.expect.violated)}: {verdict.expect.upstream}"
    match is_as_expected(verdict):
        case True:
            return f"Violated, as expected ({known})"
        case False if verdict.result is Result.HOLDS:
            return f"Not expected: it holds, although a violation is known ({known})"
        case False:
            others = unexpected(verdict)
            but = f"also violated {', '.join(others)}" if others else verdict.lacking[0]
            return f"Not as expected: {but} (known is {known})"
    return f"A violation was expected ({known})"


def known(met: Known) -> str:
    """
    A known finding that explains rows of this run, in a sentence.
    """
    known_as = [*met.upstream, *([f"mended in {met.fixed}"] if met.fixed else [])]
    title = met.title.removesuffix(".") + (f" ({', '.join(known_as)})" if known_as else "")
    return f"{met.name} explains {count(met.rows, 'row')}, shown by {count(met.instances, 'instance')}: {title}"


def gate(decision: Decision) -> str | None:
    """
    What the gate makes of a run, in a sentence; None if that is what the verdict says already.
    """
    if not decision.sentences:
        return None
    passes = "Passes" if decision.code == Exit.HOLDS else "Does not pass"
    return f"{passes}: {'; '.join(decision.sentences)}"


def in_brief(verdict: Verdict) -> str:
    """
    The verdict in half a line: `HOLDS  333 instances, 3 of 3 felt, longest recovery 4.2 s`.
    """
    result = (
        verdict.result.value + {None: "", True: ", as expected", False: ", not as expected"}[is_as_expected(verdict)]
    )
    told = [count(instances(verdict), "instance"), faults_felt(verdict)]
    if (longest := longest_recovery(verdict)) is not None:
        told.append(f"longest recovery {took(longest)}")
    broken = [finding.name for finding in by_result(verdict, Result.VIOLATED)]
    return f"{result}  {', '.join(told)}" + (f"; violated: {', '.join(broken)}" if broken else "")


def faults_felt(verdict: Verdict) -> str:
    """
    Return in words how many faults were proved to be felt.
    """
    if not verdict.faults:
        return "no faults"
    return f"{sum(fault.felt_after is not None for fault in verdict.faults)} of {len(verdict.faults)} felt"


def recovered(fault: FaultFinding) -> str:
    """
    Return in words how long it took until the throughput was steady again after a fault.
    """
    return "not told" if fault.recovery is None else took(fault.recovery)


def felt(fault: FaultFinding) -> str:
    """
    Return in words what followed a fault that was felt, in order: first failure, first success, recovery.
    """
    told = [f"felt after {took(fault.felt_after)}"]
    if fault.first_failure is not None:
        told.append(f"first failure {took(fault.first_failure)}")
        told.append("no success after it" if fault.first_success is None else f"success {took(fault.first_success)}")
    told.append(f"recovery {recovered(fault)}" + (f" ({fault.unrecovered})" if fault.unrecovered else ""))
    return ", ".join(told)


def overlapping(verdict: Verdict) -> str:
    """
    Return in words how many repeated executions began while another execution of the task ran; empty if none did.
    """
    return f", {verdict.overlapping_attempts:,} while another of their task ran" if verdict.overlapping_attempts else ""


def repeat(plan: Plan, backend: str = PROCESSES) -> str:
    """
    The command that repeats a run of `plan`, in the folder from which that was started.
    """
    asked = plan.asked or Asked(scenario=plan.scenario.name)
    words = ["harness", "run", asked.scenario, "--seed", str(plan.seed)]
    if asked.target is not None:
        words += ["--target", asked.target]
    for setting in asked.settings:
        words += ["--set", setting]
    if plan.defect is not None:
        words += ["--defect", plan.defect]
    if plan.dapr_version != DAPR:
        words += ["--dapr-version", plan.dapr_version]
    if backend != PROCESSES:
        words += ["--backend", backend]
    return shlex.join(words)


def longest_recovery(verdict: Verdict) -> float | None:
    """
    Return the longest known recovery time, in seconds; None if none is known.
    """
    return max((fault.recovery for fault in verdict.faults if fault.recovery is not None), default=None)
