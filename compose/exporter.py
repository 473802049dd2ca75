"""
The metrics of a run, from its journals alone (docs/metrics.md), for the Prometheus in containers.

Runs in the harness's own image (compose/load/Dockerfile) beside a run, with its journal folder mounted read-only at
/journal.
"""

from __future__ import annotations

import threading
from pathlib import Path

from harness.journal import Journals
from harness.running.metrics import RunMetrics, served

PORT = 8080


def main() -> None:
    """
    Serve until stopped.
    """
    with served(PORT, "0.0.0.0") as registry:  # noqa: S104 - in a container
        registry.register(RunMetrics(Journals(Path("/journal"))))
        threading.Event().wait()


if __name__ == "__main__":
    main()
