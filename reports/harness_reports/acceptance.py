"""
Three things that a reader must not mix up: what is true of a run, what could be judged of it, and what is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checkers.gate import Decision
from harness.errors import Exit
from harness.model import INTERRUPTED, Plan, Result, Verdict
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
_MOST_NAMES = 6


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


def of(plan: Plan, verdict: Verdict, decision: Decision) -> Three:
    """
    Return the three about one run.
    """
    return Three(_true(verdict), _judged(verdict), _accepted(plan, verdict, decision), decision.code)


def _true(verdict: Verdict) -> Told:
    others = tuple(reason for reason in verdict.reasons if reason not in verdict.lacking)
    return Told(_RESULTS[verdict.result], words.headline(verdict), others)


def _judged(verdict: Verdict) -> Told:
    """
    How much of what should be judged could be.
    """
    untold = words.by_result(verdict, Result.UNKNOWN)
    told = len(verdict.findings) - len(untold)
    whole = not untold and not verdict.lacking and not verdict.modified
    names = ", ".join(finding.name for finding in untold[:_MOST_NAMES])
    more = f" and {len(untold) - _MOST_NAMES} more" if len(untold) > _MOST_NAMES else ""
    return Told(
        "holds" if whole else "unknown",
        f"{told} of {words.count(len(verdict.findings), 'invariant')} could be judged, over "
        f"{words.count(words.instances(verdict), 'instance')}; faults: {words.faults_felt(verdict)}.",
        (
            *([f"Not decided: {names}{more}."] if untold else []),
            *verdict.lacking,
            *([f"Not as the run left it: {', '.join(verdict.modified)}."] if verdict.modified else []),
            *(
                ["Judged with a folder of the user's own, to try it: no gate takes this verdict."]
                if verdict.trial
                else []
            ),
        ),
    )


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
