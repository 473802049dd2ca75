"""
`python -m harness.tap.act ACT COMMAND...`: start a sidecar with a tap that acts in front of it (`harness.tap.acting`).
ACT is an `Act` as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.tap.beside import beside


@dataclass(frozen=True)
class Act:
    """
    What a tap does between `listen` and `sidecar` (host:port), which belongs to the sidecar `node`.

    A `share` of the workflow turns is executed twice, by the application of another replica if one of `peers` (sidecar
    -> address of its acting tap) answers; the file `journal` gets what came of it. At `points` (`activity:point`) an
    activity is announced to `points_url`, and waits for the answer. So are the answers to calls of Dapr's API that do
    one of `operations` (`save`, ...).
    """

    listen: str
    sidecar: str
    node: str
    journal: str
    share: float
    peers: Mapping[str, str]
    points_url: str
    points: tuple[str, ...]
    operations: tuple[str, ...]

    def command(self) -> tuple[str, ...]:
        """
        Return the words in front of a sidecar's command that give it this tap.
        """
        return (sys.executable, "-P", "-m", "harness.tap.act", json.dumps(asdict(self)))


def main(act: str, *command: str) -> None:
    """
    Start the acting tap, and become `command`. Raises OSError if there is no such command.
    """
    fields = json.loads(act)
    given = Act(**{**fields, "points": tuple(fields["points"]), "operations": tuple(fields["operations"])})

    def serve(pid: int) -> None:
        from harness.journal import Journal
        from harness.rows import TurnTwice
        from harness.tap import acting

        with Journal[TurnTwice](Path(given.journal)) as turns:
            acting.run(given, turns, pid)

    beside(command, serve)


if __name__ == "__main__":
    main(*sys.argv[1:])
