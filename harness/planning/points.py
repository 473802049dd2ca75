"""
The points of an activity at which a fault can be aimed: those that somebody sees.
"""

from __future__ import annotations

from typing import get_args

from harness.errors import UsageError
from harness.model import Activity, ActivityPoint, Point, Scenario, Target
from harness.model.plan import AROUND
from harness.model.target import activities as of
from harness.planning.yamlfile import did_you_mean


def seen(target: Target, activity: Activity) -> tuple[Point, ...]:
    """
    Return the points that the application announces, or those that the taps see: around the body, and after an effect
    that is a call which passes the harness.
    """
    of_taps = {*AROUND, *(("after_effect",) if target.held_for(activity.effect) else ())}
    return tuple(point for point in get_args(Point) if target.points or point in of_taps)


def unseen(target: Target, activity: Activity, point: Point) -> str | None:
    """
    Return why nobody sees a point of an activity, and so what would change that; None if it is seen.
    """
    if point in seen(target, activity):
        return None
    why = f"target {target.name} announces no points (`points: true`, docs/target-contract.md)"
    if point == "after_effect":
        why += (
            ", and the activity has no `effect`"
            if activity.effect is None
            else f", and its effect {activity.effect} is not a call that passes the harness (a ledger `observed` or "
            "`calls`)"
        )
    return why


def refuse_unseen(scenario: Scenario, target: Target) -> None:
    """
    Raise UsageError if a fault is aimed at an activity that the target does not name, or at a point that nobody sees.
    """
    activities = of(target.workflows[name] for name in scenario.load.shares)
    for fault in scenario.faults:
        if not isinstance(fault.at, ActivityPoint):
            continue
        name = fault.at.activity
        if name not in activities:
            raise UsageError(
                f'scenario {scenario.name}: fault {fault.fault}: "{name}" is not an activity of '
                f"{scenario.load.started} that can be aimed at; {did_you_mean(name, activities)}"
            )
        if (why := unseen(target, activities[name], fault.at.point)) is not None:
            raise UsageError(
                f"scenario {scenario.name}: fault {fault.fault}: nobody sees {fault.at.point} of {name}: {why}; "
                f"without that a fault can be aimed at {', '.join(seen(target, activities[name]))}"
            )
