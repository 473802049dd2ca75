"""
Go's caches for the harness's own builds: sources of modules, and what is compiled. They lie beside the binaries and not
in the user's home, and are removed once everything is built. A build that was interrupted goes on with what is there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.runtime import cache

NEEDED_GB = 6
"""What a build of one Dapr release with empty caches takes: 5.4 GB measured for 1.18.2 with Toxiproxy."""

_GB = 1e9


def folder() -> Path:
    """
    Return the folder of both caches.
    """
    return cache.root() / "go"


def environment() -> Mapping[str, str]:
    """
    Return the environment variables that make Go use them. Go writes its module cache read-only by default, so that
    nobody could remove it without changing modes; `-modcacherw` leaves it writable (`go help build`).
    """
    return {
        "GOCACHE": str(folder() / "build"),
        "GOMODCACHE": str(folder() / "mod"),
        "GOFLAGS": "-mod=readonly -modcacherw",
    }


@contextmanager
def removed_afterwards(say: Callable[[str], None], *, keep: bool) -> Iterator[None]:
    """
    Remove the caches when the block has ended well; with `keep`, leave them for the next build. `say` gets a line with
    the sizes. After an error or a Ctrl-C they stay, and the next call continues from there.
    """
    yield
    if not folder().is_dir():
        return
    took, programs = size(folder()), size(cache.root())
    if keep:
        say(f"Go's caches in {folder()} have {took / _GB:.1f} GB; they are kept")
        return
    with cache.staging(lambda: say("waiting for another provision on this machine to end")):
        shutil.rmtree(folder(), ignore_errors=True)
    say(f"removed Go's caches, {took / _GB:.1f} GB; the programs have {(programs - took) / _GB:.2f} GB")


def size(root: Path) -> int:
    """
    Return how many bytes the files below a folder have.
    """
    return sum((Path(place) / name).lstat().st_size for place, _, names in os.walk(root) for name in names)
