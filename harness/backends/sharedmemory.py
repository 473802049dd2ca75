"""
Shared memory of System V that a killed PostgreSQL server left on the machine.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_SEGMENTS = Path("/proc/sysvipc/shm")
"""proc(5). The columns that are used: key, shmid, cpid (its creator) and nattch (how many processes have it)."""
_IPC_RMID = 0
_KEY, _ID, _CREATOR, _ATTACHED = 0, 1, 4, 6
_LOCK_FILE = "postmaster.pid"
_OF_SEGMENT = 6
"""The line of the lock file with key and id of the segment; the first line is the server (PostgreSQL, pidfile.h)."""


def remove(data: Path) -> bool:
    """
    Remove the segment that the server of a folder made, if the server is dead and nobody has it. Return whether there
    was one. A server that shuts down removes it itself, and one that starts again takes the place of the old one.
    """
    try:
        lines = (data / _LOCK_FILE).read_text(encoding="utf-8").splitlines()
        made = (*lines[_OF_SEGMENT].split(), lines[0].strip(), "0")
        segments = [line.split() for line in _SEGMENTS.read_text(encoding="ascii").splitlines()[1:]]
    except (OSError, IndexError, ValueError):
        return False
    for columns in segments:
        if tuple(columns[at] for at in (_KEY, _ID, _CREATOR, _ATTACHED)) == made:
            return bool(ctypes.CDLL(None).shmctl(int(columns[_ID]), _IPC_RMID, None) == 0)
    return False
