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

import psutil

MARK = "HARNESS_RUN"
"""Environment variable whose value is the absolute path of the run directory that a process belongs to."""


def marked(run: Path | None = None) -> Iterator[psutil.Process]:
    """
    Processes of this user that belong to `run`, or to any run.
    """
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            owner = process.environ().get(MARK)
            if owner is not None if run is None else owner == str(run) or _inside(process, run):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue


def _inside(process: psutil.Process, run: Path) -> bool:
    return Path(process.cwd()).is_relative_to(run / "data")


def sweep(run: Path | None = None) -> int:
    """
    Kill every process of `run` (or of any run) until there is none; return how many there were.

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


def start(run: Path) -> subprocess.Popen[bytes]:
    """
    Start a guard for `run`. It acts when the returned process's `stdin` closes.

    It runs in a session of its own, so that a Ctrl-C at the terminal does not end it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "harness.backends.guard", str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


if __name__ == "__main__":
    sys.stdin.buffer.read()
    sweep(Path(sys.argv[1]))
