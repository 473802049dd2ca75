"""
The programs that make the load of a run: a Locust that the harness starts, or a Locust that started the harness.

In both cases Locust writes to the run's `journal/load.jsonl` when the load began and when it ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from harness.backends.guard import MARK
from harness.errors import HarnessError
from harness.journal import Tail
from harness.load.work import RUN
from harness.rows import LOAD, LoadBegan, LoadEnded
from harness.rundir import RunDir

PATIENCE = 30.0
"""Seconds. A Locust that is told to end has so long to take the answers that it waits for."""


class Generator(Protocol):
    """
    Makes the load of one run.
    """

    def start(self) -> None:
        """
        Let the load begin soon; do not wait for it.
        """

    def alive(self) -> bool:
        """
        Return whether more load can still come. False also if the generator died. Raises HarnessError if it failed.
        """

    def stop(self) -> None:
        """
        End the load now, in an orderly way. Must be safe to call twice.
        """

    @property
    def pids(self) -> tuple[int, ...]:
        """
        The processes that make the load, as far as they run on this machine.
        """


class LoadTimes:
    """
    When a run's load began and ended, as the generator wrote it.
    """

    def __init__(self, run: RunDir) -> None:
        self._tail = Tail(run.journals.load, LOAD)
        self.began_ns: int | None = None
        self.ended_ns: int | None = None
        self.dropped = 0

    def poll(self) -> None:
        """
        Read what was written since the last call.
        """
        for row in self._tail.poll():
            if isinstance(row, LoadBegan):
                self.began_ns = row.at_ns
            elif isinstance(row, LoadEnded):
                self.ended_ns = row.at_ns
                self.dropped += row.dropped


def start(run: RunDir, scenarios: Path, log: str, env: Mapping[str, str], stdin: int) -> subprocess.Popen[bytes]:
    """
    Start a headless Locust that makes load for a run, with these variables in its environment. Its output goes into
    `logs/<log>.log` of the run.
    """
    with (run.logs / f"{log}.log").open("ab") as output:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "locust", "-f", str(scenarios.resolve() / "locustfile.py")),
                *("--headless", "--users", "1", "--only-summary", "--skip-log-setup"),
            ],
            # What the user has set for a Locust of their own, there or in a locust.conf, is not meant for this one.
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")},
                RUN: str(run.path.resolve()),
                MARK: str(run.path),
                **env,
            },
            cwd=run.path,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Locust(Generator):
    """
    A headless Locust that the harness starts.
    """

    def __init__(self, run: RunDir, scenarios: Path) -> None:
        self._run = run
        self._scenarios = scenarios
        self._process: subprocess.Popen[bytes] | None = None

    @override
    def start(self) -> None:
        self._process = start(self._run, self._scenarios, "locust", {}, subprocess.DEVNULL)

    @override
    def alive(self) -> bool:
        if self._process is None:
            return False
        status = self._process.poll()
        if status not in (None, 0, -signal.SIGTERM):
            raise HarnessError(f"Locust ended with exit status {status}; see {self._run.logs / 'locust.log'}")
        return status is None

    @override
    def stop(self) -> None:
        """
        Send SIGTERM and wait for at most 30 s, then send SIGKILL; at once if the user interrupts the waiting. On
        SIGTERM Locust sends no more starts, but still takes the answers that it waits for.
        """
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()

    @property
    @override
    def pids(self) -> tuple[int, ...]:
        return () if self._process is None else (self._process.pid,)


class Attached(Generator):
    """
    The Locust that started this harness. A line on our standard output tells it that the system is up. It ends the load
    by closing our standard input, which also happens if it dies.
    """

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._over = threading.Event()

    @override
    def start(self) -> None:
        threading.Thread(target=self._await_end, daemon=True).start()
        print(json.dumps({"run": str(self._run.path)}), flush=True)  # noqa: T201 - the protocol with our parent

    def _await_end(self) -> None:
        sys.stdin.buffer.read()
        self._over.set()

    @override
    def alive(self) -> bool:
        return not self._over.is_set()

    @override
    def stop(self) -> None:
        """
        Do nothing: the Locust that started this harness ends the load itself.
        """

    @property
    @override
    def pids(self) -> tuple[int, ...]:
        return (os.getppid(),)
