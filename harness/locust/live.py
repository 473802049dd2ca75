"""
What is known of a run while it runs, for the web page: read from its directory, where the harness process writes it.

Nothing is judged here. What an instance's end is worth only the verdict says.

What reads verdicts and reports is imported where there is one: a container that only sends load does not have it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from pydantic import ValidationError

from harness.errors import EvidenceError
from harness.files import BY_HARNESS, read_up_to
from harness.journal import Tail
from harness.model import Limit, Plan, Progress, Result, Value, Verdict
from harness.rows import FAULTS, LOAD, PHASES, Applied, FaultRow, Healed, Intended, LoadBegan, PhaseBegan
from harness.rundir import RunDir

_POINTS = 3600
"""The moments that are kept; at one per second those of an hour."""


class Moment(Value):
    """
    The second before `at` (seconds after the load began): starts that were sent and instances that ended, per second,
    and the instances in flight.
    """

    at: float
    starts: float
    ends: float
    in_flight: int


class Hit(Value):
    """
    One fault on one node. Times are seconds after the load began; None if it was not applied, or not healed so far.
    `told` is the newest that its journal says: intent, applied, felt, unfelt, healed or unhealed.
    """

    fault: str
    node: str
    planned: float | None
    applied: float | None
    healed: float | None
    told: str


class Coming(Value):
    """
    A step of the plan: when it begins, and how long it holds (seconds); and which fault hits which nodes.
    """

    at: float
    hold: float
    fault: str
    nodes: tuple[str, ...]
    aim: str | None


class Found(Value):
    """
    The verdict: its result, what it rests on in one line, and the instances by class.
    """

    result: Result
    brief: str
    classes: Mapping[str, int]


class Live(Value):
    """
    A run as the page shows it. Times are seconds after the load began; `now` is None before.
    """

    name: str
    scenario: str
    claim: str
    seed: int
    load: str
    duration: float
    phase: str
    left: float | None
    now: float | None
    sent: int
    dropped: int
    answers: Mapping[str, int]
    in_flight: int
    ended: Mapping[str, int]
    plan: tuple[Coming, ...]
    faults: tuple[Hit, ...]
    moments: tuple[Moment, ...]
    limits: tuple[Limit, ...]
    found: Found | None
    files: tuple[str, ...]


class Follower:
    """
    Follows one run. Call `poll` about once per second.
    """

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self._plan: Plan = run.load_plan()
        self._faults = Tail(run.journals.faults, FAULTS, _skip)
        self._phases = Tail(run.journals.phases, PHASES, _skip)
        self._load = Tail(run.journals.load, LOAD, _skip)
        self._rows: list[FaultRow] = []
        self._phase = ""
        self._began_ns: int | None = None
        self._progress = Progress(phase="")
        self._moments: deque[Moment] = deque(maxlen=_POINTS)
        self._verdict: Verdict | None = None

    def poll(self) -> None:
        """
        Read what is new.
        """
        self._rows += self._faults.poll()
        for phase in self._phases.poll():
            self._phase = phase.phase if isinstance(phase, PhaseBegan) else f"after {phase.phase}"
        for row in self._load.poll():
            if isinstance(row, LoadBegan):
                self._began_ns = row.at_ns
        new = _progress(self.run)
        if new is not None and new.at_ns > self._progress.at_ns:
            if self._began_ns is not None and self._progress.at_ns:
                self._moments.append(_moment(self._progress, new, self._began_ns))
            self._progress = new

    def told(self, *, over: bool) -> Live:
        """
        Return what was read; with the verdict only if the run is `over`, as its reports are written after that.
        """
        if over and self._verdict is None:
            with suppress(EvidenceError):
                self._verdict = self.run.load_verdict()
        from harness_reports.shelf import FILES  # noqa: PLC0415 - not in a container that only sends load

        plan, progress = self._plan, self._progress
        ended = self._verdict is not None
        steps = tuple(
            Coming(
                at=step.at,
                hold=step.hold,
                fault=step.fault,
                nodes=step.nodes,
                aim=None if step.aim is None else str(step.aim),
            )
            for step in plan.steps
        )
        return Live(
            name=self.run.name,
            scenario=plan.scenario.name,
            claim=" ".join(plan.scenario.claim.split()),
            seed=plan.seed,
            load=f"{plan.scenario.load.started} at {plan.scenario.load.pace}",
            duration=plan.scenario.load.duration,
            phase="judged" if ended else "judging" if self._phase == "after collect" else self._phase,
            left=progress.left if progress.phase == self._phase else None,
            now=self._since(progress.at_ns),
            sent=progress.sent,
            dropped=progress.dropped,
            answers=progress.answers,
            in_flight=0 if ended else progress.in_flight,
            ended=progress.ended,
            plan=steps,
            faults=self._hits(),
            moments=tuple(self._moments),
            limits=progress.limits,
            found=None if self._verdict is None else _found(self._verdict),
            files=tuple(name for name in FILES if (self.run.path / name).is_file()),
        )

    def _since(self, at_ns: int) -> float | None:
        return round((at_ns - self._began_ns) / 1e9, 2) if self._began_ns and at_ns else None

    def _hits(self) -> tuple[Hit, ...]:
        hits: dict[tuple[int, str, str], Hit] = {}
        for row in self._rows:
            key = (row.step, row.fault, row.node)
            unknown = Hit(fault=row.fault, node=row.node, planned=None, applied=None, healed=None, told="")
            before = hits.get(key, unknown)
            at = self._since(row.at_ns)
            if isinstance(row, Intended):
                new = {"planned": self._since(row.planned_ns)}
            elif isinstance(row, Applied):
                new = {"applied": at}
            elif isinstance(row, Healed):
                new = {"healed": at}
            else:
                new = {}
            hits[key] = before.model_copy(update={**new, "told": row.event})
        return tuple(hits.values())


def _progress(run: RunDir) -> Progress | None:
    try:
        return Progress.model_validate_json(read_up_to(BY_HARNESS, run.progress))
    except (OSError, ValidationError):  # not there before the load and after the run
        return None


def _moment(before: Progress, after: Progress, began_ns: int) -> Moment:
    seconds = (after.at_ns - before.at_ns) / 1e9
    ends = sum(after.ended.values()) - sum(before.ended.values())
    return Moment(
        at=round((after.at_ns - began_ns) / 1e9, 2),
        starts=round((after.sent - before.sent) / seconds, 2),
        ends=round(ends / seconds, 2),
        in_flight=after.in_flight,
    )


def _found(verdict: Verdict) -> Found:
    from harness_reports import words  # noqa: PLC0415 - not in a container that only sends load

    return Found(result=verdict.result, brief=words.in_brief(verdict), classes=verdict.classes)


def _skip(_error: EvidenceError) -> None:
    """
    Pass over a line that is no row: the collector tells of it.
    """
