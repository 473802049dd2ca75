"""
The consoles to which the commands write: standard output and standard error.
"""

from __future__ import annotations

from rich.console import Console

out = Console()
err = Console(stderr=True)


def say(line: str) -> None:
    """
    Write a line to standard output as it is: without markup, colours or line breaks.
    """
    out.print(line, highlight=False, markup=False, soft_wrap=True)
