"""
The header of an SQL file: comment lines `-- name: text` before the query.

A line of `--` and at least three spaces goes on with the text before it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_LINE = re.compile(r"-- (?P<name>[a-z]+): (?P<text>.+)|--   +(?P<more>\S.*)")


def read(text: str, names: Collection[str], needed: Collection[str]) -> dict[str, str]:
    """
    Name -> text of the header of an SQL file; only `names` may be there, and those of `needed` must be.

    Raises ValueError that says what is wrong.
    """
    header: dict[str, str] = {}
    last = None
    for line in text.splitlines():
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            if line.startswith("--"):
                raise ValueError(f"a header line is `-- name: text`, not {line!r}")
            break
        if match["more"] is None:
            last = match["name"]
            if last not in names or last in header:
                raise ValueError(f"the header has {last!r}, which is unknown or there already")
            header[last] = match["text"]
        elif last is None:
            raise ValueError("the header begins in the middle of a text")
        else:
            header[last] += " " + match["more"]
    lacking = [wanted for wanted in needed if wanted not in header]
    if lacking:
        raise ValueError(f"the header lacks {', '.join(lacking)}")
    return header


def listed(text: str) -> tuple[str, ...]:
    """
    The parts of a text that are separated by commas.
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())
