"""
A folder of runs as it may be shown to a browser: what each run says of itself, and which files may be read.

Whatever lies in the folder may be hostile or broken. Nothing outside of it is read: no link is followed, and only the
file names that a run writes are known.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict

from harness.model import Result
from harness.rundir import PROCESSES
from harness_reports import words

PAGES = ("suite.html", "sweep.html", "comparison.html", "history.html")
"""Pages about several runs, in a folder of their own or among the runs."""

FILES = ("report.html", "summary.md", "junit.xml", "verdict.json", "plan.json", "selftest.json", "stalled.json")
"""What of a run may be read, in the order in which it is offered."""

_MOST_BYTES = 32_000_000
_MOST_FOLDERS = 5_000
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-")


class _Loose(BaseModel):
    """
    What the index needs of a file that any version of the harness may have written.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Scenario(_Loose):
    name: str


class _Plan(_Loose):
    scenario: _Scenario
    seed: int
    dapr_version: str


class _Finding(_Loose):
    name: str
    result: Result
    violations: int
    explained: int = 0


class _Fault(_Loose):
    felt_after: float | None = None
    recovery: float | None = None


class _Verdict(_Loose):
    result: Result
    classes: Mapping[str, int] = {}
    findings: tuple[_Finding, ...] = ()
    faults: tuple[_Fault, ...] = ()
    missed_levels: tuple[str, ...] = ()

    @property
    def violated(self) -> list[_Finding]:
        return [finding for finding in self.findings if finding.result is Result.VIOLATED]

    @property
    def explained(self) -> str | None:
        rows = sum(finding.violations for finding in self.violated)
        explained = sum(finding.explained for finding in self.violated)
        return None if not rows else "all" if explained == rows else "some" if explained else "none"

    @property
    def recovery(self) -> float | None:
        return max((fault.recovery for fault in self.faults if fault.recovery is not None), default=None)

    @property
    def told(self) -> str:
        felt = sum(fault.felt_after is not None for fault in self.faults)
        names = ", ".join(finding.name for finding in self.violated)
        instances = words.count(sum(self.classes.values()), "instance")
        told = f"{instances}, {felt} of {words.count(len(self.faults), 'fault')} felt"
        return told + (f"; violated: {names}" if names else "")


@dataclass(frozen=True)
class Run:
    """
    One run of the folder. `path` is where it lies below the folder. If it cannot be read, `problem` says why, and only
    `path` and `files` are known. `explained`: how much of what is violated known findings explain; None if nothing is.
    """

    path: str
    files: tuple[str, ...]
    problem: str | None = None
    began: str = ""
    scenario: str = ""
    seed: int = 0
    result: Result | None = None
    explained: str | None = None
    levels: int = 0
    dapr: str = ""
    backend: str = ""
    told: str = ""
    recovery: float | None = None


@dataclass(frozen=True)
class Shelf:
    """
    What a folder holds: its runs, the newest first, and the pages about several runs. `hidden` folders were not looked
    into.
    """

    runs: tuple[Run, ...]
    pages: tuple[str, ...]
    hidden: int = 0


@dataclass
class Library:
    """
    A folder that is read again and again. What was read of a run is kept until one of its files changes.
    """

    root: Path
    _known: dict[str, tuple[tuple[object, ...], Run]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def read(self) -> Shelf:
        """
        Return what the folder holds now.
        """
        with self._lock:
            folders = list(self._within())
            shown = folders[:_MOST_FOLDERS]
            runs = [run for parts in shown if (run := self._run(parts)) is not None]
            self._known = {run.path: self._known[run.path] for run in runs}
        pages = [
            "/".join((*of, page)) for of in ((), *shown) for page in PAGES if _stamp(self.root.joinpath(*of, page))
        ]
        runs.sort(key=lambda run: (run.began, run.path), reverse=True)
        return Shelf(tuple(runs), tuple(pages), hidden=len(folders) - len(shown))

    def _within(self) -> Iterator[tuple[str, ...]]:
        """
        Return the folders, and those in them that are no runs: a sweep or a suite has a folder of its own for its runs.
        """
        for name in _folders(self.root):
            yield (name,)
            if _stamp(self.root / name / "plan.json") is None:
                yield from ((name, inner) for inner in _folders(self.root / name))

    def _run(self, parts: tuple[str, ...]) -> Run | None:
        """
        Return the run in a folder; None if there is none.
        """
        folder = self.root.joinpath(*parts)
        stamp = tuple(_stamp(folder / name) for name in FILES)
        if stamp[FILES.index("plan.json")] is None and stamp[FILES.index("verdict.json")] is None:
            return None
        path = "/".join(parts)
        if path not in self._known or self._known[path][0] != stamp:
            files = tuple(name for name, there in zip(FILES, stamp, strict=True) if there is not None)
            self._known[path] = stamp, _told(self.root, parts, files)
        return self._known[path][1]


def opened(root: Path, parts: Sequence[str]) -> BinaryIO | None:
    """
    Open a regular file below `root` for reading. None if it is not there, or if any part of its path is a link, is
    hidden or leads out of the folder.
    """
    if not parts or any(not part or part.startswith(".") or "/" in part or "\0" in part for part in parts):
        return None
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except (OSError, ValueError):
        return None
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        return None
    return os.fdopen(file, "rb")


def _folders(folder: Path) -> Iterator[str]:
    """
    Return the names of the folders in a folder that are shown, the newest first.
    """
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    yield from sorted((name for name in names if not name.startswith(".")), reverse=True)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.lstat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None


def _told(root: Path, parts: tuple[str, ...], files: tuple[str, ...]) -> Run:
    path = "/".join(parts)
    try:
        plan = _Plan.model_validate_json(_text(root, (*parts, "plan.json")))
    except ValueError:
        return Run(path, files, "its plan.json is missing or cannot be read")
    stamp = _STAMP.match(parts[-1])
    run = Run(
        path,
        files,
        began="{}-{}-{} {}:{}:{}".format(*stamp.groups()) if stamp else "",
        scenario=plan.scenario.name,
        seed=plan.seed,
        dapr=plan.dapr_version,
        backend=_backend(root, parts),
    )
    if "verdict.json" not in files:
        return replace(run, problem="it has no verdict: it still runs, it failed, or nobody asked `harness check`")
    try:
        verdict = _Verdict.model_validate_json(_text(root, (*parts, "verdict.json")))
    except ValueError:
        return replace(run, problem="its verdict.json cannot be read; `harness check` judges it again")
    return replace(
        run,
        result=verdict.result,
        explained=verdict.explained,
        levels=len(verdict.missed_levels),
        told=verdict.told,
        recovery=verdict.recovery,
    )


def _backend(root: Path, parts: tuple[str, ...]) -> str:
    try:
        return str(json.loads(_text(root, (*parts, "endpoints.json"))).get("backend", PROCESSES))
    except (ValueError, AttributeError, RecursionError):
        return PROCESSES


def _text(root: Path, parts: Sequence[str]) -> bytes:
    """
    Return the content of a file. Raises ValueError if it cannot be read or is too large.
    """
    file = opened(root, parts)
    if file is None:
        raise ValueError(f"{parts[-1]} cannot be read")
    with file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError(f"{parts[-1]} is too large")
    return text
