"""
Measures of runs in words: values with their units, differences with their intervals.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from harness.comparing.measures import Scale, Unit
from harness.comparing.result import Change, Measured
from harness_reports import words

_MOST_REASONS = 3
_MOST_LETTERS = 300

MARKS = {Change.WORSE: "✗", Change.BETTER: "✓", Change.NO_DIFFERENCE: "=", Change.NOT_ENOUGH: "?"}
"""One sign for each change, so that none is shown only by a colour."""


def value(number: float | None, unit: Unit) -> str:
    """
    Return a value with its unit: `12 ms`, `7.91 /s`, `0.3 %`, `1.2`.
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
        case Unit.COUNT:
            return _digits(number)


def difference(number: float | None, told: Measured, *, alone: bool = True) -> str:
    """
    Return a difference with its sign, on the scale of the measure: `+12 %`, `-30 points`, `+0.1 s`. Not `alone`: beside
    others, and without the unit if that is the same for all.
    """
    if number is None:
        return words.NOTHING
    if told.scale is Scale.DIFFERENCE and told.unit is not Unit.SHARE:
        return _sign(number) + value(abs(number), told.unit)
    unit = "%" if told.scale is Scale.RATIO else "points"
    return f"{_sign(number)}{_digits(100 * abs(number))}" + (f" {unit}" if alone else "")


def part(number: float) -> str:
    """
    Return a difference as a part of what it differs from: `+35 %`.
    """
    return f"{_sign(number)}{_digits(100 * abs(number))} %"


def interval(told: Measured) -> str:
    """
    Return the 95 % interval of the difference: `+8 to +16`; a dash if there is none.
    """
    if told.low is None or told.high is None:
        return words.NOTHING
    return f"{difference(told.low, told, alone=False)} to {difference(told.high, told, alone=False)}"


def effect(told: Measured) -> str:
    """
    Return the difference with its interval: `+12 % (+8 to +16)`.
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


def unusable(reasons: Sequence[str]) -> list[Text]:
    """
    Return for a terminal which run directories could not be read, and why: the first of them, and the number of others.
    """
    told = [f"not read: {words.shortened(why, _MOST_LETTERS)}" for why in reasons[:_MOST_REASONS]]
    more = len(reasons) - len(told)
    return [Text(each, style="yellow") for each in [*told, *([f"not read: {more} more"] if more else [])]]


def _sign(number: float) -> str:
    return "+" if number > 0 else "\N{MINUS SIGN}" if number < 0 else ""


def _digits(number: float) -> str:
    """
    Return a number with two digits, or all those before the point.
    """
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"  # noqa: PLR2004
