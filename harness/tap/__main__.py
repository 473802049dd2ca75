"""
`python -m harness.tap LISTEN SIDECAR FOLDER NODE COMMAND...`: start a sidecar with a tap in front of it.

The tap listens before the sidecar begins, and ends after it. Without COMMAND, for a sidecar in a container, there is
the tap alone, and it ends with the process that started it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.tap.beside import address, beside, listener


def main(listen: str, sidecar: str, folder: str, node: str, *command: str) -> None:
    """
    Begin to listen at `listen` (host:port), start the tap to `sidecar`, and become `command`, if there is one. The
    record goes to a new file in `folder` for the sidecar `node`. Raises OSError if the address is taken or there is no
    such command.
    """
    listens = listener(listen)

    def serve(pid: int) -> None:
        from harness.tap import record
        from harness.tap.tee import Tee

        Tee(listens, address(sidecar), record.create(Path(folder), node), pid).run()

    if command:
        beside(command, serve)
    serve(os.getppid())


if __name__ == "__main__":
    main(*sys.argv[1:])
