"""
The fault families. To add one, add a module and its line here. A package of a team's own adds its faults by entry
points (`harness.plugins`).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from harness import plugins
from harness.errors import UsageError
from harness.faults.base import Fault
from harness.faults.broken_links import Down, LimitData, Reset, Timeout
from harness.faults.isolation import Isolate
from harness.faults.process import Kill, Pause, Stop
from harness.faults.provider import Misbehave
from harness.faults.scale import ScaleIn, ScaleOut
from harness.faults.slow_links import Bandwidth, Latency, Slicer, SlowClose
from harness.faults.starvation import DiskFull, Starve
from harness.faults.store import Disconnect, LoseData, OutOfMemory, ReadOnly
from harness.faults.upgrade import Upgrade

BUILT_IN: Mapping[str, type[Fault[Any]]] = MappingProxyType(
    {
        "kill": Kill,
        "stop": Stop,
        "upgrade": Upgrade,
        "scale_out": ScaleOut,
        "scale_in": ScaleIn,
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
"""Name in a scenario -> the fault's class, which is also the model of its settings."""


@cache
def families() -> Mapping[str, type[Fault[Any]]]:
    """
    Return every fault that a scenario can name, by name: the built-in faults and those of installed packages.

    Raises UsageError if a fault of a package cannot be loaded, is not a fault, or has a name that is already taken.
    """
    every = dict(BUILT_IN)
    for plugin in plugins.found(plugins.FAULTS):
        every[plugin.name] = _of_package(plugin, every)
    return MappingProxyType(every)


def _of_package(plugin: plugins.Plugin, taken: Mapping[str, type[Fault[Any]]]) -> type[Fault[Any]]:
    if plugin.name in taken:
        raise UsageError(f"fault {plugin.words} has a name that is taken; {plugin.package} must give it another one")
    family = plugin.load()
    if not (isinstance(family, type) and issubclass(family, Fault)) or inspect.isabstract(family):
        raise UsageError(
            f"fault {plugin.words} is no class derived from harness.faults.base.Fault that has apply, prove and heal"
        )
    return family


def problem(plugin: plugins.Plugin) -> str | None:
    """
    Why a fault of a package cannot be used; None if it can.
    """
    try:
        _of_package(plugin, BUILT_IN)
    except UsageError as error:
        return str(error)
    return None


def make(name: str, settings: object) -> Fault[Any]:
    """
    Return the fault called `name` with `settings`, which were validated when the scenario was read.

    Raises UsageError if no such fault is installed here. The plan may have been made on a machine that has it.
    """
    family = families().get(name)
    if family is None:
        raise UsageError(f'there is no fault "{name}" here; install the package that brings it')
    return family.model_validate(settings)
