"""
From what a user asks for, on the command line or in Locust's form, to a plan. Opens only YAML files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.model import Asked, Plan
from harness.names import Store
from harness.planning import plan, scenario, target
from harness.planning.fitting import MisfitError
from harness.runtime.versions import DAPR


@dataclass(frozen=True)
class Request:
    """
    What a user asks for. `scenario` is a name or a path; `settings` are `path=value`; `rate` is starts per second. If a
    field is None, the scenario decides; if `dapr_version` is None, the pinned release is used.
    """

    scenario: str
    target: Path | None = None
    dapr_version: str | None = None
    defect: str | None = None
    settings: tuple[str, ...] = ()
    rate: float | None = None
    duration: str | None = None
    store: Store | None = None

    def plan(self, seed: int) -> Plan:
        """
        Return the plan for a seed. Raises UsageError if a file cannot be used, or if the scenario does not fit the
        target.
        """
        settings = tuple(self._overrides())
        file = scenario.find(self.scenario)
        read = scenario.load(file, settings)
        described = target.load(self.target or read.target)
        try:
            made = plan.make(read, described, seed=seed, dapr_version=self.dapr_version or DAPR, defect=self.defect)
        except MisfitError as error:
            scenario.refuse(file, settings, error.at, error.message)
            raise
        own = None if self.target is None else str(self.target)
        return made.model_copy(update={"asked": Asked(scenario=self.scenario, target=own, settings=settings)})

    def _overrides(self) -> Iterable[str]:
        yield from self.settings
        if self.rate is not None:
            yield f"load.rate={self.rate}"
        if self.duration is not None:
            yield f"load.duration={self.duration}"
        if self.store is not None:
            yield f"topology.store={self.store}"
