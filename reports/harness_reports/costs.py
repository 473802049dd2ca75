"""
What the instances of a workflow took, in words.
"""

from __future__ import annotations

from rich.filesize import decimal

from harness.model import WorkflowCost
from harness_reports import words


def size(number: float) -> str:
    """
    Return a number of bytes with its unit: `512 bytes`, `3.1 kB`.
    """
    return decimal(round(number))


def told(of: WorkflowCost) -> str:
    """
    What the instances of one workflow took, in one line.
    """
    stored = f"{of.history_rows:.3g} rows, {size(of.payload_bytes)}"
    repeated = f", {of.repeated_attempts:,} of {of.attempts:,} attempts repeated" if of.attempts else ""
    return f"{words.took(of.median)} (p99 {words.took(of.p99)}), {stored}{repeated}"
