"""
The fault families. Adding one is adding a module and its line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.faults.base import Fault
from harness.faults.isolation import Isolate
from harness.faults.network import Bandwidth, Down, Latency, LimitData, Reset, Slicer, SlowClose, Timeout
from harness.faults.process import Kill, Pause, Stop
from harness.faults.provider import Misbehave
from harness.faults.starvation import DiskFull, Starve
from harness.faults.store import Disconnect, LoseData, OutOfMemory, ReadOnly

FAMILIES: Mapping[str, type[Fault]] = MappingProxyType(
    {
        "kill": Kill,
        "stop": Stop,
        "pause": Pause,
        "isolate": Isolate,
        "latency": Latency,
        "bandwidth": Bandwidth,
        "timeout": Timeout,
        "reset": Reset,
        "slicer": Slicer,
        "limit_data": LimitData,
        "slow_close": SlowClose,
        "down": Down,
        "misbehave": Misbehave,
        "starve": Starve,
        "disk_full": DiskFull,
        "disconnect": Disconnect,
        "out_of_memory": OutOfMemory,
        "read_only": ReadOnly,
        "lose_data": LoseData,
    }
)
"""Name in a scenario -> the model of its settings, which is also the fault."""


def make(name: str, settings: object) -> Fault:
    """
    The fault called `name` with `settings`, which were validated when the scenario was read.
    """
    return FAMILIES[name].model_validate(settings)
