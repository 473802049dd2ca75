"""
Programs of the machine's own distribution: those on the PATH, or unpacked from its packages without installing them.

Packages can be unpacked on Debian and on distributions that derive from it. On others only the PATH is searched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ProvisionError

_DOWNLOAD = 600.0


@dataclass(frozen=True)
class Found:
    """
    Programs by name; the folder of the unpacked packages that holds them and their libraries (None: they are
    installed); and in words where they come from.
    """

    programs: Mapping[str, Path]
    extracted: Path | None
    where: str


def find(names: Sequence[str], packages: Sequence[str], folder: Path, beside_path: str = "") -> Found | None:
    """
    Return the programs `names`, all from the PATH or all from `packages`, which are unpacked below `folder`.

    `beside_path` is a pattern, relative to `/`, for more folders of programs. It is for packages whose programs are not
    on the PATH.

    Return None if this machine has neither the programs nor apt-get. Raises ProvisionError if apt-get fails.
    """
    on_path = {
        name: Path(path).resolve() for name in names if (path := shutil.which(name, path=_system_path(beside_path)))
    }
    if len(on_path) == len(names):
        return Found(on_path, None, f"on the PATH ({_version(on_path[names[0]])})")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    extracted = folder / packages[0]
    files = _download(packages, folder / f"{packages[0]}.debs")
    for file in files:
        _run("dpkg-deb", "--extract", str(file), str(extracted))
    programs = {name: inside for name in names if (inside := _program(extracted, name, beside_path))}
    programs = {**on_path, **programs}
    if missing := [name for name in names if name not in programs]:
        raise ProvisionError(f"{' and '.join(packages)} have no {', '.join(missing)}")
    versions = [file.name.rpartition("_")[0].replace("%3a", ":") for file in files if file.name.startswith(packages[0])]
    return Found(programs, extracted, f"of the distribution's package {versions[0] if versions else packages[0]}")


def _system_path(beside: str) -> str:
    """
    Return the PATH without the programs of this Python environment, which do not come from the distribution.
    """
    more = sorted(map(str, Path("/").glob(beside)), reverse=True) if beside else []
    folders = [*more, *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    return os.pathsep.join(folder for folder in folders if Path(folder) != Path(sys.prefix, "bin"))


def _download(packages: Sequence[str], folder: Path) -> list[Path]:
    """
    Download the packages, and the packages that they need and that are not installed. Nothing is installed, and no lock
    is taken.
    """
    (folder / "partial").mkdir(parents=True)
    _run(
        "apt-get",
        *("--quiet", "--yes", "--download-only", "--no-install-recommends", "--reinstall"),
        *("-o", f"Dir::Cache::archives={folder}", "-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root"),
        "install",
        *packages,
    )
    return sorted(folder.glob("*.deb"))


def _program(extracted: Path, name: str, beside: str) -> Path | None:
    more = sorted(extracted.glob(beside), reverse=True) if beside else []
    for place in (*(folder / name for folder in more), extracted / "usr/bin" / name, extracted / "bin" / name):
        if place.is_file():
            return place.resolve()
    return None


def _version(program: Path) -> str:
    """
    Return the first line of what a program prints about its version.
    """
    try:
        said = subprocess.run((program, "--version"), capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "which does not say its version"
    return said.partition("\n")[0].replace('"', "")


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_DOWNLOAD, stdin=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        said = " | ".join(line for line in error.stderr.splitlines()[-3:] if line)
        raise ProvisionError(f"`{' '.join(command[:1])}` failed: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProvisionError(f"`{command[0]}`: {error}") from error
