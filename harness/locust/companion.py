"""
The harness process that runs beside a Locust which the user started.

It is a process of its own, because a run cannot live under gevent. Locust has patched this process's threads, sockets
and signals. A run waits in real threads, handles Ctrl-C, and calls the scheduler by gRPC, whose core does not work with
gevent.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

import gevent

from harness.errors import Exit, LeftError
from harness.locust.options import Wanted
from harness.rundir import RunDir

_LINES_KEPT = 200
_BETWEEN_SIGNALS = 3.0
"""Seconds. Two signals that come sooner could be taken for one."""
_WIDTH = "110"
"""Columns of what the harness prints: wide enough for its tables, and for the web page."""


class Companion:
    """
    One run: the process that starts the system, runs the faults and judges. `said` has the last lines that it printed,
    `run` its run directory once the system is up, `code` its exit code once it has ended.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.said: deque[str] = deque(maxlen=_LINES_KEPT)
        self.run: RunDir | None = None
        self.code: int | None = None
        self._over: gevent.Greenlet | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", *wanted.arguments, "--attached"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"COLUMNS": _WIDTH, **os.environ},
            # A session of its own: Ctrl-C must reach only Locust, which then ends the test in an orderly way.
            start_new_session=True,
        )
        self._listening = gevent.spawn(self._listen)

    def _listen(self) -> None:
        """
        Pass on what the harness prints, and keep the last of it.
        """
        for line in self._process.stderr or ():
            text = line.decode(errors="replace")
            sys.stderr.write(text)
            self.said.append(text.rstrip())

    def ready(self) -> bool:
        """
        Wait until the system is up. Return whether it is; if not, the harness gave up, and `code` says how.
        """
        for line in self._process.stdout or ():
            with suppress(ValueError, KeyError, TypeError):
                self.run = RunDir(Path(json.loads(line)["run"]))
                return True
        self.end_load()
        self.wait()
        return False

    def end_load(self) -> None:
        """
        Tell the harness that the load is over, or that there will be none. It then heals, collects and judges. Can be
        called twice.
        """
        if self._over is None:
            if self.run is None and self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._over = gevent.spawn(self._finish)

    @property
    def over(self) -> bool:
        """
        Whether the load is over.
        """
        return self._over is not None

    def _finish(self) -> int:
        self._listening.join()
        self.code = self._process.wait()
        return self.code

    def wait(self) -> int:
        """
        Wait for the verdict. Return the harness's exit code. On Ctrl-C the harness is told to leave at once; it still
        heals every fault and ends what it started.
        """
        self.end_load()
        try:
            return int(self._over.get()) if self._over is not None else Exit.SOFTWARE
        except KeyboardInterrupt:
            while self._process.poll() is None:  # the first may only end a phase
                self._process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=_BETWEEN_SIGNALS)
            return LeftError.exit_code
