"""
The record of a tap: a file of chunks, each with its connection, its direction and its time. One file holds one life of
one tap.

A file begins with MAGIC. Each chunk is a header (little-endian: time in nanoseconds since the epoch, 8 bytes; number of
the connection, 4 bytes; what it is, 1 byte; size of the data, 4 bytes), then the data. Each chunk is written by one
writev() before it is passed on. If the tap is killed at any byte, at most its last chunk is incomplete, and the other
side never got that chunk.

A record has all that was said, so it may have secrets in it: only its owner may read it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

AGENT = "harness-user-agent"
"""The header in which a tap that acts passes on what an application calls itself, as its own gRPC has another."""
MAGIC = b"HTAP\x00\x00\x00\x01"
_HEADER = struct.Struct("<QIBI")
SUFFIX = ".tap"


class What(IntEnum):
    """
    What a chunk is. OPENED and CLOSED have no data.
    """

    OPENED = 0
    FROM_APP = 1
    FROM_SIDECAR = 2
    CLOSED = 3


class Chunk(NamedTuple):
    """
    One chunk: `at_ns` is when the tap got it, in nanoseconds since the epoch; connections are numbered from 1.
    """

    at_ns: int
    connection: int
    what: int
    data: bytes


class Record:
    """
    The only writer of a record.
    """

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(self._fd, MAGIC)

    def write(self, at_ns: int, connection: int, what: int, data: memoryview | bytes = b"") -> None:
        """
        Append one chunk. Raises OSError if it could not be written completely, because lost evidence must not go
        unnoticed.
        """
        size = len(data)
        if os.writev(self._fd, (_HEADER.pack(at_ns, connection, what, size), data)) != _HEADER.size + size:
            raise OSError("a chunk of the tap's record was not written completely")


def create(folder: Path, node: str) -> Record:
    """
    Begin the next record of a sidecar: `<node>-<life>.tap`, where lives are numbered from 1. Raises OSError if the file
    cannot be created.
    """
    life = 1 + max((_life(file) for file in folder.glob(f"{node}-*{SUFFIX}")), default=0)
    return Record(folder / f"{node}-{life:06d}{SUFFIX}")


def every(folder: Path) -> dict[str, list[Path]]:
    """
    Return sidecar -> its records in order of its lives.
    """
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        found.setdefault(file.stem.rpartition("-")[0], []).append(file)
    return found


def _life(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def read(file: Path, begin: int = 0) -> Iterator[Chunk]:
    """
    Return the complete chunks of a record, in order, from its byte `begin` on, where a chunk begins (0: all). Raises
    ValueError if the file is no record, and OSError if it cannot be read.
    """
    with file.open("rb") as stored:
        begins = stored.read(len(MAGIC))
        if begins != MAGIC[: len(begins)]:
            raise ValueError(f"{file} is not the record of a tap")
        stored.seek(max(begin, len(begins)))
        while len(header := stored.read(_HEADER.size)) == _HEADER.size:
            at_ns, connection, what, size = _HEADER.unpack(header)
            data = stored.read(size)
            if len(data) < size:
                return
            yield Chunk(at_ns, connection, what, data)


def end(chunks: Iterable[Chunk], begin: int = 0) -> int:
    """
    Return the byte of a record at which chunks end that begin at its byte `begin`.
    """
    return max(begin, len(MAGIC)) + sum(_HEADER.size + len(chunk.data) for chunk in chunks)


def torn(file: Path) -> int:
    """
    Return how many chunks of a record are incomplete: 1 if its tap was killed while it wrote, else 0. Raises as `read`.
    """
    return int(file.stat().st_size != end(read(file)))
