"""
Where the commands write.
"""

from __future__ import annotations

from rich.console import Console

out = Console()
err = Console(stderr=True)


def say(line: str) -> None:
    """
    A line on standard output, as it is: no markup, no colours, no folding.
    """
    out.print(line, highlight=False, markup=False, soft_wrap=True)
