"""
What can go wrong, and the exit code that says so.

    HarnessError               70   the harness or its infrastructure failed; never a finding
    ├── UsageError             64   the user's input cannot be used; the message is all they need
    ├── ProvisionError         70   a runtime binary cannot be had
    ├── NodeError              70   a node did not start, or died by itself
    ├── EvidenceError          70   a run directory cannot be read at all
    └── LeftError             130   the user left a run before it could be judged

Foreign exceptions (subprocess, redis, requests, duckdb) are translated to one of these where they
are met, with the original as the cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class Exit(IntEnum):
    """
    Exit codes of every command. 64 and 70 follow BSD sysexits.h, 130 the shell's 128 + SIGINT.
    """

    HOLDS = 0
    VIOLATED = 1
    UNKNOWN = 2
    GATE_MISSED = 3
    USAGE = 64
    SOFTWARE = 70
    INTERRUPTED = 130


class HarnessError(Exception):
    """
    The harness or the infrastructure it runs on failed.

    The message is shown to the user as it is: what happened, on which node, and the way out.
    """

    exit_code = Exit.SOFTWARE


class UsageError(HarnessError):
    """
    The input cannot be used: says where (file:line), what was found, what was expected.
    """

    exit_code = Exit.USAGE


class ProvisionError(HarnessError):
    """
    A runtime binary could be neither found, downloaded nor built.
    """


class NodeError(HarnessError):
    """
    A node did not become ready, or ended although nobody asked it to.
    """


class EvidenceError(HarnessError):
    """
    A run directory is not one, or its evidence cannot be read at all.
    """


class LeftError(HarnessError):
    """
    The user left a run (the second Ctrl-C, or one before the load): it was healed and ended, and not judged.
    """

    exit_code = Exit.INTERRUPTED


@contextmanager
def interruptible() -> Iterator[None]:
    """
    Raise KeyboardInterrupt where DuckDB tells of it as a RuntimeError, which it does for a Ctrl-C while it works
    (duckdb-python, `DuckDBPyConnection::CompletePendingQuery`).
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise
