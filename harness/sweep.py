"""
The sweep: a crash at every activity point of a workflow, and a matrix of the results, point x fault.

Each cell is one run on a system of its own: a short load, one aimed fault on the replica that executes the activity,
and a verdict. So a violation cannot come from another cell, and each cell can be examined and replayed alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue, ValidationError

from harness.errors import EvidenceError, Exit, HarnessError, LeftError, UsageError
from harness.faults import BUILT_IN
from harness.files import BY_HARNESS, read_up_to
from harness.model import (
    ActivityPoint,
    Checks,
    FaultEntry,
    Load,
    Minimum,
    NodeName,
    Point,
    Result,
    Scenario,
    Target,
    Value,
    Verdict,
)
from harness.planning import points
from harness.planning.yamlfile import did_you_mean

FAULTS: Mapping[str, tuple[str, str]] = {
    "kill app": ("kill", "app"),
    "kill sidecar": ("kill", "sidecar"),
    "pause sidecar": ("pause", "sidecar"),
    "reset link": ("reset", "app->sidecar"),
}
"""
What is done at each point: name -> (fault, role that it hits). The fault always hits the replica that executes the
activity.
"""

_RATE = 4.0
_DURATION = 24.0
_AFTER = 3.0
_HOLD = 2.0
_MOST_PASSED = 3
_LEAST = 20


class Outcome(StrEnum):
    """
    The result of a cell. NOT EXERCISED means that the fault never landed, because no execution reached the point.
    """

    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    UNKNOWN = "UNKNOWN"
    NOT_EXERCISED = "NOT EXERCISED"


_CODES = {
    Outcome.HOLDS: Exit.HOLDS,
    Outcome.VIOLATED: Exit.VIOLATED,
    Outcome.UNKNOWN: Exit.UNKNOWN,
    Outcome.NOT_EXERCISED: Exit.UNKNOWN,
}


class Cell(Value):
    """
    One fault at one point of one activity.
    """

    activity: str
    point: Point
    fault: str

    def __str__(self) -> str:
        """
        `kill app, after_effect of ship_v1`.
        """
        return f"{self.fault}, {self.point} of {self.activity}"


class Unseen(Value):
    """
    A point of an activity at which nothing can be aimed, and why.
    """

    activity: str
    point: Point
    why: str


class Judged(Value):
    """
    The result of a cell. `run` is the name of its run directory, None if there is none. `took` and `recovery` are in
    seconds.
    """

    cell: Cell
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    violated: tuple[str, ...] = ()
    run: str | None = None
    took: float
    node: NodeName | None = None
    recovery: float | None = None
    proof: Mapping[str, JsonValue] = {}


class Matrix(Value):
    """
    A sweep so far: every cell of the workflow, and the results of those that were judged. `unseen` are the moments
    after an effect that have no cells.
    """

    workflow: str
    target: str
    seed: int
    dapr_version: str
    cells: tuple[Cell, ...]
    unseen: tuple[Unseen, ...] = ()
    judged: tuple[Judged, ...] = ()

    def of(self, cell: Cell) -> Judged | None:
        """
        Return the result of a cell; None if it was not run yet.
        """
        return next((judged for judged in self.judged if judged.cell == cell), None)

    def with_(self, judged: Judged) -> Matrix:
        """
        Return the matrix with one more result, or with a new result in place of an old one.
        """
        others = tuple(other for other in self.judged if other.cell != judged.cell)
        return self.model_copy(update={"judged": (*others, judged)})

    def counts(self) -> dict[str, int]:
        """
        Return outcome -> number of cells, with `not run` as the last one. Outcomes without a cell are left out.
        """
        found = {outcome.value: sum(one.outcome is outcome for one in self.judged) for outcome in Outcome}
        return {
            name: number for name, number in {**found, "not run": len(self.cells) - len(self.judged)}.items() if number
        }


class Ran(NamedTuple):
    """
    The run of one cell: its verdict, the name of its run directory, and whether the user interrupted it.
    """

    verdict: Verdict
    run: str
    interrupted: bool


def matrix(target: Target, workflow: str, *, seed: int, dapr_version: str) -> Matrix:
    """
    Return the sweep of a workflow before its first cell. Raises UsageError if the target does not have the workflow, or
    names no activities of it.
    """
    if workflow not in target.workflows:
        raise UsageError(
            f'target {target.name} has no workflow "{workflow}"; {did_you_mean(workflow, target.workflows)}'
        )
    activities = target.workflows[workflow].activities
    if not activities:
        raise UsageError(
            f"target {target.name} names no activities of {workflow}: there is nothing to aim at; give `activities` "
            "(docs/aimed-faults.md)"
        )
    cells = tuple(
        Cell(activity=activity, point=point, fault=fault)
        for activity, of in activities.items()
        for point in points.seen(target, of)
        for fault in FAULTS
    )
    unseen = tuple(
        Unseen(activity=activity, point="after_effect", why=why)
        for activity, of in activities.items()
        if of.effect is not None and (why := points.unseen(target, of, "after_effect")) is not None
    )
    return Matrix(
        workflow=workflow, target=target.name, seed=seed, dapr_version=dapr_version, cells=cells, unseen=unseen
    )


def resumed(so_far: Matrix, file: Path) -> Matrix:
    """
    Return `so_far` with the results that an earlier sweep left in `file`; `so_far` itself if there is no such file.

    Raises UsageError if the earlier sweep had another target or another release of Dapr, EvidenceError if the file is
    not of this version of the harness.
    """
    try:
        before = Matrix.model_validate_json(read_up_to(BY_HARNESS, file))
    except FileNotFoundError:
        return so_far
    except OSError as error:
        raise EvidenceError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise EvidenceError(f"{file} was not written by this version of the harness: {error}") from error
    if before.model_copy(update={"judged": ()}) != so_far:
        raise UsageError(f"{file} is of another target, or of another release of Dapr; give another --out")
    return before


def todo(so_far: Matrix, activity: str | None) -> list[Cell]:
    """
    Return the cells of one activity, or of all if None, that are still to be run: all whose result is neither HOLDS nor
    VIOLATED.

    Raises UsageError if there is no such activity.
    """
    activities = dict.fromkeys(cell.activity for cell in so_far.cells)
    if activity is not None and activity not in activities:
        raise UsageError(
            f'"{activity}" is not an activity of {so_far.workflow} that can be aimed at; '
            + did_you_mean(activity, activities)
        )
    decided = {one.cell for one in so_far.judged if one.outcome in (Outcome.HOLDS, Outcome.VIOLATED)}
    return [cell for cell in so_far.cells if cell not in decided and activity in (None, cell.activity)]


def scenario(so_far: Matrix, target: Target, file: Path, cell: Cell) -> Scenario:
    """
    Return the scenario of one cell: a short load with every kind of start equally often, and one aimed fault.

    The seed and the cell decide which instance is hit. The replica is the one that executes it.
    """
    fault, on = FAULTS[cell.fault]
    draw = random.Random(f"{so_far.seed} {cell}")
    fault_entry = FaultEntry(
        fault=fault,
        on=on,
        pick="own",
        at=ActivityPoint(
            activity=cell.activity, point=cell.point, occurrence=draw.randint(1, _MOST_PASSED), after=_AFTER
        ),
        **{"for": _HOLD},
        settings=BUILT_IN[fault]().model_dump(mode="json"),
    )
    return Scenario(
        name=f"{cell.activity}-{cell.point}-{cell.fault}".replace(" ", "_"),
        claim=f"A crash at this point loses nothing and repeats no effect: {cell}.",
        target=file,
        load=Load(
            workflow=so_far.workflow,
            rate=_RATE,
            duration=_DURATION,
            mix=dict.fromkeys(target.workflows[so_far.workflow].kinds, 1),
        ),
        faults=(fault_entry,),
        checks=Checks(minimum=Minimum(instances=_LEAST)),
    )


def judged(cell: Cell, ran: Ran, took: float) -> Judged:
    """
    Return what a run says about its cell; `took` is in seconds. A violation counts even if the fault never landed.
    """
    verdict = ran.verdict
    landed = [fault for fault in verdict.faults if fault.at is not None]
    violated = verdict.result is Result.VIOLATED
    outcome = Outcome(verdict.result.value) if violated or landed else Outcome.NOT_EXERCISED
    return Judged(
        cell=cell,
        outcome=outcome,
        reasons=verdict.reasons,
        violated=tuple(found.name for found in verdict.findings if found.result is Result.VIOLATED),
        run=ran.run,
        took=round(took, 1),
        node=landed[0].node if landed else None,
        recovery=landed[0].recovery if landed else None,
        proof=landed[0].proof if landed else {},
    )


def go(so_far: Matrix, cells: Iterable[Cell], run: Callable[[Cell], Ran]) -> Iterator[tuple[Matrix, Judged]]:
    """
    Run one cell after the other. After each, return (the matrix so far, the result of the cell).

    A cell whose run fails is UNKNOWN. If the user interrupts a run, its cell is not judged, and LeftError is raised.
    UsageError is also passed on.
    """
    for cell in cells:
        began = time.monotonic()
        try:
            ran = run(cell)
        except (UsageError, LeftError):
            raise
        except HarnessError as error:
            told = Judged(
                cell=cell,
                outcome=Outcome.UNKNOWN,
                reasons=(f"the run failed: {error}",),
                took=round(time.monotonic() - began, 1),
            )
        else:
            if ran.interrupted:
                raise LeftError("interrupted; the cell that was running is not judged")
            told = judged(cell, ran, time.monotonic() - began)
        so_far = so_far.with_(told)
        yield so_far, told


def exit_code(so_far: Matrix, activity: str | None) -> Exit:
    """
    Return the exit code of the worst cell of one activity, or of all if None. A cell that was not run counts as
    UNKNOWN.
    """
    codes = {Exit.HOLDS}
    for cell in so_far.cells:
        if activity in (None, cell.activity):
            told = so_far.of(cell)
            codes.add(Exit.UNKNOWN if told is None else _CODES[told.outcome])
    return next(code for code in (Exit.VIOLATED, Exit.UNKNOWN, Exit.HOLDS) if code in codes)
