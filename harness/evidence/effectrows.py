"""
The rows of a ledger as rows of `effects`, by the mapping that target.yaml gives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from harness import mapping
from harness.errors import EvidenceError
from harness.evidence.schema import EFFECTS
from harness.model import RowMapping

Row = dict[str, Any]

_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = next(column for column in EFFECTS.columns if column.name == "at_ns").range
_SHOWN = 300


def mapped(source: str, by: RowMapping, rows: Iterable[object]) -> Iterator[Row]:
    """
    Return the effect of each row of a ledger called `source`, without its position.

    Raises EvidenceError, which names the row and the expression, if one finds not what it must find.
    """
    for number, row in enumerate(rows):
        try:
            yield {
                "instance_id": _text("instance_id", by.instance_id, row),
                "effect": _text("effect", by.effect, row),
                "key": None if by.key is None else _text("key", by.key, row),
                "at_ns": None if by.at is None else _at_ns(by.at, by.unit, row),
                "source": source,
                "attributes": _attributes(by.attributes, row),
            }
        except ValueError as error:
            raise EvidenceError(
                f"row {number} of ledger {source} is no effect: {error}, in {json.dumps(row, default=str)[:_SHOWN]}"
            ) from error


def _text(field: str, expression: str, row: object) -> str:
    """
    Return the text that an expression finds in a row; a whole number, as many databases have for an id, as text.
    """
    found = mapping.find(expression, row)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    if not isinstance(found, str) or not found:
        raise ValueError(f"`{field}: {expression}` finds no text{_instead(found)}")
    return found


def _at_ns(expression: str, unit: str, row: object) -> int:
    found = mapping.find(expression, row)
    at_ns = _counted(found, _NS[unit])
    if at_ns is None and isinstance(found, str):
        at_ns = _instant(found)
    if at_ns is None:
        raise ValueError(f"`at: {expression}` finds no time, a number or ISO 8601{_instead(found)}")
    if not _EARLIEST <= at_ns <= _LATEST:
        raise ValueError(
            f"`at: {expression}` finds {found!r}, which is no time between 2001 and 2200 if its `unit` is {unit}"
        )
    return at_ns


def _instant(text: str) -> int | None:
    """
    Return the time of a text in ISO 8601, in nanoseconds since the epoch; UTC if it has no offset.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    return since // timedelta(microseconds=1) * 1000


def _counted(found: object, unit: int) -> int | None:
    """
    Return a number of units, or the text of such a number, in nanoseconds.
    """
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = Decimal(str(found))
    except InvalidOperation:
        return None
    return int(number * unit) if math.isfinite(number) else None


def _attributes(expression: str, row: object) -> str:
    found = mapping.find(expression, row)
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"`attributes: {expression}` finds no object{_instead(found)}")
    return json.dumps(found or {}, sort_keys=True)


def _instead(found: object) -> str:
    return "" if found is None else f", but {json.dumps(found, default=str)[:_SHOWN]}"
