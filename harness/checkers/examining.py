"""
One invariant examined on the evidence of one run: its rows as witnesses, and what known findings explain of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from harness.checkers import invariant, violations
from harness.checkers.database import Database, Row, UnansweredError
from harness.checkers.invariant import Invariant
from harness.checkers.known import Explanations
from harness.checkers.telling import Telling, faults_met, ledgers
from harness.model import Finding, Origin, Result, Witness

_MOST_WITNESSES = 20


def examine(
    database: Database,
    telling: Telling,
    name: str,
    text: str,
    origin: Origin,
    keep: Path | None = None,
    explanations: Explanations | None = None,
) -> Finding:
    """
    What the invariant `name`, the content of whose file is `text`, says of this evidence. If there are rows against
    it, the folder `keep` gets all of them.
    """
    try:
        each = invariant.parse(text)
    except ValueError as error:
        return unknown(name, "", f"{name}.sql is not an invariant: {error}", origin)
    try:
        for sql in (each.examined, each.query):
            database.refuse(sql)
        examined = int(database.scalar(each.examined))
        rows, count = database.first(each.query, _MOST_WITNESSES)
        explained_by = explanations.of(name) if count and explanations is not None else {}
        witnesses = tuple(_witnesses(database, telling, each, rows, explained_by))
        explained = _explained(database, each.query, explained_by, explanations)
        if count and keep is not None:
            every = (_witnesses(database, telling, each, batch, explained_by) for batch in database.batches(each.query))
            violations.write(keep, name, database.types(each.query), chain.from_iterable(every))
    except UnansweredError as error:
        return unknown(name, each.claim, str(error), origin, each.catches)
    except Exception as error:  # noqa: BLE001 - it may be anybody's, and whatever it returns stops none of the others
        return unknown(name, each.claim, f"it returns what it must not: {error}", origin, each.catches)
    if count == 0 and examined == 0:
        return unknown(name, each.claim, "there was nothing to examine", origin, each.catches)
    doubtful = count > 0 and each.severity == "unknown"
    return Finding(
        name=name,
        claim=each.claim,
        result=Result.HOLDS if count == 0 else Result.UNKNOWN if doubtful else Result.VIOLATED,
        examined=examined,
        violations=count,
        witnesses=witnesses,
        reason=f"the evidence is not what it must be: {witnesses[0].sentence}" if doubtful else None,
        catches=each.catches,
        origin=origin,
        explained=explained,
    )


def _explained(
    database: Database,
    query: str,
    explained_by: Mapping[str | None, tuple[str, ...]],
    explanations: Explanations | None,
) -> int:
    """
    How many rows of a query the known findings explain.
    """
    if not explained_by or explanations is None:
        return 0
    number = 0
    for batch in database.batches(query):
        for row in batch:
            if names := explained_by.get(row.get("instance_id"), ()):
                explanations.count(names)
                number += 1
    return number


def unknown(name: str, claim: str, reason: str, origin: Origin, catches: tuple[str, ...] = ()) -> Finding:
    """
    The finding of an invariant that cannot be told, for that reason.
    """
    return Finding(
        name=name,
        claim=claim,
        result=Result.UNKNOWN,
        examined=0,
        violations=0,
        reason=reason,
        catches=catches,
        origin=origin,
    )


def _witnesses(
    database: Database,
    telling: Telling,
    each: Invariant,
    rows: Sequence[Row],
    explained_by: Mapping[str | None, tuple[str, ...]],
) -> Iterator[Witness]:
    """
    Raises UnansweredError if the sentence names a column that the query does not return.
    """
    if not rows:
        return
    instances = [row["instance_id"] for row in rows if row.get("instance_id") is not None]
    ledger = ledgers(database, telling, instances)
    met = faults_met(database, telling, instances)
    for row in rows:
        instance = row.get("instance_id")
        full = {
            "layer": each.layer,
            **row,
            "ledger": ledger.get(instance or "", "nothing of it"),
            "during": met.get(instance or ""),
        }
        try:
            sentence = telling.vformat(each.witness, (), full)
        except (KeyError, ValueError, TypeError) as error:
            raise UnansweredError(f"its sentence does not fit its rows: {error}") from error
        if full["during"] is not None:
            sentence += f" In force meanwhile: {full['during']}."
        if full["layer"] != "not decided":
            sentence += f" Layer: {full['layer']}."
        yield Witness(
            instance_id=instance,
            sentence=sentence,
            row={column: _plain(value) for column, value in full.items()},
            explained_by=explained_by.get(instance, ()),
        )


def _plain(value: Any) -> Any:
    """
    A value as JSON has it; what JSON lacks (a decimal, a time, a number that is none) as text.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str | list | dict) else str(value)
