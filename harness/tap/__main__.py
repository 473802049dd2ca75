"""
`python -m harness.tap LISTEN SIDECAR FOLDER NODE COMMAND...`: start a sidecar with a tap in front of it.

This process becomes the sidecar (execve), so what is asked of its pid concerns the sidecar itself: its exit status, its
CPU, its limits. The tap is its child, in the same process group: it is killed, stopped and paused with the sidecar. It
listens before the sidecar begins, and ends after it. If the tap fails, it ends the whole group: a sidecar that nobody
can reach must not look as if it had hung by itself.
"""

from __future__ import annotations

import os
import socket
import sys

_BACKLOG = 128


def main(listen: str, sidecar: str, folder: str, node: str, *command: str) -> None:
    """
    Begin to listen at `listen` (host:port), fork the tap to `sidecar`, and become `command`. The record goes to a new
    file in `folder` for the sidecar `node`. Raises OSError if the address is taken or there is no such command.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(_address(listen))
    listener.listen(_BACKLOG)
    leader = os.getpid()
    if os.fork():
        os.execv(command[0], command)  # noqa: S606 - the sidecar is meant
    # Imported here, so that the sidecar need not wait for it.
    from harness.tap import tee

    tee.serve(listener, _address(sidecar), folder, node, leader)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    main(*sys.argv[1:])
