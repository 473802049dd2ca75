"""
Sets of runs: which runs lie in a folder, whether two runs had the same plan, and in what they differ besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from harness import names
from harness.comparing import figures
from harness.comparing.figures import Figures
from harness.errors import EvidenceError, UsageError
from harness.model import Plan, Result
from harness.rundir import RunDir

_PLANNED = ("topology", "load", "faults", "nemesis")
"""What of a scenario makes the same experiment."""
_MOST = 5


@dataclass(frozen=True)
class Run:
    """
    One judged run.
    """

    folder: RunDir
    plan: Plan
    figures: Figures


@dataclass(frozen=True)
class Found:
    """
    The runs of a folder in the order in which they began, and sentences about those that cannot be used.
    """

    runs: tuple[Run, ...]
    unusable: tuple[str, ...]


def folders(path: Path) -> list[RunDir]:
    """
    Return the run directories that `path` is or holds, also one folder further down, each once.

    Raises UsageError if there are none.
    """
    try:
        plans = [path / "plan.json", *path.glob("*/plan.json"), *path.glob("*/*/plan.json")]
        found = sorted({plan.parent.resolve() for plan in plans if plan.is_file()})
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if not found:
        raise UsageError(f"there are no runs in {path}: expected is a run directory, or a folder that holds some")
    return [RunDir(folder) for folder in found]


def load(path: Path, progress: Callable[[str, int, int], None]) -> Found:
    """
    Read the figures of all runs below `path`. Raises UsageError if there are no runs, EvidenceError if none can be
    read.
    """
    runs, unusable = [], []
    every = folders(path)
    for number, folder in enumerate(every, 1):
        progress(folder.name, number, len(every))
        try:
            runs.append(Run(folder, folder.load_plan(), figures.read(folder)))
        except EvidenceError as error:
            unusable.append(str(error))
    if not runs:
        raise EvidenceError(f"none of the {len(every)} runs in {path} can be read; the first: {unusable[0]}")
    return Found(tuple(sorted(runs, key=lambda run: (run.figures.began_ns or 0, run.folder.name))), tuple(unusable))


def by_scenario(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """
    Return scenario -> its runs, sorted by the name of the scenario.
    """
    found: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.plan.scenario.name):
        found.setdefault(run.plan.scenario.name, []).append(run)
    return found


def decided(runs: Sequence[Run]) -> list[Figures]:
    """
    Return the figures of the runs that tell something: those that are neither UNKNOWN nor were interrupted.
    """
    return [run.figures for run in runs if run.figures.result is not Result.UNKNOWN and not run.figures.interrupted]


def differences(one: Plan, other: Plan) -> list[str]:
    """
    Return in words what makes two plans different experiments; empty if nothing does. Seeds, targets and versions do
    not.
    """
    first, second = (dict(_leaves(_experiment(plan))) for plan in (one, other))
    told = [
        f"{name} {_told(first, name)} and {_told(second, name)}"
        for name in {**first, **second}
        if first.get(name) != second.get(name)
    ]
    more = len(told) - _MOST
    return told if more <= 0 else [*told[:_MOST], f"and {more} more"]


def subjects(run: Run) -> dict[str, str]:
    """
    Return what may be compared of a run: name -> value.
    """
    return {
        "Dapr": run.plan.dapr_version,
        "target": run.plan.target.name,
        "planted defect": run.plan.defect or "none",
        "backend": run.folder.backend,
        "state store": run.plan.store,
    }


def _experiment(plan: Plan) -> dict[str, JsonValue]:
    store = {"topology": {"store"}}  # it may be compared
    return plan.scenario.model_dump(mode="json", by_alias=True, include=set(_PLANNED), exclude=store)


def _leaves(value: JsonValue, name: str = "") -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{name}[{number}]")
    else:
        yield name, names.without_store(value) if isinstance(value, str) else value


def _told(leaves: dict[str, JsonValue], name: str) -> str:
    return "absent" if leaves.get(name) is None else str(leaves[name])
