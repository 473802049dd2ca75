"""
Which version of its program a process runs: what its own environment and command line say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.backends.process import Spec


def version(specs: Mapping[str, Spec], environment: Mapping[str, str], command: Sequence[str]) -> str | None:
    """
    Return the version as which a process runs; None if it is none of `specs` (version -> how it is started).
    `environment` and `command` are what the kernel tells of the process.

    Only the variables in which the versions differ are compared: a wrapper may add others. The command decides between
    versions that have the same variables; an interpreter may stand before it.
    """
    every = {variable for spec in specs.values() for variable in spec.env}
    telling = [name for name in every if len({spec.env.get(name) for spec in specs.values()}) > 1]
    alike = [
        name for name, spec in specs.items() if all(environment.get(each) == spec.env.get(each) for each in telling)
    ]
    if len(alike) > 1:
        alike = [name for name in alike if tuple(command[-len(specs[name].command) :]) == specs[name].command]
    return alike[0] if len(alike) == 1 else None
