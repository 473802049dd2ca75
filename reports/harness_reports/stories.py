"""
Every violation as a story: its witness, what known finding explains it, its swim-lanes, its rows, and what stands.

How much is shown is bounded, so that a report stays small however much went wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.checkers import standing, traces
from harness.checkers.standing import Standing
from harness.checkers.telling import Telling
from harness.model import Finding, Known, Plan, Result, Verdict, Witness
from harness_reports import lanes, timeline, words
from harness_reports.evidence import Evidence
from harness_reports.lanes import Lanes
from harness_reports.timeline import Timeline

_MOST_COLUMNS = 24
_MOST_LETTERS = 400


@dataclass(frozen=True)
class Limits:
    """
    The most that is shown: witnesses of one invariant and of all, instances whose life is drawn, entries of one life.
    """

    of_invariant: int
    of_all: int
    lives: int
    entries: int


@dataclass(frozen=True)
class Life:
    """
    The life of one instance: its rows, its swim-lanes, and what stands of it.
    """

    timeline: Timeline
    lanes: Lanes
    standing: Standing


@dataclass(frozen=True)
class Story:
    """
    One witness on the page: its number, its row as text, the known findings that explain it, and the life of its
    instance. If an earlier story has this life, `same_as` is its number.
    """

    number: int
    witness: Witness
    row: Mapping[str, str]
    known: tuple[Known, ...]
    life: Life | None
    same_as: int | None


@dataclass(frozen=True)
class Case:
    """
    One invariant that did not hold, with as many of its witnesses as are shown.
    """

    number: int
    finding: Finding
    stories: tuple[Story, ...]


def of(evidence: Evidence, plan: Plan, verdict: Verdict, origin_ns: int, limits: Limits) -> tuple[Case, ...]:
    """
    Return the invariants that do not hold, the violated ones first, and of these first what no known finding explains.
    A life is told with the first witness of its instance.
    """
    broken = [finding for finding in words.findings(verdict) if finding.result is not Result.HOLDS]
    broken.sort(key=lambda finding: (words.ORDER[finding.result], finding.unexplained == 0))
    shown = _shown(broken, limits)
    wanted = sorted((witness for of in shown.values() for witness in of), key=lambda each: bool(each.explained_by))
    instances = list(dict.fromkeys(each.instance_id for each in wanted if each.instance_id is not None))
    lives = _lives(evidence, plan, instances[: limits.lives], origin_ns, limits.entries)
    return tuple(_cases(broken, shown, lives, verdict, origin_ns))


def _shown(broken: Sequence[Finding], limits: Limits) -> Mapping[str, Sequence[Witness]]:
    left = limits.of_all
    shown = {}
    for finding in broken:
        first = sorted(finding.witnesses, key=lambda witness: bool(witness.explained_by))[: limits.of_invariant]
        shown[finding.name] = first[: max(0, left)]
        left -= len(first)
    return shown


def _lives(
    evidence: Evidence, plan: Plan, instances: Sequence[str], origin_ns: int, entries: int
) -> Mapping[str, Life]:
    telling = Telling(origin_ns)
    services = tuple(plan.target.services)
    told = {}
    for instance, trace in traces.read(evidence, instances).items():
        line = timeline.of(trace, plan.nodes, origin_ns, entries)
        told[instance] = Life(line, lanes.draw(line, plan.nodes, services), standing.of(trace, plan.target, telling))
    return told


def _cases(
    broken: Sequence[Finding],
    shown: Mapping[str, Sequence[Witness]],
    lives: Mapping[str, Life],
    verdict: Verdict,
    origin_ns: int,
) -> Iterator[Case]:
    met = {known.name: known for known in verdict.known}
    told_at: dict[str, int] = {}
    count = 0
    for number, finding in enumerate(broken, start=1):
        stories = []
        for witness in shown[finding.name]:
            count += 1
            instance = witness.instance_id or ""
            same_as = told_at.get(instance)
            if instance in lives:
                told_at.setdefault(instance, count)
            stories.append(
                Story(
                    count,
                    witness,
                    _row(witness, origin_ns),
                    tuple(met[name] for name in witness.explained_by if name in met),
                    lives.get(instance) if same_as is None else None,
                    same_as,
                )
            )
        yield Case(number, finding, tuple(stories))


def _row(witness: Witness, origin_ns: int) -> dict[str, str]:
    """
    Return the row of a witness as text. Times are also shown as seconds after the load began.
    """
    told = {}
    for column, value in list(witness.row.items())[:_MOST_COLUMNS]:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        if column.endswith("_ns") and isinstance(value, int):
            text = f"{words.at((value - origin_ns) / 1e9)} ({value})"
        told[column] = words.NOTHING if value is None else words.shortened(text, _MOST_LETTERS)
    return told
