"""
What this Locust works for. Locust creates its users itself, so there is no other way to pass a run to them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.load.work import RUN, WORKER_MARK, Work
from harness.locust.companion import Companion
from harness.rundir import RunDir


@dataclass
class Session:
    """
    `run` is the run for which load is made now. `companion` is the harness process of the newest run, if the user
    started Locust; it stays after the verdict, until the next test. `work` is a load on hosts.
    """

    run: RunDir | None = None
    work: Work | None = None
    companion: Companion | None = None

    @property
    def owned(self) -> bool:
        """
        Whether the harness started this Locust.
        """
        return RUN in os.environ

    @property
    def shares(self) -> bool:
        """
        Whether this Locust is one of several that share the load of the run.
        """
        return WORKER_MARK in os.environ


SESSION = Session(run=RunDir(Path(os.environ[RUN])) if RUN in os.environ else None)
"""The only global state of this package."""
