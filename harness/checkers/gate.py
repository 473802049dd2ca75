"""
From a verdict to an exit code: the policy, apart from the judging.
"""

from __future__ import annotations

from harness.errors import Exit
from harness.model import Result, Verdict

_CODES = {Result.HOLDS: Exit.HOLDS, Result.VIOLATED: Exit.VIOLATED, Result.UNKNOWN: Exit.UNKNOWN}


def exit_code(verdict: Verdict) -> Exit:
    """
    A missed service level only counts where correctness holds: it says nothing about a run that is not sound.

    What a scenario expects to be violated passes when just that is; when it holds, the exit code is that of a
    violation, so that somebody hears of it.
    """
    as_expected = is_as_expected(verdict)
    if as_expected is not None:
        return Exit.HOLDS if as_expected else Exit.VIOLATED
    if verdict.result is Result.HOLDS and verdict.missed_levels:
        return Exit.GATE_MISSED
    return _CODES[verdict.result]


def is_as_expected(verdict: Verdict) -> bool | None:
    """
    Is violated what the scenario expects, and nothing else, in a run that lacks nothing: every fault was felt, all the
    evidence is there? None where it expects nothing, or nothing can be told: also not of evidence that was changed
    after the run.
    """
    if verdict.expect is None or verdict.result is Result.UNKNOWN or verdict.modified:
        return None
    return verdict.result is Result.VIOLATED and not verdict.lacking and not unexpected(verdict)


def unexpected(verdict: Verdict) -> list[str]:
    """
    The names of the violated invariants that the scenario does not expect to be.
    """
    allowed = set(verdict.expect.violated) if verdict.expect is not None else set()
    return [each.name for each in verdict.findings if each.result is Result.VIOLATED and each.name not in allowed]
