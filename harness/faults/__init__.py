"""
The fault families. Adding one is adding a module and its line here.
"""

from __future__ import annotations

from types import MappingProxyType

from harness.faults.base import Fault
from harness.faults.kill import Kill
from harness.faults.latency import Latency
from harness.model import Value

FAMILIES = MappingProxyType({"kill": Kill, "latency": Latency})
"""Name in a scenario -> the model of its settings, which is also the fault."""


def make(name: str, settings: object) -> Fault:
    """
    The fault called `name` with `settings` (validated when the scenario was read).
    """
    fault: Fault = FAMILIES[name].model_validate(settings)
    return fault


def settings_models() -> dict[str, type[Value]]:
    """
    Each fault's name and the model of its settings, for reading scenarios.
    """
    return dict(FAMILIES)
