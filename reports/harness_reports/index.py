"""
The index of a folder of runs, as one page: verdicts, filters, trends, and links to what each run left.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from harness.model import Result
from harness_reports import page, palette, words
from harness_reports.shelf import Run, Shelf

_MOST_RUNS = 500
_MOST_IN_TREND = 60
_BROKEN = "not judged"

FILTERS: Mapping[str, str] = {
    "scenario": "Scenario",
    "result": "Result",
    "explained": "Violations explained",
    "dapr": "Dapr",
    "backend": "Backend",
}
"""The filters: name in the address -> name on the page."""


@dataclass(frozen=True)
class Trend:
    """
    The last runs of one scenario, the oldest first. `line` has the longest recovery of each as points of an SVG line.
    """

    scenario: str
    runs: tuple[Run, ...]
    hold: int
    line: str
    longest: float | None


def html(shelf: Shelf, name: str, wanted: Mapping[str, str]) -> str:
    """
    Return the page. `name` is that of the folder, and `wanted` are the values of the filters that were set.
    """
    chosen = {key: value for key in FILTERS if (value := wanted.get(key, ""))}
    shown = [run for run in shelf.runs if all(_value(run, key) == value for key, value in chosen.items())]
    return (
        page.environment()
        .get_template("index.html.j2")
        .render(
            name=name,
            shelf=shelf,
            shown=shown[:_MOST_RUNS],
            matching=len(shown),
            chosen=chosen,
            filters=FILTERS,
            choices={key: sorted({_value(run, key) for run in shelf.runs} - {""}) for key in FILTERS},
            trends=_trends(shown),
            address=address,
            palette=palette,
            style=page.style(),
            policy=page.policy(forms="'self'"),
            words=words,
            Result=Result,
        )
    )


def address(path: str, file: str) -> str:
    """
    Return the address of a file in the folder `path`; the empty path is the folder of all runs.
    """
    return "/" + "/".join(quote(os.fsencode(part), safe="") for part in (*path.split("/"), file) if part)


def _value(run: Run, key: str) -> str:
    match key:
        case "scenario":
            return run.scenario
        case "result":
            return run.result.value if run.result else _BROKEN
        case "explained":
            return run.explained or ""
        case "dapr":
            return run.dapr
        case _:
            return run.backend


def _trends(runs: Sequence[Run]) -> list[Trend]:
    of: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.result is not None:
            of[run.scenario].append(run)
    return [_trend(scenario, of[scenario][:_MOST_IN_TREND][::-1]) for scenario in sorted(of)]


def _trend(scenario: str, runs: Sequence[Run]) -> Trend:
    known = [(number, run.recovery) for number, run in enumerate(runs) if run.recovery is not None]
    longest = max((recovery for _, recovery in known), default=None)
    width = max(1, len(runs) - 1)
    line = " ".join(
        f"{100 * number / width:.1f},{22 - 20 * recovery / (longest or 1):.1f}" for number, recovery in known
    )
    hold = sum(run.result is Result.HOLDS for run in runs)
    return Trend(scenario, tuple(runs), hold, line if len(known) > 1 else "", longest)
