"""
From what a user asks for, by words on a command line or in Locust's form, to a plan. Opens nothing but YAML files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.model import Plan
from harness.planning import plan, scenario, target
from harness.runtime.versions import DAPR


@dataclass(frozen=True)
class Request:
    """
    What a run is asked to be. `scenario` is a name or a path, `settings` are `path=value`; what is None is left to the
    scenario, and the Dapr release to the pinned one.
    """

    scenario: str
    target: Path | None = None
    dapr_version: str | None = None
    defect: str | None = None
    settings: tuple[str, ...] = ()
    rate: float | None = None
    duration: str | None = None

    def plan(self, seed: int) -> Plan:
        """
        The plan of it under a seed. Raises UsageError if a file cannot be used, or scenario and target do not fit.
        """
        read = scenario.load(scenario.find(self.scenario), self._overrides())
        described = target.load(self.target or read.target)
        return plan.make(read, described, seed=seed, dapr_version=self.dapr_version or DAPR, defect=self.defect)

    def _overrides(self) -> Iterable[str]:
        yield from self.settings
        if self.rate is not None:
            yield f"load.rate={self.rate}"
        if self.duration is not None:
            yield f"load.duration={self.duration}"
