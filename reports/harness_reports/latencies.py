"""
How long things took, in words.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.model import Latencies, Verdict
from harness_reports import words

NEVER = "never"


def title(of: Latencies) -> str:
    """
    What was measured: `start accepted`, `instance ended`, `activity pay_v1`, `turn of refund_v1`.
    """
    match of.measure:
        case "start":
            return "start accepted"
        case "end":
            return "instance ended"
        case "activity":
            return f"activity {of.name}"
        case "turn":
            return f"turn of {of.name}"


def time(seconds: float | None) -> str:
    """
    Return a time with its unit; `never` for one that is infinite.
    """
    return NEVER if seconds is None else words.took(seconds)


def steps(verdict: Verdict) -> Sequence[str]:
    """
    Return the numbers of the steps of the plan during which anything was measured, in order.
    """
    return sorted({step for each in verdict.latencies for step in each.steps}, key=int)
