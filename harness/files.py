"""
Files that are written whole, files that are read up to a limit, and folders that hold plain files alone.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

BY_HAND, BY_HARNESS = 1_000_000, 20_000_000
"""The most bytes of a text that a person writes, and of a JSON file that the harness does."""


def write_whole(file: Path, content: str | bytes) -> None:
    """
    Write a file, completely or not at all. A text is written in UTF-8.

    A new file, with a name that nobody can know before, replaces the old one. So whatever is there under the name, also
    a link, is never written through. Raises OSError.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        scratch.chmod(0o644)  # `mkstemp` lets nobody else read it
        scratch.replace(file)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def read_up_to(most: int, file: Path) -> bytes:
    """
    Return the content of a file that somebody else may have made. Raises OSError if it cannot be read, or (EFBIG) if it
    has more than `most` bytes; then no more of it is read.
    """
    with file.open("rb") as content:
        data = content.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
    return data


def is_there(file: Path) -> bool:
    """
    Return whether a file of this name is there. None can be there if its name is too long, or is no name.
    """
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def no_plain_file(folder: Path, inner: Iterable[str]) -> Path | None:
    """
    Return the first entry of `folder`, or of its subfolders `inner`, that is neither a regular file nor, in `folder`
    itself, a folder: a link, a pipe, a device. None if there is none.
    """
    for place in (folder, *(folder / name for name in inner)):
        if not place.is_dir():
            continue
        with os.scandir(place) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                is_folder = place == folder and entry.is_dir(follow_symlinks=False)
                if not is_folder and not entry.is_file(follow_symlinks=False):
                    return Path(entry.path)
    return None
