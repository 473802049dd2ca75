"""
Crash-safe journals: JSON lines, one writer a file; and which journals a run has.

A line is one write() to a file opened for appending, so a writer that is killed at any byte tears at most
its own last line, and lines that were written are in the kernel and survive the writer. `sync` also
outlives the machine. A torn line lacks its end, and the next writer of the file begins on a line of its own; the
reader passes over torn lines, and `torn` counts them. Any other line that is no row is an error.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from harness.errors import EvidenceError
from harness.rows import Row

RowT = TypeVar("RowT", bound=Row)

_OPERATIONS, _ATTEMPTS = "operations-", "attempts-"


class Journal(Generic[RowT]):
    """
    The one writer of a journal file; safe to share between threads.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._lock = threading.Lock()
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")  # an earlier writer was killed in the middle of a line

    def write(self, row: RowT, *, sync: bool = False) -> None:
        """
        Append one row; with `sync` return only once it is on disk.

        Raises OSError if it could not be written whole: evidence that is lost must not pass in silence.
        """
        line = row.model_dump_json(by_alias=True).encode() + b"\n"
        with self._lock:
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes of a journal line were written")
            if sync:
                os.fsync(self._fd)

    def close(self) -> None:
        """
        Close the file; writing afterwards is an error.
        """
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(file: Path, rows: TypeAdapter[RowT]) -> Iterator[RowT]:
    """
    The rows of a journal, in order. Lines that a killed writer tore are left out; `torn` counts them.

    Raises EvidenceError for any other line that is no row, OSError if the file cannot be read.
    """
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not _is_torn(line):
                yield _row(file, number, line, rows)


def _row(file: Path, number: int, line: bytes, rows: TypeAdapter[RowT]) -> RowT:
    try:
        return rows.validate_json(line)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        reason = f"{where}: {problem['msg']}" if where else problem["msg"]
        raise EvidenceError(f"{file}:{number}: a broken line in a journal: {reason}") from error


def torn(file: Path) -> int:
    """
    How many lines of a journal lack their end, because their writer was killed in the middle of them.
    """
    with file.open("rb") as lines:
        return sum(map(_is_torn, lines))


def _is_torn(line: bytes) -> bool:
    """
    Does this line lack its end? A row is a JSON object.
    """
    return not line.endswith(b"\n") or (line.startswith(b"{") and not line.rstrip().endswith(b"}"))


class Tail(Generic[RowT]):
    """
    Reads a journal while it is being written. A line that is no row is told to `broken`, and passed over; without
    `broken` it is an error.
    """

    def __init__(
        self, file: Path, rows: TypeAdapter[RowT], broken: Callable[[EvidenceError], object] | None = None
    ) -> None:
        self._file = file
        self._rows = rows
        self._broken = broken
        self._offset = 0
        self._number = 0

    def poll(self) -> list[RowT]:
        """
        The whole lines that were written since the last poll; none while the file does not exist.

        Raises EvidenceError for a line that is no row, if nobody else is told of it.
        """
        try:
            with self._file.open("rb") as lines:
                lines.seek(self._offset)
                new = lines.read()
        except FileNotFoundError:
            return []
        written = new[: new.rfind(b"\n") + 1]
        self._offset += len(written)
        found = []
        for line in written.splitlines(keepends=True):
            self._number += 1
            if _is_torn(line):
                continue
            try:
                found.append(_row(self._file, self._number, line, self._rows))
            except EvidenceError as error:
                if self._broken is None:
                    raise
                self._broken(error)
        return found


@dataclass(frozen=True)
class Journals:
    """
    The journals of a run: JSON lines in one folder, one writer a file. What is in them is said in `harness.rows`.
    """

    folder: Path

    @property
    def faults(self) -> Path:
        """
        What the chaos controller did.
        """
        return self.folder / "faults.jsonl"

    @property
    def phases(self) -> Path:
        """
        When each phase of the run began and ended.
        """
        return self.folder / "phases.jsonl"

    @property
    def samples(self) -> Path:
        """
        What each node used.
        """
        return self.folder / "samples.jsonl"

    @property
    def load(self) -> Path:
        """
        When the load began and ended.
        """
        return self.folder / "load.jsonl"

    @property
    def points(self) -> Path:
        """
        Executions that were held for aimed faults; not there if the plan aims at none.
        """
        return self.folder / "points.jsonl"

    def operations(self, client: str) -> Path:
        """
        The calls of one client.
        """
        return self.folder / f"{_OPERATIONS}{client}.jsonl"

    def attempts(self, node: str) -> Path:
        """
        The executions of activities on one node, written by the target.
        """
        return self.folder / f"{_ATTEMPTS}{node}.jsonl"

    def every_operations(self) -> list[Path]:
        """
        The journals of all clients that are there, by name.
        """
        return sorted(self.folder.glob(f"{_OPERATIONS}*.jsonl"))

    def every_attempts(self) -> list[Path]:
        """
        The attempts files that are there, by name.
        """
        return sorted(self.folder.glob(f"{_ATTEMPTS}*.jsonl"))

    def every(self) -> list[Path]:
        """
        All journals that are there, by name.
        """
        return sorted(self.folder.glob("*.jsonl"))
