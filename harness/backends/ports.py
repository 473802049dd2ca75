"""
Free TCP ports that belong to one run from its beginning to its end, even while the node that uses a port does not run.

The kernel's own choice (bind to port 0) cannot be used here. It comes from the range that outgoing connections use too,
so a port that was free at the start may be taken when a killed node wants it back. The ports here lie below that range
(on Linux it begins at 32768, ip(7)). A lock file for each port keeps other runs on this machine from using it.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError

_RANGE = range(20_000, 32_000)
HOST = "127.0.0.1"


class Ports:
    """
    A lease on ports, which are given out one by one. It is created by `lease`.
    """

    def __init__(self) -> None:
        self._locks: list[int] = []
        self._folder = Path(tempfile.gettempdir()) / f"harness-ports-{os.getuid()}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        candidates = list(_RANGE)
        random.SystemRandom().shuffle(candidates)
        self._candidates = iter(candidates)

    def take(self) -> int:
        """
        Return one more port on which nobody listens and which no other run holds. Raises HarnessError if there is none
        left.
        """
        for port in self._candidates:
            lock = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            if _is_free(port):
                self._locks.append(lock)
                return port
            os.close(lock)
        raise HarnessError(f"no free port between {_RANGE.start} and {_RANGE.stop}")

    def release(self) -> None:
        """
        Give all ports back.
        """
        while self._locks:
            os.close(self._locks.pop())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@contextmanager
def lease() -> Iterator[Ports]:
    """
    A lease on ports. It ends with the `with` block, or with the process, in whatever way that ends (flock(2)).
    """
    ports = Ports()
    try:
        yield ports
    finally:
        ports.release()
