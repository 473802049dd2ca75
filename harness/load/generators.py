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
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from harness.backends.guard import MARK
from harness.errors import HarnessError
from harness.journal import Tail
from harness.rows import LOAD, LoadBegan
from harness.rundir import RunDir


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
    def pid(self) -> int | None:
        """
        The process that makes the load; None if it does not run on this machine, or not yet.
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
            else:
                self.ended_ns = row.at_ns
                self.dropped += row.dropped


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
        with (self._run.logs / "locust.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "locust", "-f", str(self._scenarios.resolve() / "locustfile.py")),
                    *("--headless", "--users", "1", "--only-summary", "--skip-log-setup"),
                ],
                # What the user has set for a Locust of their own, there or in a locust.conf, is not meant for this one.
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")},
                    "HARNESS_LOAD": str(self._run.path.resolve()),
                    MARK: str(self._run.path),
                },
                cwd=self._run.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

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
                self._process.wait(timeout=30)
        finally:
            self._process.kill()
            self._process.wait()

    @property
    @override
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid


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
    def pid(self) -> int | None:
        return os.getppid()
