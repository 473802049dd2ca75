"""
PostgreSQL as a node. Each of its processes has a session of its own (PostgreSQL, `InitPostmasterChild`), so they are
not in the process group of the server, and are found as its children.
"""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import suppress
from typing import ClassVar

import psutil
from typing_extensions import override

from harness.backends import groups
from harness.backends.process import POLL, Child, Spec
from harness.errors import NodeError

_ENDS_WITHIN = 5.0
"""Seconds for a shutdown that is asked for."""


class PostgresNode(Child):
    """
    The server and its children, killed, paused and resumed together.
    """

    stopped_by: ClassVar[signal.Signals] = signal.SIGINT
    """A fast shutdown, as its official image has it. SIGTERM would wait for every client to leave, and pools stay."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self._ending: list[psutil.Process] = []  # children that a signal was sent to
        self._metered: list[psutil.Process] = []  # each measures from one look to the next

    @override
    def _send(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """
        Send a signal to the server; one that ends or stops it at once also to its children. It is stopped first, so
        that it has no child that is not known.
        """
        if number in (signal.SIGKILL, signal.SIGSTOP):
            super()._send(process, signal.SIGSTOP)
            groups.await_stop(process)
        if process.poll() is None:
            self._ending = _children(process)
        if number != signal.SIGSTOP:
            super()._send(process, number)
        if number != self.stopped_by:
            for child in self._ending:
                with suppress(psutil.NoSuchProcess):
                    child.send_signal(number)

    @override
    def _is_gone(self, process: subprocess.Popen[bytes], within: float) -> bool:
        deadline = time.monotonic() + within
        while any(map(_lives, self._ending)):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return super()._is_gone(process, deadline - time.monotonic())

    @override
    def usage(self) -> tuple[float, int] | None:
        """
        The server and its children together. Memory that they share is counted once, as the server's own.
        """
        used = super().usage()
        if used is None or self._process is None:
            return used
        cpu, memory = used
        known = {child: child for child in self._metered}
        self._metered = [known.get(child, child) for child in _children(self._process)]
        for child in self._metered:
            with suppress(psutil.Error):
                cpu += child.cpu_percent()
                its = child.memory_info()
                memory += its.rss - its.shared
        return cpu, memory

    @override
    def end(self) -> None:
        """
        Let the server shut down, and kill it only if it does not: a server that is killed leaves a segment of shared
        memory (System V) on the machine.
        """
        self.resume()
        with suppress(NodeError):
            self.stop(_ENDS_WITHIN)


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    """
    Return whether a process lives. A zombie does not: in a container without an init process nobody reaps it.
    """
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
