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
    """
    if verdict.result is Result.HOLDS and verdict.missed_levels:
        return Exit.GATE_MISSED
    return _CODES[verdict.result]
