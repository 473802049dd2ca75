"""
Processes of this machine and their groups, as the kernel tells of them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterable, Mapping
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


def others(leaders: Collection[int]) -> Mapping[int, list[psutil.Process]]:
    """
    Return the processes of these process groups without their leaders, by the leader's pid. They are the same objects
    at each call, so that each measures its CPU from one call to the next.
    """
    found: dict[int, list[psutil.Process]] = {leader: [] for leader in leaders}
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            group = os.getpgid(process.pid)
            if group in found and group != process.pid:
                found[group].append(process)
    return found


def used(processes: Iterable[psutil.Process]) -> tuple[float, int]:
    """
    Return the CPU of these processes since the last call in percent of one core, and their resident memory in bytes.
    One that has just ended, or that was not measured before, counts as 0.
    """
    cpu, memory = 0.0, 0
    for process in processes:
        with suppress(psutil.Error):
            cpu += process.cpu_percent()
            memory += process.memory_info().rss
    return cpu, memory


def _is_of(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
