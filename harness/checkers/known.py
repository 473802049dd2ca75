"""
Known findings: causes that were seen before, each recognised by a query over the evidence.

A finding is one .sql file. It begins with comment lines `-- name: text` (see `harness.checkers.header`). The names:

    title     the finding, in a short sentence
    number    its number in docs/findings.md
    layer     where the cause lies: client, app, SDK, engine or store
    seen      Dapr releases in which it was seen, separated by commas
    fixed     the first release in which it is mended, if one is known
    upstream  where upstream speaks of it, separated by commas
    explains  the invariants whose rows it can explain, separated by commas; left out if it breaks no promise
    sentence  a sentence about one returned row, with its columns in braces, as an invariant's witness has it
    cause     what happens, for the reader alone

The query returns the instances that show this very cause: its shape in the history, the inbox, the jobs, the attempts.
A row against an invariant is *explained* when a finding that fits the release names the invariant and returns the
row's instance. An explained violation is still a violation. What follows from it is for the gate to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from threading import Lock

from harness.checkers import header, telling
from harness.checkers.database import Database, UnansweredError
from harness.checkers.telling import Telling
from harness.errors import UsageError
from harness.model import Known
from harness.planning.yamlfile import did_you_mean
from harness.runtime.versions import numbers

SHIPPED = files(__package__).joinpath("known")
"""The folder of the findings that come with the harness."""

_NAMES = {"title", "number", "layer", "seen", "fixed", "upstream", "explains", "sentence", "cause"}
_NEEDED = ("title", "layer", "seen", "sentence")
_LAYERS = ("client", "app", "SDK", "engine", "store")
_MOST_SENTENCES = 3


@dataclass(frozen=True)
class KnownFinding:
    """
    One file, read. `query` is its SQL.
    """

    name: str
    title: str
    layer: str
    seen: tuple[str, ...]
    sentence: str
    query: str
    number: int | None = None
    fixed: str | None = None
    upstream: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()

    def fits(self, release: str) -> bool:
        """
        Can this Dapr release have it? From the first in which it was seen, and before the first in which it is mended.
        """
        found = numbers(release)
        since = min(map(numbers, self.seen))
        return found >= since and (self.fixed is None or found < numbers(self.fixed))


def parse(name: str, text: str) -> KnownFinding:
    """
    The finding that `text`, the content of `<name>.sql`, describes. Raises ValueError if its header is not as this
    module says.
    """
    found = header.read(text, _NAMES, _NEEDED)
    if found["layer"] not in _LAYERS:
        raise ValueError(f"layer is one of {', '.join(_LAYERS)}, not {found['layer']!r}")
    if not found.get("number", "0").isdecimal():
        raise ValueError(f"number is a whole number, not {found['number']!r}")
    if not header.listed(found["seen"]) or len(header.listed(found.get("fixed", ""))) > 1:
        raise ValueError("seen needs at least one release, and fixed has at most one")
    try:
        telling.refuse(found["sentence"])
    except ValueError as error:
        raise ValueError(f"the sentence cannot be filled: {error}") from error
    for release in (*header.listed(found["seen"]), *header.listed(found.get("fixed", ""))):
        if not all(part.isdecimal() for part in release.split(".")):
            raise ValueError(f"a release is like 1.18.2, not {release!r}")
    return KnownFinding(
        name=name,
        title=found["title"],
        layer=found["layer"],
        seen=header.listed(found["seen"]),
        sentence=found["sentence"],
        query=text,
        number=int(found["number"]) if "number" in found else None,
        fixed=found.get("fixed"),
        upstream=header.listed(found.get("upstream", "")),
        explains=header.listed(found.get("explains", "")),
    )


def of_team(folder: Path | None, invariants: Collection[str]) -> dict[str, KnownFinding]:
    """
    The findings of a team's own folder; none if it has no folder. `invariants` are the names of all that a run of its
    target is judged by.

    Raises UsageError as `load` does, if one has the name of a finding that comes with the harness, or if one explains
    an invariant that there is not.
    """
    if folder is None:
        return {}
    found, shipped = load(folder), load()
    for name in found:
        if name in shipped:
            raise UsageError(f"{folder}/{name}.sql: there is a known finding {name} already; give it another name")
    refuse_unknown(folder, found, invariants)
    return found


def refuse_unknown(folder: Path, found: Mapping[str, KnownFinding], invariants: Collection[str]) -> None:
    """
    Raise UsageError if one of the findings of a folder explains an invariant that is not among `invariants`.
    """
    for name, finding in found.items():
        for explained in finding.explains:
            if explained not in invariants:
                raise UsageError(
                    f'{folder}/{name}.sql: explains: "{explained}" is not an invariant; '
                    + did_you_mean(explained, invariants)
                )


def load(folder: Traversable | Path = SHIPPED) -> dict[str, KnownFinding]:
    """
    The findings of a folder by name, in order of name.

    Raises UsageError if the folder cannot be read, or a file in it is no finding.
    """
    try:
        files_there = sorted(
            (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
        )
    except OSError as error:
        raise UsageError(f"{folder}: the known findings cannot be read: {error.strerror}") from error
    found = {}
    for file in files_there:
        name = file.name.removesuffix(".sql")
        try:
            found[name] = parse(name, file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder}/{file.name}: {error}") from error
    return found


class Explanations:
    """
    What the known findings explain in one run. Nothing is asked before something is to be explained. Several threads
    may ask. Nobody else may use `database` meanwhile.
    """

    def __init__(self, database: Database, findings: Iterable[KnownFinding], release: str, telling: Telling) -> None:
        self._database = database
        self._findings = [finding for finding in findings if finding.explains and finding.fits(release)]
        self._telling = telling
        self._rows: dict[str, int] = defaultdict(int)
        self._lock = Lock()
        self.problems: list[str] = []
        """Sentences about findings whose query could not be asked; such a finding explains nothing."""

    def of(self, invariant: str) -> Mapping[str | None, tuple[str, ...]]:
        """
        Instance -> the names of the findings that explain a row of it against `invariant`.
        """
        explained: dict[str | None, tuple[str, ...]] = defaultdict(tuple)
        with self._lock:
            for finding in self._findings:
                if invariant in finding.explains:
                    for instance in self._instances[finding.name]:
                        explained[instance] += (finding.name,)
        return explained

    def count(self, names: Iterable[str]) -> None:
        """
        Note that one row is explained by these findings.
        """
        with self._lock:
            for name in names:
                self._rows[name] += 1

    def met(self) -> tuple[Known, ...]:
        """
        The findings that explain at least one row that was counted, with what each explains.
        """
        return tuple(
            Known(
                name=finding.name,
                title=finding.title,
                layer=finding.layer,
                number=finding.number,
                fixed=finding.fixed,
                upstream=finding.upstream,
                instances=len(self._instances[finding.name]),
                rows=self._rows[finding.name],
                sentences=tuple(self._instances[finding.name].values())[:_MOST_SENTENCES],
            )
            for finding in self._findings
            if self._rows[finding.name]
        )

    @cached_property
    def _instances(self) -> Mapping[str, Mapping[str, str]]:
        """
        Finding -> instance that shows it -> a sentence about that.
        """
        return {finding.name: self._shown_by(finding) for finding in self._findings}

    def _shown_by(self, finding: KnownFinding) -> Mapping[str, str]:
        shown: dict[str, str] = {}
        try:
            self._database.refuse(finding.query)
            for row in self._database.rows(finding.query):
                if row["instance_id"]:
                    shown.setdefault(row["instance_id"], self._telling.vformat(finding.sentence, (), row))
        except (UnansweredError, KeyError, ValueError, TypeError) as error:
            self.problems.append(f"the known finding {finding.name} could not be looked for: {error}")
            return {}
        return shown
