"""
One node as an operating-system process: how it is started, how it becomes ready, and how it ends with its children.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil
import tenacity
from typing_extensions import override

from harness.backends import groups
from harness.backends.base import Death
from harness.backends.throttle import Throttle, cpu_time
from harness.backends.wired import Controlled
from harness.errors import NodeError

POLL = 0.02
"""Seconds between two looks at a condition. A node that is ready is found ready at most this much later."""
_GROUP_ENDS_WITHIN = 5.0
"""Seconds. A process ends at once after SIGKILL, unless it waits for a disk in the kernel."""


@dataclass(frozen=True)
class Spec:
    """
    How a node is started, and how the harness finds out that it is ready.

    `ready` returns at once whether the node is ready. It may raise OSError, for example when the connection is refused;
    this counts as not ready. `asked` says in words what the node answers when it is asked. `patience` is how many
    seconds the node has to become ready. `tapped`: the other processes of its group are a tap.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path
    log: Path
    ready: Callable[[], bool]
    asked: Callable[[], str] | None = None
    patience: float = 60.0
    tapped: bool = False


class Child(Controlled):
    """
    A node's process and all processes that it starts in its process group. Where the node is a wrapper (`npm start`,
    `uv run`), the processes that do the work are in that group, and they are killed, stopped and paused together with
    it. After `kill`, `spawn` starts the node again as it was.
    """

    stopped_by: ClassVar[signal.Signals] = signal.SIGTERM
    """What asks the node to end."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._process: subprocess.Popen[bytes] | None = None
        self._meter: psutil.Process | None = None
        self._asked: subprocess.Popen[bytes] | None = None  # the process whose end is expected
        self._throttle: Throttle | None = None
        self._born = 0.0

    def become(self, spec: Spec) -> None:
        """
        Start the node as `spec` says from its next start on.
        """
        self.spec = spec

    def told(self) -> tuple[int, Mapping[str, str], Sequence[str]]:
        """
        Return (pid, environment, command line) of the process, as the kernel tells them. Raises NodeError if it does
        not run.
        """
        process, _ = self._running()
        try:
            of = psutil.Process(process.pid)
            return process.pid, of.environ(), of.cmdline()
        except psutil.Error as error:
            raise NodeError(f"{self.spec.name} ended") from error

    def spawn(self) -> None:
        """
        Start the process, without waiting for it. Raises NodeError if it runs already or cannot be started.
        """
        if self._process is not None and self.runs():
            raise NodeError(f"{self.spec.name} runs already (pid {self._process.pid})")
        self.spec.folder.mkdir(parents=True, exist_ok=True)
        with self.spec.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self.spec.command,
                    env=dict(self.spec.env),
                    cwd=self.spec.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a Ctrl-C at the terminal must reach only the harness
                )
            except OSError as error:
                raise NodeError(f"{self.spec.name} cannot be started: {error}") from error
        self._meter = psutil.Process(self._process.pid)
        self._born = self._meter.create_time()
        if self._throttle is not None:  # what limited the process before limits the one that takes its place
            self.throttle(self._throttle.share)

    def runs(self) -> bool:
        """
        Return whether the process runs, paused or not.
        """
        return self._process is not None and self._process.poll() is None

    def await_ready(self) -> None:
        """
        Return once the node is ready. Raises NodeError, with the end of the node's log, if the node ends or is not
        ready in time.
        """
        waiting = tenacity.Retrying(
            stop=tenacity.stop_after_delay(self.spec.patience),
            wait=tenacity.wait_fixed(POLL),
            retry=tenacity.retry_if_result(lambda ready: not ready),
        )
        try:
            waiting(self._is_ready)
        except tenacity.RetryError as error:
            answered = f" ({self.spec.asked()})" if self.spec.asked is not None else ""
            raise NodeError(
                f"{self.spec.name} was not ready after {self.spec.patience:g} s{answered}; "
                f"its log ends with\n{self._log_end()}"
            ) from error

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            status = None if self._process is None else self._process.returncode
            hint = ": it must go on running, as a worker does" if status == 0 else ""
            raise NodeError(
                f"{self.spec.name} ended before it was ready (exit status {status}){hint}; "
                f"its log ends with\n{self._log_end()}"
            )
        try:
            return self.spec.ready()
        except OSError:
            return False

    @override
    def kill(self) -> Death:
        """
        Send SIGKILL, then wait for the exit status of that process and for the end of its process group. Raises
        NodeError if the node does not run, or if another process of the group does not end.
        """
        process, started = self._running()
        self._asked = process
        self._send(process, signal.SIGKILL)
        status = process.wait()
        if not self._is_gone(process, _GROUP_ENDS_WITHIN):
            raise NodeError(f"{self.spec.name} was killed, and a process that it had started lives on")
        return Death(process.pid, started, status)

    @override
    def stop(self, grace: float) -> Death:
        """
        Send SIGTERM (or what the node is `stopped_by`) to the process group, then SIGKILL to those of its processes
        that still run after `grace` seconds. Raises NodeError as `kill`.
        """
        process, started = self._running()
        self._asked = process
        deadline = time.monotonic() + grace
        self._send(process, self.stopped_by)
        # Popen.wait(grace) would look only every 50 ms. A pidfd becomes readable at once when the process ends.
        pidfd = os.pidfd_open(process.pid)
        try:
            select.select([pidfd], [], [], grace)
        finally:
            os.close(pidfd)
        if process.poll() is None:
            return self.kill()
        if not self._is_gone(process, deadline - time.monotonic()):
            self._send(process, signal.SIGKILL)
            if not self._is_gone(process, _GROUP_ENDS_WITHIN):
                raise NodeError(f"{self.spec.name} was stopped, and a process that it had started lives on")
        return Death(process.pid, started, process.returncode)

    @override
    def pause(self) -> None:
        """
        Send SIGSTOP, and wait until every thread of the process has stopped. Raises NodeError if the node does not run.
        """
        process, _ = self._running()
        self._send(process, signal.SIGSTOP)
        groups.await_stop(process)

    @override
    def resume(self) -> None:
        if self._process is not None and self.runs():
            self._send(self._process, signal.SIGCONT)

    @override
    def throttle(self, share: float) -> None:
        """
        Limit the process to `share` of one core from now on. The limit does not include other processes of its group.
        Raises NodeError if the node does not run.
        """
        self._running()
        self.unthrottle()
        if self._meter is not None:
            self._throttle = Throttle(self._meter, share)
            self._throttle.start()

    @override
    def unthrottle(self) -> None:
        if self._throttle is not None:
            self._throttle.stop()
            self._throttle = None

    @override
    def consumed(self) -> tuple[float, float]:
        """
        Return (seconds of CPU that the process used since it started, seconds for which it has been held back). Raises
        NodeError if the node does not run.
        """
        self._running()
        try:
            return cpu_time(self._meter) if self._meter else 0.0, self._throttle.held if self._throttle else 0.0
        except psutil.NoSuchProcess as error:
            raise NodeError(f"{self.spec.name} ended") from error

    def fill(self) -> None:
        """
        Make every write of the process to a file fail from now on. If the process ends because of this, that does not
        count as a death that nobody asked for. Raises NodeError if the node does not run.

        The limit applies to the offset in the file at which a process writes. It does not apply to sockets and pipes
        (RLIMIT_FSIZE, setrlimit(2)). Processes that this process starts later inherit the limit; other processes of its
        group that run already do not have it.
        """
        process, _ = self._running()
        _, hard_limit = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        self._asked = process
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard_limit))

    def empty(self) -> None:
        """
        Let the process write to files again, if it runs.
        """
        if self._process is None or self._process.poll() is not None:
            return
        _, hard_limit = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (hard_limit, hard_limit))
        self._asked = None

    def end(self) -> None:
        """
        End the process if it runs, paused or not. If it cannot be ended, the guard ends it later.
        """
        with suppress(NodeError):
            self.kill()

    def _send(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """
        Send a signal to all processes of the node. Its own process leads their group, because it has a session of its
        own.
        """
        with suppress(ProcessLookupError):  # the process has just ended: its exit status says how
            os.killpg(process.pid, number)

    def _is_gone(self, process: subprocess.Popen[bytes], within: float) -> bool:
        """
        Wait at most `within` seconds until no process of the node is left; return whether that happened. Zombies do not
        count: in a container without an init process nobody reaps them, so they would stay for ever.
        """
        deadline = time.monotonic() + within
        while groups.lives(process.pid):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True

    def _running(self) -> tuple[subprocess.Popen[bytes], float]:
        """
        Return the process and when it started (seconds since the epoch). Raises NodeError if it does not run.
        """
        if self._process is None or self._meter is None or self._process.poll() is not None:
            raise NodeError(f"{self.spec.name} does not run")
        return self._process, self._meter.create_time()

    def death(self) -> Death | None:
        """
        Return how the process ended; None if it has not ended, or if the harness asked it to.

        Another thread may kill the node, or start it again, at the same time: what counts is whether the process that
        ended is the one that was asked to, not what is true of the node now.
        """
        process = self._process
        ended = self._end_of(process)
        return None if process is self._asked else ended

    def ended(self) -> Death | None:
        """
        Return how the process ended; None if it has not ended.
        """
        return self._end_of(self._process)

    def _end_of(self, process: subprocess.Popen[bytes] | None) -> Death | None:
        if process is None or process.poll() is None:
            return None
        return Death(process.pid, self._born, process.returncode)

    def is_halted(self) -> bool:
        """
        Return whether a signal has stopped the process, so that it does nothing until SIGCONT.
        """
        return self._meter is not None and groups.halted(self._meter.pid)

    @property
    def pid(self) -> int | None:
        """
        The pid of the process that was started last, which leads its process group; None if none was.
        """
        return None if self._process is None else self._process.pid

    def usage(self) -> tuple[float, int] | None:
        """
        Return (CPU in percent of one core since the last call, resident memory in bytes) of the process itself, without
        the others of its group; None if it does not run.
        """
        if self._meter is None:
            return None
        try:
            return self._meter.cpu_percent(), self._meter.memory_info().rss
        except psutil.Error:
            return None

    def _log_end(self, lines: int = 8) -> str:
        try:
            with self.spec.log.open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - 4096))
                text = log.read().decode(errors="replace")
        except OSError:
            return "  (no log)"
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
