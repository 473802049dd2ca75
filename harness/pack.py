"""
Packing runs for keeping: all that their verdicts rest on and the reports, small enough for an artifact of a CI job.

What a run must have to be judged again is always packed: the plan, the evidence, the invariants and known findings that
it brought, and the manifest. Its report, journals and logs are packed as long as the limit allows, those of runs that
do not hold first. `data/`, which the nodes kept, and `taps/`, which has all that they said, are nearly all of a run
directory, and no verdict reads them.

Unpacked, the folder is one as `--out` names it: `harness check RUN --out DIR` and `harness gate --out DIR` work there.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import last, rundir
from harness.errors import EvidenceError
from harness.files import write_whole
from harness.model import Result
from harness.rundir import RunDir

_NEVER = ("data", "stands", "taps")
_SHARED = (last.FILE, rundir.JUNIT, rundir.SUMMARY, "suite.json", "report.html")
"""What lies beside run directories: of the last command, and of a suite."""
_OPTIONAL = ("report.html", "journal", "logs")
"""In the order in which they are packed."""
_MOST_READ = 200 * 1024**2
"""Bytes of a journal or log that is read, to see how small it gets."""
_HEADER = 1024
"""Bytes that a file costs besides its content, at most: its header, and the rest of its last block."""


@dataclass(frozen=True)
class Packed:
    """
    An archive, its size in bytes, and the files that found no room in it.
    """

    file: Path
    size: int
    left_out: tuple[Path, ...]


def pack(root: Path, runs: Sequence[RunDir], file: Path, limit: int) -> Packed:
    """
    Write `runs`, and what tells of the last command below `root`, into `file`, a .tar.gz of at most `limit` bytes.

    It is larger only if what the verdicts rest on is. Raises OSError if something cannot be read or written.
    """
    root = root.resolve()
    suites = {run.path.parent for run in runs if run.path.parent.is_relative_to(root)}
    shared = [folder / name for folder in sorted({root, *suites}) for name in _SHARED]
    entries = [(path, _inside(root, path)) for path in shared if path.is_file()]
    optional: list[tuple[tuple[bool, int], Path, Path]] = []
    for run in runs:
        holds = _holds(run)
        for path in _files(run):
            kind = path.relative_to(run.path).parts[0]
            inside = _inside(root, run.path) / path.relative_to(run.path)
            if kind in _OPTIONAL:
                optional.append(((holds, _OPTIONAL.index(kind)), path, inside))
            else:
                entries.append((path, inside))
    room = limit - sum(_costs(path) for path, _ in entries)
    left_out = []
    for _, path, inside in sorted(optional):
        costs = _costs(path) if path.stat().st_size < _MOST_READ else room + 1
        if costs <= room:
            room -= costs
            entries.append((path, inside))
        else:
            left_out.append(inside)
    _write(file, entries)
    return Packed(file, file.stat().st_size, tuple(left_out))


def _inside(root: Path, path: Path) -> Path:
    """
    The path in the archive: as below `root`, or the bare name of what lies elsewhere.
    """
    return path.relative_to(root) if path.is_relative_to(root) else Path(path.name)


def _holds(run: RunDir) -> bool:
    try:
        return run.load_verdict().result is Result.HOLDS
    except EvidenceError:
        return False


def _files(run: RunDir) -> Iterator[Path]:
    for path in sorted(run.path.rglob("*")):
        kind = path.relative_to(run.path).parts[0]
        if kind not in _NEVER and path.is_file() and not path.is_symlink():
            yield path


def _costs(path: Path) -> int:
    return len(zlib.compress(path.read_bytes(), level=9)) + _HEADER


def _write(file: Path, entries: Sequence[tuple[Path, Path]]) -> None:
    """
    Write the archive, completely or not at all. The same files give the same bytes.
    """
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for path, inside in sorted(entries, key=lambda entry: entry[1]):
            content = path.read_bytes()
            header = tarfile.TarInfo(str(inside))
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    write_whole(file, packed.getvalue())
