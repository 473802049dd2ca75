"""
How long a run will take.
"""

from __future__ import annotations

from harness.model import Plan

_IN_MINUTES = 120.0
_UP = 5.0
_DOWN = 13.0
"""
Seconds before the load begins, and from its end until the verdict, where all instances end quickly. Measured on two
cores with the reference target.
"""


def expected(plan: Plan) -> float:
    """
    Return how long a run of the plan will take if its instances end soon after the load: from the start of the command
    until the verdict, in seconds.
    """
    healed = max((step.at + step.hold for step in plan.steps), default=0.0)
    load = plan.scenario.load
    return _UP + max(load.duration + load.longest_after, healed) + _DOWN


def told(seconds: float) -> str:
    """
    Return a length of time (in seconds) in words: `about 55 s`, `about 4 min`.
    """
    if seconds < _IN_MINUTES:
        return f"about {max(seconds, 0):.0f} s"
    return f"about {seconds / 60:.0f} min"
