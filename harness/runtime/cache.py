"""
The harness's own store of binaries. Every binary in it is complete, and has a record of how it was obtained.

    ${XDG_CACHE_HOME:-~/.cache}/durable-workflow-harness/
        dapr-1.18.2/daprd         the binary
        dapr-1.18.2/daprd.json    its Provenance
        .lock  .staging/          of the one provision that is running; the next one removes what a dead one left
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from harness.errors import ProvisionError
from harness.model import Value
from harness.runtime.parts import Part


class Provenance(Value):
    """
    How a binary of the cache was obtained, the checksum with which its source was compared, its own SHA-256 (hex), and
    when it was installed (UTC).
    """

    how: str
    checked: str
    sha256: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.how}; {self.checked}; {self.at:%Y-%m-%d}"


def root() -> Path:
    """
    Return the folder of the cache. A relative XDG_CACHE_HOME is ignored, as the XDG Base Directory Specification
    demands.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "durable-workflow-harness"


def place(part: Part) -> Path:
    """
    Return the path of a part's binary in the cache, whether it exists or not. Each release has a folder of its own, so
    several releases can be in the cache.
    """
    release = part.module.path.split("/")[2] if part.module else part.name
    return root() / f"{release}-{part.version}" / part.name


def provenance(binary: Path) -> Provenance | None:
    """
    Return the record of a binary of the cache; None if there is none that can be read.
    """
    try:
        return Provenance.model_validate_json(_record(binary).read_bytes())
    except (OSError, ValidationError):
        return None


def sha256(file: Path) -> str:
    """
    Return the SHA-256 of a file's bytes, in hex.
    """
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def staging(wait: Callable[[], None]) -> Iterator[Path]:
    """
    An empty folder on the cache's file system for the one provision that may run at a time. It is removed afterwards.

    `wait` is called once if another provision has to end first. The kernel frees the lock when the last process that
    holds it ends. Programs started with `close_fds=False` hold it too, so a program that outlives this process still
    has the folder to itself. Raises ProvisionError if the cache cannot be written.
    """
    folder = root() / ".staging"
    try:
        root().mkdir(parents=True, exist_ok=True)
        lock = (root() / ".lock").open("w")
    except OSError as error:
        raise ProvisionError(
            f"the cache cannot be written: {error}; set XDG_CACHE_HOME to a folder that can"
        ) from error
    os.set_inheritable(lock.fileno(), True)
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def install(part: Part, binary: Path, *, how: str, checked: str) -> None:
    """
    Move a finished binary from staging to its place. Its record is moved first, so no binary is ever without one.
    """
    with binary.open("rb") as stream:
        os.fsync(stream.fileno())
    record = Provenance(how=how, checked=checked, sha256=sha256(binary), at=datetime.now(UTC))
    draft = binary.with_name(f"{binary.name}.json")
    draft.write_text(record.model_dump_json(indent=2) + "\n")
    final = place(part)
    final.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(_record(final))
    binary.replace(final)


def _record(binary: Path) -> Path:
    return binary.with_name(f"{binary.name}.json")
