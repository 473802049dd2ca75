"""
Three things that a reader must not mix up: what is true of a run, what could be judged of it, and what is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import filterfalse

from harness.checkers.gate import Decision
from harness.errors import Exit
from harness.model import INTERRUPTED, Plan, Result, SelfTest, Verdict
from harness_reports import words
from harness_reports.words import Tone

_MEANT = {
    Exit.HOLDS: "It passes",
    Exit.VIOLATED: "It does not pass: a promise was broken",
    Exit.UNKNOWN: "It does not pass: the run cannot tell",
    Exit.GATE_MISSED: "It does not pass: a service level was missed",
}
_TONES: dict[Exit, Tone] = {Exit.HOLDS: "holds", Exit.VIOLATED: "violated"}
_RESULTS: dict[Result, Tone] = {Result.HOLDS: "holds", Result.UNKNOWN: "unknown", Result.VIOLATED: "violated"}
_MOST_LETTERS = 300


@dataclass(frozen=True)
class Told:
    """
    One of the three: its sign and its colour, a sentence, and more sentences that belong to it.
    """

    tone: Tone
    sentence: str
    more: tuple[str, ...] = ()

    @property
    def result(self) -> Result:
        """
        The result that has this tone, for its sign.
        """
        return Result(self.tone.upper())


@dataclass(frozen=True)
class Three:
    """
    What is true, what could be judged, and what is accepted.
    """

    true: Told
    judged: Told
    accepted: Told
    code: Exit

    @property
    def differ(self) -> bool:
        """
        Is a run accepted whose promises were not seen to be kept, or not accepted although they were?
        """
        return (self.true.tone == "holds") is not (self.accepted.tone == "holds")


def of(plan: Plan, verdict: Verdict, decision: Decision, selftest: SelfTest | None = None) -> Three:
    """
    Return the three about one run. `selftest` is what became of defects planted in its evidence.
    """
    return Three(_true(verdict), _judged(verdict, selftest), _accepted(plan, verdict, decision), decision.code)


def _true(verdict: Verdict) -> Told:
    return Told(_RESULTS[verdict.result], words.headline(verdict), tuple(filter(_violated(verdict), _reasons(verdict))))


def _judged(verdict: Verdict, selftest: SelfTest | None) -> Told:
    """
    How much of what should be judged could be.
    """
    untold = words.by_result(verdict, Result.UNKNOWN)
    told = len(verdict.findings) - len(untold)
    whole = not untold and not verdict.lacking and not verdict.modified
    return Told(
        "holds" if whole else "unknown",
        f"{told} of {words.count(len(verdict.findings), 'invariant')} could be judged, over "
        f"{words.count(words.instances(verdict), 'instance')}; faults: {words.faults_felt(verdict)}.",
        (
            *(f"Not as the run left it: {file}." for file in verdict.modified),
            *(
                ["Judged with a folder of the user's own, to try it: no gate takes this verdict."]
                if verdict.trial
                else []
            ),
            *(words.shortened(sentence, _MOST_LETTERS) for sentence in verdict.lacking),
            *filterfalse(_violated(verdict), _reasons(verdict)),
            *([words.tried(selftest)] if selftest is not None else []),
        ),
    )


def _reasons(verdict: Verdict) -> list[str]:
    """
    Why a verdict is not HOLDS, but for what the run lacks.
    """
    return [words.shortened(reason, _MOST_LETTERS) for reason in verdict.reasons if reason not in verdict.lacking]


def _violated(verdict: Verdict) -> Callable[[str], bool]:
    """
    Return what tells a reason that speaks of a violation from one that says what could not be told.
    """
    names = tuple(f"{finding.name} is violated " for finding in words.by_result(verdict, Result.VIOLATED))
    return lambda reason: reason.startswith(names)


def _accepted(plan: Plan, verdict: Verdict, decision: Decision) -> Told:
    return Told(
        _TONES.get(decision.code, "unknown"),
        f"{_MEANT[decision.code]}. Exit code {int(decision.code)}.",
        tuple(_why(plan, verdict, decision)),
    )


def _why(plan: Plan, verdict: Verdict, decision: Decision) -> Iterator[str]:
    """
    Why the gate decides as it does. Service levels are told whether they were missed or not.
    """
    yield from decision.sentences
    if expectation := words.expectation(verdict):
        yield expectation
    gate = plan.scenario.gate
    asked = {
        "start": gate.start,
        "end": gate.end,
        "throughput": gate.throughput,
        "errors": gate.errors,
        "recovery": gate.recovery,
    }
    levels = [name for name, level in asked.items() if level is not None]
    if verdict.missed_levels:
        yield from (f"Service level missed: {level}" for level in verdict.missed_levels)
    elif levels:
        yield f"Every service level of the gate was met: {', '.join(levels)}."
    else:
        yield "The scenario's gate asks for no service level."
    if any(INTERRUPTED in reason for reason in verdict.lacking):
        yield "The run was interrupted: `harness run` itself ended with exit code 130."
