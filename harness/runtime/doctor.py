"""
What is on this machine, what is missing, and how to fix it. Nothing is downloaded and nothing is changed.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec

import psutil
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness import plugins
from harness.errors import ProvisionError
from harness.runtime import cache, golang
from harness.runtime.locate import Search, search
from harness.runtime.parts import postgres
from harness.runtime.versions import GO_AT_LEAST, PYTHON_AT_LEAST, numbers

_GB = 1_000_000_000
_DISK_TO_RUN, _DISK_TO_BUILD = 1.0, 7.0
_MEMORY_TO_RUN, _MEMORY_TO_BUILD = 2.0, 3.0
"""
In GB. A build of Dapr 1.18.2 from empty caches took 6.0 GB of disk and 2.3 GB of memory. The values for a run are
estimates.
"""


@dataclass(frozen=True)
class Check:
    """
    The result of one check. `ok` is False if something must be fixed. `found` is also False for something optional that
    is missing. `mend` says how to fix it.
    """

    name: str
    ok: bool
    found: bool
    version: str = ""
    where: str = ""
    mend: str = ""


def doctor(*, dapr_version: str) -> list[Check]:
    """
    Check the five parts for a Dapr release, and everything else that a run or a build needs.

    Raises UsageError if `dapr_version` cannot be a version.
    """
    searches = search(dapr_version)
    complete = all(search.found for search in searches)
    return [
        *(_part(search) for search in searches),
        _postgres(),
        _python(),
        clash(metadata.distributions()),
        _go(),
        *_docker(),
        _disk(_DISK_TO_RUN if complete else _DISK_TO_BUILD),
        _memory(_MEMORY_TO_RUN if complete else _MEMORY_TO_BUILD),
    ]


def render(checks: Sequence[Check]) -> RenderableType:
    """
    Return the checks as a table for a terminal.
    """
    table = Table("", "", "version", "where", box=None, padding=(0, 1))
    for check in checks:
        table.add_row(_mark(check), check.name, check.version, Text(check.where))
        if check.mend:
            table.add_row("", "", "", Text(check.mend, "yellow"))
    return table


def of_plugin(kind: str, plugin: plugins.Plugin, problem: str | None) -> Check:
    """
    What an installed package adds, and from where; `problem` says why it cannot be used, if it cannot.
    """
    return Check(
        name=f"{kind} {plugin.name}",
        ok=problem is None,
        found=True,
        version=plugin.version,
        where=f"{plugin.point.value} of {plugin.package}",
        mend=problem or "",
    )


def clash(installed: Iterable[metadata.Distribution]) -> Check:
    """
    Check whether dapr 1.19 or newer and dapr-ext-workflow are both installed. From 1.19 on, dapr contains
    dapr.ext.workflow itself.

    pip installs both without a warning, and the package that was installed last overwrites the files of the other.
    """
    name = "Dapr packages"
    packages = {package.name: package for package in installed if package.name in ("dapr", "dapr-ext-workflow")}
    where = ", ".join(f"{key} {package.version}" for key, package in sorted(packages.items()))
    if "dapr" not in packages:
        return Check(name, ok=False, found=False, mend="install this project's requirements: make setup")
    version = packages["dapr"].version
    if len(packages) == 1 or numbers(version) < (1, 19):
        return Check(name, ok=True, found=True, version=version, where=where)
    both = set.intersection(*({str(file) for file in package.files or ()} for package in packages.values()))
    return Check(
        name,
        ok=False,
        found=True,
        version=version,
        where=f"{where}: both own dapr.ext.workflow, {len(both)} files were overwritten",
        mend="pip uninstall dapr dapr-ext-workflow, then make setup (or: pip install 'dapr[workflow]>=1.19' alone)",
    )


def _mark(check: Check) -> Text:
    if not check.ok:
        return Text("no", "bold red")
    return Text("ok", "green") if check.found else Text("-", "dim")


def _part(search: Search) -> Check:
    part = search.part
    if search.found is None:
        seen = search.refused or "; ".join(search.passed_over) or "not on this machine"
        mend = "" if search.refused else f"{part.mend}, or set {part.variable}"
        return Check(part.name, ok=False, found=False, version=part.version, where=seen, mend=mend)
    path, version = search.found.path, search.found.version
    where = f"{path} ({search.found.where})"
    record = cache.provenance(path) if path == cache.place(part) else None
    if record and record.sha256 != cache.sha256(path):
        mend = f"remove {path} and run `harness provision`: its bytes are not those that were put there"
        return Check(part.name, ok=False, found=True, version=version, where=where, mend=mend)
    return Check(part.name, ok=True, found=True, version=version, where=where)


def _postgres() -> Check:
    """
    Check PostgreSQL and its driver, which only a run with this state store needs.
    """
    (searched,) = search("", postgres)
    there = _part(searched)
    lacks = [there.mend] if there.mend else []
    if find_spec("psycopg") is None:
        lacks.append("install its driver: pip install 'durable-workflow-harness[postgresql]'")
    where = "; ".join(filter(None, (there.where, "only needed for --store postgres", *lacks)))
    return replace(there, ok=searched.refused is None, found=there.found and not lacks, where=where, mend="")


def _python() -> Check:
    version = platform.python_version()
    ok = numbers(version) >= numbers(PYTHON_AT_LEAST)
    return Check(
        "Python",
        ok=ok,
        found=True,
        version=version,
        where=sys.executable,
        mend="" if ok else f"install Python {PYTHON_AT_LEAST}",
    )


def _go() -> Check:
    try:
        go = golang.find()
    except ProvisionError as error:
        where = f"{error}; only needed to build what cannot be downloaded, then {GO_AT_LEAST} or newer"
        return Check("Go", ok=True, found=False, where=where)
    return Check("Go", ok=True, found=True, version=go.version, where=str(go.path))


def _docker() -> Iterable[Check]:
    """
    Check the Docker engine, and the plugin of the docker command that reads compose files.
    """
    for name, arguments, lacking in (
        ("Docker", ("version", "--format", "{{.Server.Version}}"), "no engine answers"),
        ("Compose", ("compose", "version", "--short"), "no plugin; `harness provision --compose` makes one"),
    ):
        optional = "only needed for the compose backend"
        try:
            asked = subprocess.run(
                (shutil.which("docker") or "docker", *arguments), capture_output=True, text=True, timeout=5, check=True
            )
        except (OSError, subprocess.SubprocessError):
            yield Check(name, ok=True, found=False, where=f"{lacking}; {optional}")
        else:
            yield Check(name, ok=True, found=True, version=asked.stdout.strip(), where=optional)


def _disk(needed: float) -> Check:
    folder = next(folder for folder in (cache.root(), *cache.root().parents) if folder.exists())
    return _enough("disk", shutil.disk_usage(folder).free / _GB, needed, f"in {folder}")


def _memory(needed: float) -> Check:
    return _enough("memory", psutil.virtual_memory().available / _GB, needed, "available")


def _enough(name: str, free: float, needed: float, where: str) -> Check:
    ok = free >= needed
    mend = "" if ok else f"free {needed - free:.1f} GB more: {needed:g} GB are needed"
    return Check(name, ok=ok, found=True, version=f"{free:.1f} GB", where=f"free {where}", mend=mend)
