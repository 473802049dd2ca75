"""
`python -m harness.tap.act LISTEN SIDECAR JOURNAL NODE SHARE PEERS COMMAND...`: start a sidecar with a tap that acts in
front of it (`harness.tap.acting`). PEERS are the acting taps of the other sidecars: `node=host:port`, with commas.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.tap.beside import beside


def main(listen: str, sidecar: str, journal: str, node: str, share: str, peers: str, *command: str) -> None:
    """
    Start the acting tap from `listen` to `sidecar` (host:port), and become `command`. What came of a `share` of the
    workflow turns is appended to the file `journal`. Raises OSError if there is no such command.
    """

    def serve(pid: int) -> None:
        from harness.journal import Journal
        from harness.rows import TurnTwice
        from harness.tap import acting

        others = dict(peer.split("=") for peer in peers.split(",") if peer)
        with Journal[TurnTwice](Path(journal)) as turns:
            acting.run(listen, sidecar, node, float(share), others, turns, pid)

    beside(command, serve)


if __name__ == "__main__":
    main(*sys.argv[1:])
