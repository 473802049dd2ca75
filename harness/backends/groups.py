"""
Processes of this machine and their groups, as the kernel tells of them.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

import psutil


def halted(pid: int) -> bool:
    """
    Return whether a signal has stopped a process of this machine; False if there is none, or it cannot be seen from
    here.
    """
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def await_stop(process: subprocess.Popen[bytes]) -> None:
    """
    Return once a process that was sent SIGSTOP has stopped, with every thread (waitid(2)), or has ended. It is not
    reaped.
    """
    with suppress(ChildProcessError):  # it has ended, and was reaped
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def lives(group: int) -> bool:
    """
    Return whether a process group has a process that lives. A zombie does not: in a container without an init process
    nobody reaps it, so it would stay for ever.
    """
    try:
        os.killpg(group, 0)  # fast, and nearly always enough: usually the kernel knows no such group any more
    except ProcessLookupError:
        return False
    return any(_is_of(process, group) for process in psutil.process_iter())


def _is_of(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
