"""
What installed packages add to the harness: faults and invariants of a team's own, by entry points.

    [project.entry-points."durable_workflow_harness.faults"]
    fd_limit = "acme_chaos.faults:FdLimit"           # name in a scenario = the fault's class

    [project.entry-points."durable_workflow_harness.invariants"]
    acme = "acme_chaos.invariants"                   # any name = a package that holds .sql files

Entry points are the standard way of Python packages to announce such things (Python Packaging User Guide, "Entry
points specification"). Nothing is imported before it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable

from harness.errors import UsageError

FAULTS = "durable_workflow_harness.faults"
INVARIANTS = "durable_workflow_harness.invariants"


@dataclass(frozen=True)
class Plugin:
    """
    One thing that an installed package adds: its name, and which package, in which version, has it.
    """

    name: str
    package: str
    version: str
    point: EntryPoint

    @property
    def words(self) -> str:
        """
        `fd_limit of acme-chaos 1.2 (acme_chaos.faults:FdLimit)`.
        """
        return f"{self.name} of {self.package} {self.version} ({self.point.value})"

    def load(self) -> object:
        """
        The object that the entry point names. Raises UsageError if it cannot be imported.
        """
        try:
            return self.point.load()
        except Exception as error:
            raise UsageError(
                f"{self.words} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall {self.package}"
            ) from error

    def folder(self) -> Traversable:
        """
        The folder of the package that the entry point names. Raises UsageError as `load` does.
        """
        self.load()
        return files(self.point.module)


def found(group: str) -> tuple[Plugin, ...]:
    """
    What installed packages add to `group`, in order of name and package.
    """
    plugins = [
        Plugin(
            name=point.name,
            package=point.dist.name if point.dist is not None else "a package without a name",
            version=point.dist.version if point.dist is not None else "?",
            point=point,
        )
        for point in entry_points(group=group)
    ]
    return tuple(sorted(plugins, key=lambda plugin: (plugin.name, plugin.package)))
