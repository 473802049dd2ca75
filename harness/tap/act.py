"""
`python -m harness.tap.act LISTEN SIDECAR JOURNAL NODE SHARE PEERS COMMAND...`: start a sidecar with a tap that acts in
front of it (`harness.tap.acting`). PEERS are the acting taps of the other sidecars: `node=host:port`, with commas.
"""

from __future__ import annotations

import os
import sys

from harness.tap.beside import beside


def main(listen: str, sidecar: str, journal: str, node: str, share: str, peers: str, *command: str) -> None:
    """
    Start the acting tap from `listen` to `sidecar` (host:port), and become `command`. What came of a `share` of the
    workflow turns is appended to the file `journal`. Raises OSError if there is no such command.
    """

    def serve(pid: int) -> None:
        from harness.tap import acting

        file = os.open(journal, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.write(file, b"\n")  # the tap before was killed in the middle of a line
        others = dict(peer.split("=") for peer in peers.split(",") if peer)
        acting.run(listen, sidecar, node, float(share), others, file, pid)

    beside(command, serve)


if __name__ == "__main__":
    main(*sys.argv[1:])
