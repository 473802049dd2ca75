"""
A limit of time for a call to a server that may stand still, and so keeps no limit of its own.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def after(seconds: float, end: Callable[[], None]) -> Iterator[None]:
    """
    Call `end`, in another thread, if the block takes longer than that.
    """
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def hang_up(connection: int) -> None:
    """
    End the connection of a socket (its file descriptor), so that whoever waits for it is told at once.
    """
    with socket.socket(fileno=os.dup(connection)) as its:
        its.shutdown(socket.SHUT_RDWR)
