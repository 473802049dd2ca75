"""
A program beside a sidecar: this process becomes the sidecar, and its child does something for as long as that lives.

So what is asked of the pid concerns the sidecar itself: its exit status, its CPU, its limits. The child is in the same
process group: it is killed, stopped and paused with the sidecar. If it fails, it ends the whole group: a sidecar that
nobody can reach must not look as if it had hung by itself.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

_BACKLOG = 128


def beside(command: tuple[str, ...], serve: Callable[[int], None]) -> NoReturn:
    """
    Become `command`, with a child that calls `serve` with the pid of this process. Raises OSError if there is no such
    command.
    """
    leader = os.getpid()
    if os.fork():
        os.execvp(command[0], command)  # noqa: S606 - the sidecar or service is meant
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # a sidecar that is asked to end still talks to its application
    try:
        serve(leader)
    except BaseException:  # noqa: BLE001 - whatever it is, it is written to the sidecar's log, and must be noticed
        traceback.print_exc()
        sys.stderr.flush()
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def address(text: str) -> tuple[str, int]:
    """
    Return the (host, port) of `host:port`.
    """
    host, _, port = text.rpartition(":")
    return host, int(port)


def listener(text: str) -> socket.socket:
    """
    Return a socket that listens at `host:port`. Raises OSError if the address is taken.
    """
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address(text))
    made.listen(_BACKLOG)
    return made
