"""
Measures of runs in words: values with their units, differences with their intervals.
"""

from __future__ import annotations

from harness.comparing.measures import Scale, Unit
from harness.comparing.result import Change, Measured, Side
from harness_reports import words

MARKS = {Change.WORSE: "✗", Change.BETTER: "✓", Change.NO_DIFFERENCE: "=", Change.NOT_ENOUGH: "?"}
"""One sign for each change, so that none is shown only by a colour."""


def value(number: float | None, unit: Unit) -> str:
    """
    Return a value with its unit: `12 ms`, `7.91 /s`, `0.3 %`, `0.012 an instance`.
    """
    if number is None:
        return words.NOTHING
    match unit:
        case Unit.SECONDS:
            return words.took(number)
        case Unit.SHARE:
            return f"{100 * number:.3g} %"
        case Unit.PER_SECOND:
            return f"{number:.3g} /s"
        case Unit.PER_INSTANCE:
            return f"{number:.3g} an instance"


def side(told: Side, unit: Unit) -> str:
    """
    Return the mean of one side, and from how many runs it is.
    """
    return f"{value(told.mean, unit)} ({len(told.values)})"


def difference(number: float | None, told: Measured) -> str:
    """
    Return a difference with its sign, on the scale of the measure: `+12 %`, `-30 points`, `+0.1 s`.
    """
    if number is None:
        return words.NOTHING
    sign = "+" if number > 0 else "\N{MINUS SIGN}" if number < 0 else ""
    size = abs(number)
    match told.scale:
        case Scale.RATIO:
            return f"{sign}{100 * size:.3g} %" if size < 10 else f"\N{MULTIPLICATION SIGN}{1 + number:.3g}"  # noqa: PLR2004
        case Scale.SHARE:
            return f"{sign}{100 * size:.3g} points"
        case Scale.DIFFERENCE:
            return f"{sign}{value(size, told.unit)}"


def interval(told: Measured) -> str:
    """
    Return the 95 % interval of the difference; a dash if there is none.
    """
    if told.low is None or told.high is None:
        return words.NOTHING
    return f"{difference(told.low, told)} to {difference(told.high, told)}"


def effect(told: Measured) -> str:
    """
    Return the difference with its interval: `+12 % (+8 % to +16 %)`.
    """
    if told.low is None:
        return difference(told.effect, told)
    return f"{difference(told.effect, told)} ({interval(told)})"


def chance(p: float | None) -> str:
    """
    Return a p-value.
    """
    if p is None:
        return words.NOTHING
    return f"{p:.2g}" if p >= 1e-4 else "<0.0001"  # noqa: PLR2004 - smaller ones are for nobody


def because(told: Measured) -> str:
    """
    Return in words what the change means: how large a difference is ruled out, or how many runs would be enough.
    """
    margin = difference(told.margin, told).removeprefix("+")
    match told.change:
        case Change.NO_DIFFERENCE if told.low is not None:
            return f"a difference of {margin} or more is ruled out"
        case Change.NOT_ENOUGH if told.needed is not None:
            return (
                f"neither a difference nor its absence is shown; about {words.count(told.needed, 'run')} a side would "
                f"find one of {margin}"
            )
        case Change.NOT_ENOUGH if told.low is not None:
            return "neither a difference nor its absence is shown"
    return ""
