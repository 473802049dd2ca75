"""
The guard: a small process that outlives the harness and ends everything that a dead harness left running.

The guard waits until its standard input is closed. The kernel closes it when the harness ends, in whatever way it ends.
Then the guard kills every process that carries the run's mark. The mark is an environment variable that each node gets.
Children of nodes inherit it, and the guard needs no list of processes, so there is no moment at which it does not know
a node. A node that hides its environment (Redis writes its title over it) is recognised by its working directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from harness.backends import sharedmemory
from harness.names import Store

MARK = "HARNESS_RUN"
"""Environment variable whose value is the absolute path of the run directory that a process belongs to."""
_STAY = b"stay"
_LEFT_AFTER = 20.0
"""Seconds for which the harness waits for its guard."""
_PACKAGE = "harness.backends."


class Guard:
    """
    The guard of one run, from its creation until the `with` block is left. `watcher` is the module that the process
    runs.

    The process has a session of its own, so that a Ctrl-C at the terminal does not end it.
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
        Let the guard end without ending anything, because the run's nodes are to continue.
        """
        self._end(_STAY)

    def _end(self, word: bytes) -> None:
        """
        Let the guard act now and not only when the harness ends, and wait for it; but not for one that cannot go on, as
        the Docker engine does not answer. That one goes on alone.
        """
        with suppress(subprocess.TimeoutExpired):
            self._process.communicate(word, _LEFT_AFTER)


def told_to_end() -> bool:
    """
    For the guard's own process: wait for the end of the harness, and return whether its processes must be ended. False
    after `release`.
    """
    return sys.stdin.buffer.read() != _STAY


def guarded() -> frozenset[Path]:
    """
    Return the run directories that a living guard watches: those of runs that still go on.
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
    Return the processes of this user that belong to `run`.
    """
    return (process for process, owner in _owned() if owner == run)


def owners() -> frozenset[Path]:
    """
    Return the run directories to which processes of this user belong.
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
    Return the run to which a process belongs; None if it belongs to none. A process whose environment can be read and
    has no mark belongs to no run. A person who looks at a run's data in a shell is therefore not taken for a node of
    the run.
    """
    environment = process.environ()
    if environment:
        return Path(environment[MARK]) if environment.get(MARK) else None
    folder = Path(process.cwd())
    runs = (data.parent for data in (folder, *folder.parents) if data.name == "data")
    return next((run for run in runs if (run / "plan.json").is_file()), None)


def end_run(run: Path) -> int:
    """
    Kill every process of `run` until there is none, and return how many there were.

    SIGKILL also ends a stopped process, so none stays paused.
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
    sharedmemory.remove(run / "data" / Store.POSTGRES)
    return len(killed)


if __name__ == "__main__" and told_to_end():
    end_run(Path(sys.argv[1]))
