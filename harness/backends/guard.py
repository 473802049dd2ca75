"""
The guard: a small process that outlives the harness and ends whatever a dead one left running.

It waits for its standard input to close, which the kernel does when the harness ends, however it ends. Then
it kills every process that carries the run's mark. The mark, an environment variable given to each node, is
inherited by children of nodes and needs no bookkeeping, so there is no moment at which a node is not yet known.
A node that hides its environment (Redis writes its title over it) is known by its working directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

MARK = "HARNESS_RUN"
"""Environment variable whose value is the absolute path of the run directory that a process belongs to."""
_STAY = b"stay"
_PACKAGE = "harness.backends."


class Guard:
    """
    The guard of one run, from here until the block is left; `watcher` is the module that it runs as.

    It runs in a session of its own, so that a Ctrl-C at the terminal does not end it.
    """

    def __init__(self, run: Path, watcher: str = __name__) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", watcher, str(run)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(b"")

    def release(self) -> None:
        """
        Let it end and end nothing: the run's nodes are to run on.
        """
        self._end(_STAY)

    def _end(self, word: bytes) -> None:
        """
        Let it act, now rather than when the harness ends, and wait for it.
        """
        self._process.communicate(word)


def told_to_end() -> bool:
    """
    Wait for the end of the harness; False if what it started is to stay. For the guard's own process.
    """
    return sys.stdin.buffer.read() != _STAY


def guarded() -> frozenset[Path]:
    """
    The run directories that a living guard watches over: those of runs that go on.
    """
    found = set()
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if len(command) == len(("python", "-m", "module", "run")) and command[2].startswith(_PACKAGE):
            found.add(Path(command[3]))
    return frozenset(found)


def marked(run: Path) -> Iterator[psutil.Process]:
    """
    Processes of this user that belong to `run`.
    """
    return (process for process, owner in _owned() if owner == run)


def owners() -> frozenset[Path]:
    """
    The run directories that processes of this user belong to.
    """
    return frozenset(owner for _, owner in _owned())


def _owned() -> Iterator[tuple[psutil.Process, Path]]:
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            owner = _owner(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue
        if owner is not None:
            yield process, owner


def _owner(process: psutil.Process) -> Path | None:
    """
    The run that a process belongs to. One that shows any environment, and no mark in it, belongs to none: somebody
    who looks at a run's data is no node of it.
    """
    environment = process.environ()
    if environment:
        return Path(environment[MARK]) if environment.get(MARK) else None
    folder = Path(process.cwd())
    runs = (data.parent for data in (folder, *folder.parents) if data.name == "data")
    return next((run for run in runs if (run / "plan.json").is_file()), None)


def end_run(run: Path) -> int:
    """
    Kill every process of `run` until there is none; return how many there were.

    SIGKILL also ends a stopped process, so nothing stays paused.
    """
    killed: set[int] = set()
    while found := list(marked(run)):
        for process in found:
            try:
                process.kill()
                killed.add(process.pid)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=1)
    return len(killed)


if __name__ == "__main__" and told_to_end():
    end_run(Path(sys.argv[1]))
