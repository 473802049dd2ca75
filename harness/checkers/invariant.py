"""
Invariants: each is one .sql file. Its query returns what must not be; each row is a witness.

A file begins with comment lines `-- name: text`. A line that begins with `--` and at least three spaces continues the
text of the line before. The names:

    claim     what holds if the query returns nothing: a sentence
    examined  SQL for one number: how many things the query looked at; 0 makes the finding UNKNOWN
    witness   a sentence about one row, with its columns in braces (see `harness.checkers.telling`)
    severity  `violated` (if left out), or `unknown`: a row shows that the evidence, not the system, is wrong
    layer     who is to blame if the row has no column `layer`: client, app, SDK, engine, store or `not decided`
    catches   planted defects that it must catch, separated by commas
    source    where the rule comes from, for the reader alone
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from harness import plugins
from harness.errors import UsageError

GENERAL = files(__package__).joinpath("invariants")
"""The folder of the invariants that hold for every target."""

_LINE = re.compile(r"-- (?P<name>[a-z]+): (?P<text>.+)|--   +(?P<more>\S.*)")
_NAMES = {"claim", "examined", "witness", "severity", "layer", "catches", "source"}
_SEVERITIES = {"violated", "unknown"}


@dataclass(frozen=True)
class Invariant:
    """
    One invariant, read from its file. `query` is its SQL. The module says what the other fields are.
    """

    claim: str
    examined: str
    witness: str
    query: str
    severity: str = "violated"
    layer: str = "not decided"
    catches: tuple[str, ...] = ()


def load(folder: Traversable | Path) -> dict[str, str]:
    """
    Return the text of every .sql file of `folder`, by the file's name without its ending, sorted by name.

    Raises OSError if the folder cannot be read.
    """
    found = {file.name: file for file in folder.iterdir() if file.name.endswith(".sql")}
    return {name.removesuffix(".sql"): found[name].read_text(encoding="utf-8") for name in sorted(found)}


def load_own(folder: Path, taken: Collection[str]) -> dict[str, str]:
    """
    Return the same for a user's folder. Raises UsageError if the folder has no .sql file, if a file is not an
    invariant, or if its name is in `taken`.
    """
    try:
        found = load(folder)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{folder}: the invariants cannot be read: {error}") from error
    if not found:
        raise UsageError(f"{folder}: there is no .sql file, so no invariant")
    for name, text in found.items():
        file = folder / f"{name}.sql"
        if name in taken:
            raise UsageError(f"{file}: there is an invariant {name} already; give it another name")
        try:
            parse(text)
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from error
    return found


def besides_general(target: Path | None) -> dict[str, str]:
    """
    Return the invariants by which a run of a target is judged in addition to the general ones (name -> text): those of
    the folder `target`, and those of installed packages.

    Raises UsageError if a file of a package is not an invariant or has a name that is already taken, and OSError if the
    folder of the target cannot be read.
    """
    found = load(target) if target is not None else {}
    taken = dict.fromkeys(load(GENERAL), "the harness") | dict.fromkeys(found, "the target")
    for plugin in plugins.found(plugins.INVARIANTS):
        for name, text in load(plugin.folder()).items():
            if name in taken:
                raise UsageError(f"invariants {plugin.words}: {name}.sql has the name of an invariant of {taken[name]}")
            try:
                parse(text)
            except ValueError as error:
                raise UsageError(f"invariants {plugin.words}: {name}.sql: {error}") from error
            found[name], taken[name] = text, plugin.package
    return found


def parse(text: str) -> Invariant:
    """
    Return the invariant that `text` describes. Raises ValueError if its header is not as this module says.
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
            if last not in _NAMES or last in header:
                raise ValueError(f"the header has {last!r}, which is unknown or there already")
            header[last] = match["text"]
        elif last is None:
            raise ValueError("the header begins in the middle of a text")
        else:
            header[last] += " " + match["more"]
    lacking = [wanted for wanted in ("claim", "examined", "witness") if wanted not in header]
    if lacking:
        raise ValueError(f"the header lacks {', '.join(lacking)}")
    if header.get("severity", "violated") not in _SEVERITIES:
        raise ValueError(f"severity is violated or unknown, not {header['severity']!r}")
    return Invariant(
        claim=header["claim"],
        examined=header["examined"],
        witness=header["witness"],
        query=text,
        severity=header.get("severity", "violated"),
        layer=header.get("layer", "not decided"),
        catches=tuple(defect.strip() for defect in header.get("catches", "").split(",") if defect.strip()),
    )
