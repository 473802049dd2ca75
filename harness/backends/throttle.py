"""
A limit on the CPU of a process, without root: SIGSTOP and SIGCONT in turn, as cpulimit does it.
"""

from __future__ import annotations

import threading
import time

import psutil

_SLICE = 0.02
"""Seconds between two looks; /proc counts CPU time in ticks of 10 ms."""


class Throttle:
    """
    Limits a process to `share` seconds of CPU a second, on average since the limit began.

    A process that needs less is never stopped. If the process ends, the limit ends too.
    """

    def __init__(self, process: psutil.Process, share: float) -> None:
        self._process = process
        self.share = share
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hold_back, name=f"throttle {process.pid}", daemon=True)
        self.held = 0.0
        """Seconds for which the process has been stopped so far."""

    def start(self) -> None:
        """
        Begin to limit the process.
        """
        self._thread.start()

    def stop(self) -> None:
        """
        End the limit and let the process continue. It is safe to call this twice.
        """
        self._over.set()
        self._thread.join()

    def _hold_back(self) -> None:
        stopped_at: float | None = None
        try:
            began, used = time.monotonic(), cpu_time(self._process)
            while not self._over.wait(_SLICE):
                now = time.monotonic()
                spent = cpu_time(self._process) - used >= self.share * (now - began)
                if spent and stopped_at is None:
                    self._process.suspend()
                    stopped_at = now
                elif stopped_at is not None:
                    self.held += now - stopped_at
                    stopped_at = now if spent else None
                    if not spent:
                        self._process.resume()
            if stopped_at is not None:
                self._process.resume()
        except psutil.NoSuchProcess:
            return


def cpu_time(process: psutil.Process) -> float:
    """
    Return the seconds of CPU that a process and all its threads used since it started (utime and stime of
    /proc/PID/stat, proc(5)).
    """
    times = process.cpu_times()
    return float(times.user + times.system)
