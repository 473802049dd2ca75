"""
From a verdict to an exit code. This policy is separate from the judging.
"""

from __future__ import annotations

from harness.errors import Exit
from harness.model import Result, Verdict

_CODES = {Result.HOLDS: Exit.HOLDS, Result.VIOLATED: Exit.VIOLATED, Result.UNKNOWN: Exit.UNKNOWN}


def exit_code(verdict: Verdict) -> Exit:
    """
    Return the exit code for a verdict. A missed service level counts only if the verdict is HOLDS.

    If a scenario expects a violation and exactly that is violated, the run passes. If it holds instead, the exit code
    is that of a violation, so that somebody notices.
    """
    as_expected = is_as_expected(verdict)
    if as_expected is not None:
        return Exit.HOLDS if as_expected else Exit.VIOLATED
    if verdict.result is Result.HOLDS and verdict.missed_levels:
        return Exit.GATE_MISSED
    return _CODES[verdict.result]


def is_as_expected(verdict: Verdict) -> bool | None:
    """
    Return whether exactly that is violated which the scenario expects, in a run that lacks nothing (every fault was
    felt, all evidence is there). None if the scenario expects nothing, if the verdict is UNKNOWN, or if the evidence
    was changed after the run.
    """
    if verdict.expect is None or verdict.result is Result.UNKNOWN or verdict.modified:
        return None
    return verdict.result is Result.VIOLATED and not verdict.lacking and not unexpected(verdict)


def unexpected(verdict: Verdict) -> list[str]:
    """
    Return the names of the violated invariants that the scenario does not expect to be violated.
    """
    allowed = set(verdict.expect.violated) if verdict.expect is not None else set()
    return [each.name for each in verdict.findings if each.result is Result.VIOLATED and each.name not in allowed]
