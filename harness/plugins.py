"""
What installed packages add to the harness by entry points: faults and invariants of a team's own.

    [project.entry-points."durable_workflow_harness.faults"]
    fd_limit = "acme_chaos.faults:FdLimit"           # name in a scenario = the fault's class

    [project.entry-points."durable_workflow_harness.invariants"]
    acme = "acme_chaos.invariants"                   # any name = a package that holds .sql files

Entry points are the standard way in which Python packages announce such objects (Python Packaging User Guide, "Entry
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
    One entry point of an installed package: its name, and the name and version of the package.
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
        Return the object that the entry point names. Raises UsageError if it cannot be imported.
        """
        try:
            return self.point.load()
        except Exception as error:
            raise UsageError(
                f"{self.words} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall {self.package}"
            ) from error

    def folder(self) -> Traversable:
        """
        Return the folder of the package that the entry point names. Raises UsageError as `load` does.
        """
        self.load()
        try:
            return files(self.point.module)
        except TypeError as error:
            raise UsageError(f"{self.words} is no package that holds files; {self.package} must name one") from error


def found(group: str) -> tuple[Plugin, ...]:
    """
    Return the entry points of `group` in all installed packages, sorted by name and package.
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
