"""
Crash-safe journals: files of JSON lines, each with one writer; and which journals a run has.

Each line is written by one write() to a file that is opened for appending. If the writer is killed at any byte, at most
its own last line is torn, which means incomplete. Lines that were written are in the kernel and survive the writer.
With `sync` they also survive a crash of the machine. The next writer of a file with a torn line begins on a new line.
The reader skips torn lines, and `torn` counts them. Any other line that is not a row is an error.
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

_OPERATIONS, _REQUESTS, _ATTEMPTS, _TURNS = "operations-", "requests-", "attempts-", "turns-"
_WORKER = "load-"


class Journal(Generic[RowT]):
    """
    The only writer of a journal file. Threads can share it.
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
        Append one row. With `sync`, return only when the row is on disk.

        Raises OSError if the row could not be written completely, because lost evidence must not go unnoticed.
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
        Close the file. Writing afterwards raises OSError.
        """
        with self._lock:
            fd, self._fd = self._fd, -1  # the kernel may give the number to another file
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(file: Path, rows: TypeAdapter[RowT]) -> Iterator[RowT]:
    """
    Return the rows of a journal, in order. Torn lines are left out; `torn` counts them.

    Raises EvidenceError for any other line that is not a row, and OSError if the file cannot be read.
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
    Return how many lines of a journal are torn: their writer was killed before their end.
    """
    with file.open("rb") as lines:
        return sum(map(_is_torn, lines))


def _is_torn(line: bytes) -> bool:
    """
    Return whether the end of this line is missing. A row is a JSON object.
    """
    return not line.endswith(b"\n") or (line.startswith(b"{") and not line.rstrip().endswith(b"}"))


class Tail(Generic[RowT]):
    """
    Reads a journal while it is being written. If a line is not a row, `broken` is called with the error, and the line
    is skipped. Without `broken` such a line is an error.
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
        Return the rows of the complete lines that were written since the last poll; none while the file does not exist.

        Raises EvidenceError for a line that is not a row, if there is no `broken`.
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
        When the load began and ended, and which worker was to send what, if several share it.
        """
        return self.folder / "load.jsonl"

    def worker(self, client: str) -> Path:
        """
        What one of several workers that share a load tells the run.
        """
        return self.folder / f"{_WORKER}{client}.jsonl"

    @property
    def points(self) -> Path:
        """
        Executions that were held for aimed faults; not there if the plan aims at none.
        """
        return self.folder / "points.jsonl"

    def turns(self, sidecar: str) -> Path:
        """
        The workflow turns of one sidecar that were executed twice, written by its acting tap.
        """
        return self.folder / f"{_TURNS}{sidecar}.jsonl"

    def operations(self, client: str) -> Path:
        """
        The calls of one client.
        """
        return self.folder / f"{_OPERATIONS}{client}.jsonl"

    def requests(self, client: str) -> Path:
        """
        What one client asks of instances after their start; not there if it asks nothing.
        """
        return self.folder / f"{_REQUESTS}{client}.jsonl"

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

    def every_requests(self) -> list[Path]:
        """
        The journals of what clients asked of instances after their start that are there, by name.
        """
        return sorted(self.folder.glob(f"{_REQUESTS}*.jsonl"))

    def every_turns(self) -> list[Path]:
        """
        The journals of acting taps that are there, by name.
        """
        return sorted(self.folder.glob(f"{_TURNS}*.jsonl"))

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
