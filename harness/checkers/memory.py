"""
A hard limit of memory while queries run.

DuckDB's own limit is of tables, sorts and groups. A single list or text is outside of it, so one call, such as
`range(300000000)`, could fill a machine. With this limit the allocation fails, and DuckDB reports that as an error.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST = 6 * 10**9
"""Bytes of address space that queries may take in addition. A verdict on a million instances takes 2 GB."""


@contextmanager
def bounded(most: int = MOST) -> Iterator[None]:
    """
    Inside the `with` block this process may have `most` bytes of address space more than it has now (setrlimit(2),
    RLIMIT_AS). A limit that is lower already stays.
    """
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    limits = [limit for limit in (before, hard, _taken() + most) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def _taken() -> int:
    """
    Return the size of this process's address space in bytes (proc_pid_statm(5): the first number, in pages).
    """
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
