"""
One node as an operating-system process: started, found ready, ended, and never left behind.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import tenacity
from typing_extensions import override

from harness.backends.base import Death
from harness.backends.throttle import Throttle, cpu_time
from harness.backends.wired import Controlled
from harness.errors import NodeError

POLL = 0.02
"""Seconds between two looks at a condition: a node that is back is seen to be back no later than that."""
_GROUP_ENDS_WITHIN = 5.0
"""Seconds; what got SIGKILL is gone at once, unless the kernel has it wait for a disk."""


@dataclass(frozen=True)
class Spec:
    """
    How a node is started, and how it shows that it is ready.

    `ready` answers at once; a connection that is refused means no (it may raise OSError).
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path
    log: Path
    ready: Callable[[], bool]
    patience: float = 60.0


class Child(Controlled):
    """
    A node's process and whatever it starts in its group: where the node is a wrapper (`npm start`, `uv run`), those are
    what answers, and they are killed, stopped and paused with it. After `kill`, `start` brings it back as it was.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._process: subprocess.Popen[bytes] | None = None
        self._meter: psutil.Process | None = None
        self._expected = False
        self._throttle: Throttle | None = None

    def spawn(self) -> None:
        """
        Start the process, without waiting. Raises NodeError if it runs already or cannot be started.
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
                    start_new_session=True,  # a Ctrl-C at the terminal is for the harness alone
                )
            except OSError as error:
                raise NodeError(f"{self.spec.name} cannot be started: {error}") from error
        self._expected = False
        self._meter = psutil.Process(self._process.pid)

    def runs(self) -> bool:
        """
        Does the process run, paused or not?
        """
        return self._process is not None and self._process.poll() is None

    def await_ready(self) -> None:
        """
        Return once the node is ready. Raises NodeError, with the end of its log, if it ends or takes too long.
        """
        waiting = tenacity.Retrying(
            stop=tenacity.stop_after_delay(self.spec.patience),
            wait=tenacity.wait_fixed(POLL),
            retry=tenacity.retry_if_result(lambda ready: not ready),
        )
        try:
            waiting(self._is_ready)
        except tenacity.RetryError as error:
            raise NodeError(
                f"{self.spec.name} was not ready after {self.spec.patience:g} s; its log ends with\n{self._log_end()}"
            ) from error

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            status = None if self._process is None else self._process.returncode
            raise NodeError(
                f"{self.spec.name} ended before it was ready (exit status {status}); "
                f"its log ends with\n{self._log_end()}"
            )
        try:
            return self.spec.ready()
        except OSError:
            return False

    @override
    def kill(self) -> Death:
        """
        SIGKILL, and wait for the exit status of that very process and for the end of its group. Raises NodeError if it
        does not run, or one of its group lives on.
        """
        process, started = self._running()
        self._expected = True
        _signal(process, signal.SIGKILL)
        status = process.wait()
        if not _is_gone(process.pid, _GROUP_ENDS_WITHIN):
            raise NodeError(f"{self.spec.name} was killed, and a process that it had started lives on")
        return Death(process.pid, started, status)

    @override
    def stop(self, grace: float) -> Death:
        """
        SIGTERM, then SIGKILL to what of it still runs after `grace` seconds. Raises NodeError as `kill`.
        """
        process, started = self._running()
        self._expected = True
        deadline = time.monotonic() + grace
        _signal(process, signal.SIGTERM)
        # Not Popen.wait(grace), which looks only every 50 ms; this becomes readable when the process has ended.
        ended = os.pidfd_open(process.pid)
        try:
            select.select([ended], [], [], grace)
        finally:
            os.close(ended)
        if process.poll() is None:
            return self.kill()
        if not _is_gone(process.pid, deadline - time.monotonic()):
            _signal(process, signal.SIGKILL)
            if not _is_gone(process.pid, _GROUP_ENDS_WITHIN):
                raise NodeError(f"{self.spec.name} was stopped, and a process that it had started lives on")
        return Death(process.pid, started, process.returncode)

    @override
    def pause(self) -> None:
        """
        SIGSTOP, and wait until every thread of the process has stopped. Raises NodeError if it does not run.
        """
        process, _ = self._running()
        _signal(process, signal.SIGSTOP)
        # The parent is told once the whole process has stopped, waitid(2); an exit ends the wait too, unreaped.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    @override
    def resume(self) -> None:
        if self._process is not None and self.runs():
            _signal(self._process, signal.SIGCONT)

    @override
    def throttle(self, share: float) -> None:
        """
        Hold the process, without others of its group, to `share` of one core from now on. Raises NodeError if it does
        not run.
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
        Seconds of CPU that it used since it started, and seconds for which it is held back by now. Raises NodeError
        if it does not run.
        """
        self._running()
        try:
            return cpu_time(self._meter) if self._meter else 0.0, self._throttle.held if self._throttle else 0.0
        except psutil.NoSuchProcess as error:
            raise NodeError(f"{self.spec.name} ended") from error

    def fill(self) -> None:
        """
        From now on every write of the process to a file fails; that it ends of it is no surprise. Raises NodeError if
        it does not run.

        The limit is on the offset that is written to, and is not for sockets and pipes (RLIMIT_FSIZE, setrlimit(2)). It
        holds for what the process starts from then on, not for others of its group that run already.
        """
        process, _ = self._running()
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        self._expected = True
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, most))

    def empty(self) -> None:
        """
        Let the process write again, if it runs.
        """
        if self._process is None or self._process.poll() is not None:
            return
        _, most = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (most, most))
        self._expected = False

    def end(self) -> None:
        """
        End the process if it runs, paused or not. What cannot be ended is left to the guard.
        """
        with suppress(NodeError):
            self.kill()

    def _running(self) -> tuple[subprocess.Popen[bytes], float]:
        """
        The process and when it started (seconds since the epoch).
        """
        if self._process is None or self._meter is None or self._process.poll() is not None:
            raise NodeError(f"{self.spec.name} does not run")
        return self._process, self._meter.create_time()

    def death(self) -> Death | None:
        """
        How the process ended, if nobody asked it to.
        """
        return None if self._expected else self.ended()

    def ended(self) -> Death | None:
        """
        How the process ended, if it did.
        """
        if self._process is None or self._process.poll() is None:
            return None
        return Death(self._process.pid, 0.0, self._process.returncode)

    def usage(self) -> tuple[float, int] | None:
        """
        (CPU in percent of one core since the last call, resident bytes); None if it does not run.
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


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """
    Send a signal to the whole group of a node's process, which leads it (it has a session of its own).
    """
    with suppress(ProcessLookupError):  # it has ended just now: its exit status tells how
        os.killpg(process.pid, number)


def _is_gone(group: int, within: float) -> bool:
    """
    Is nobody of a process group left, at the latest after so many seconds? One that has ended and is nobody's child any
    more is a zombie for ever where nobody is init.
    """
    deadline = time.monotonic() + within
    while _is_there(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)  # at once, and the answer nearly always: the kernel knows no such group
    except ProcessLookupError:
        return False
    return any(_is_of(process, group) for process in psutil.process_iter())


def _is_of(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
