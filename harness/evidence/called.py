"""
Calls of an application that passed the harness, as effects. Only a call that was answered well is one. A call without
an answer may have had its effect or not: that is told, and never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from harness.errors import EvidenceError
from harness.evidence import effectrows
from harness.model import RowMapping
from harness.tap import record
from harness.tap.record import Chunk

Row = dict[str, Any]

_MOST_SHOWN, _LONGEST = 8, 120
"""How many calls that do not fit are told, and with how many letters each."""


class Others:
    """
    The first calls that fit no ledger, for a sentence.
    """

    def __init__(self) -> None:
        self._told: dict[str, None] = {}

    def note(self, call: str) -> None:
        """
        Note a call in words, unless enough of them are noted.
        """
        if len(self._told) < _MOST_SHOWN:
            self._told[call[:_LONGEST]] = None

    def told(self, none: str) -> str:
        """
        Return them in words; `none` if there are none.
        """
        return ", ".join(self._told) or none


class Unread:
    """
    What the records of taps have that was not read yet, while they grow.
    """

    def __init__(self) -> None:
        self._ends: dict[Path, int] = {}

    @contextmanager
    def chunks(self, file: Path) -> Iterator[list[Chunk]]:
        """
        The new chunks of a record. They count as read if the `with` block takes them. Raises EvidenceError if they
        cannot be read, or if the block cannot decode them.
        """
        begin = self._ends.get(file, 0)
        try:
            chunks = list(record.read(file, begin))
            yield chunks
        except (OSError, DecodeError, ValueError, EvidenceError) as error:
            raise EvidenceError(f"{file.name} cannot be decoded: {error}") from error
        self._ends[file] = record.end(chunks, begin)


@dataclass(frozen=True)
class Call:
    """
    One call that fits a ledger: `row` is what its mapping is applied to. `done` says whether it had its effect, None if
    nobody knows; `detail` says in words why not. `ended_ns` is when the answer came, None if none came.
    """

    row: Mapping[str, object]
    called_ns: int
    ended_ns: int | None
    done: bool | None
    detail: str | None = None


def told(source: str, by: RowMapping, calls: Iterable[Call]) -> tuple[list[Row], list[Row]]:
    """
    Return (effects, unanswered) of a ledger called `source`: rows of the two tables, without positions, in order.

    Calls of one instance with one effect and one key are one effect, as an idempotency key promises, and are done if
    one of them is. Without keys each call counts. Raises EvidenceError as `effectrows.mapped` does.
    """
    found: dict[object, tuple[Call, Row]] = {}
    kept = [call for call in calls if call.done is not False]
    rows = ({"at_ns": call.ended_ns or call.called_ns, **call.row} for call in kept)
    for number, (call, row) in enumerate(zip(kept, effectrows.mapped(source, by, rows), strict=True)):
        same = (row["instance_id"], row["effect"], number if row["key"] is None else ("key", row["key"]))
        first = found.get(same)
        if first is None or _rank(call) < _rank(first[0]):
            found[same] = call, row
    effects = sorted((row for call, row in found.values() if call.done), key=_when)
    unanswered = [_unanswered(call, row) for call, row in found.values() if not call.done]
    return effects, sorted(unanswered, key=lambda row: (row["called_ns"], row["instance_id"]))


def _rank(call: Call) -> tuple[bool, int]:
    return not call.done, call.ended_ns or call.called_ns


def _when(row: Row) -> tuple[int, str]:
    return row["at_ns"] or 0, row["instance_id"]


def _unanswered(call: Call, row: Row) -> Row:
    return {
        **{name: row[name] for name in ("instance_id", "effect", "key", "source")},
        "called_ns": call.called_ns,
        "detail": call.detail,
        "kept": None,
    }


def settled(unanswered: Iterable[Row], kept: Iterable[Row]) -> Iterator[Row]:
    """
    Return the rows of calls without an answer, with what another ledger, whose rows are `kept`, says of each. Where one
    of the two has no key, the effect of the instance is what counts.
    """
    there = {(row["instance_id"], row["effect"], key) for row in kept for key in (row["key"], None)}
    keyless = {(instance, effect) for instance, effect, _ in there} if any(not row["key"] for row in kept) else set()
    for row in unanswered:
        of = row["instance_id"], row["effect"]
        yield {**row, "kept": (*of, row["key"]) in there or of in keyless}


def value(body: bytes) -> Any:
    """
    Return what a call sends: JSON if it is that, else a text, else None.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def parts(pattern: str, text: str) -> list[str] | None:
    """
    Return what each `*` of a pattern stands for in a text; None if the text does not fit.
    """
    found = _compiled(pattern).fullmatch(text)
    return None if found is None else list(found.groups())


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("(.*)".join(map(re.escape, pattern.split("*"))), re.DOTALL)
