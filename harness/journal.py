"""
Crash-safe journals: JSON lines, one writer a file.

A line is one write() to a file opened for appending, so a writer that is killed at any byte tears at most
its own last line, and lines that were written are in the kernel and survive the writer. `sync` also
outlives the machine. A torn line lacks its end, and the next writer of the file begins on a line of its own; the
reader passes over torn lines, and `torn` counts them. Any other line that is no row is an error.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.errors import EvidenceError


class Journal:
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

    def write(self, row: Mapping[str, object], *, sync: bool = False) -> None:
        """
        Append one row; with `sync` return only once it is on disk.

        Raises OSError if it could not be written whole: evidence that is lost must not pass in silence.
        """
        line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
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


def read(file: Path) -> Iterator[dict[str, Any]]:
    """
    The rows of a journal, in order. Lines that a killed writer tore are left out; `torn` counts them.

    Raises EvidenceError for any other line that is no row.
    """
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if _is_torn(line):
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise EvidenceError(f"{file}:{number}: a broken line in a journal")
            yield row


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


class Tail:
    """
    Reads a journal while it is being written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0

    def poll(self) -> list[dict[str, Any]]:
        """
        The whole lines that were written since the last poll; none while the file does not exist.
        """
        try:
            with self._file.open("rb") as lines:
                lines.seek(self._offset)
                new = lines.read()
        except FileNotFoundError:
            return []
        written = new[: new.rfind(b"\n") + 1]
        self._offset += len(written)
        return [json.loads(line) for line in written.splitlines(keepends=True) if not _is_torn(line)]
