"""
The manifest: the digests of what a run left. With it, evidence that was changed or mixed up later is not judged as if
it were the run's own.

`SHA256SUMS` in the run directory has the format of coreutils, so `sha256sum -c SHA256SUMS` can read it, too. It
protects against mistakes, but not against somebody who writes a new manifest.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from harness.files import BY_HARNESS, read_up_to, write_whole
from harness.rundir import RunDir

_NAME = re.compile(r"plan\.json|evidence/[A-Za-z0-9_]+\.parquet|(invariants|known)/[^/\x00-\x1f]+\.sql")
"""Every name that a manifest can have. No other file is opened, whatever a stranger's manifest says."""


def write(run: RunDir) -> None:
    """
    Write the manifest of what is there now: plan.json, every evidence table, and the invariants in the run directory.
    Raises OSError if it cannot be written.
    """
    text = "".join(f"{_digest(run.path / name)}  {name}\n" for name in _files(run))
    write_whole(run.sums, text)


def modified(run: RunDir) -> tuple[str, ...]:
    """
    Return the files that are not as the run left them, sorted, as paths in the run directory.

    A missing evidence table is not among them, because every verdict reports it anyway. A missing invariant is among
    them, because nothing else would report it. A run without a manifest did not come to its end, or was made by hand.
    Then the result is the manifest itself, as it is where that is no text.
    """
    try:
        lines = read_up_to(BY_HARNESS, run.sums).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return (run.sums.name,)
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if strange := sorted(name for name in sums if not _NAME.fullmatch(name)):
        return tuple(f"{run.sums.name}, which names {name}" for name in strange)
    names = {*_files(run), *(name for name in sums if not name.startswith(f"{run.evidence.name}/"))}
    return tuple(sorted(name for name in names if not _is(run.path / name, sums.get(name))))


def _files(run: RunDir) -> list[str]:
    found = [run.plan, *run.evidence.glob("*.parquet"), *run.invariants.glob("*.sql"), *run.known.glob("*.sql")]
    return sorted(str(file.relative_to(run.path)) for file in found if file.is_file())


def _is(file: Path, digest: str | None) -> bool:
    return file.is_file() and _digest(file) == digest


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
