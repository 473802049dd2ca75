"""
Balances: effects of which only a number is left. What the number was, what it is, and by how much each instance should
have moved it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness import mapping
from harness.backends import store
from harness.backends.endpoints import Endpoints
from harness.errors import EvidenceError
from harness.model import Balance, Target

Row = dict[str, Any]


def kept(target: Target, endpoints: Endpoints) -> Iterator[Row]:
    """
    Return one row per key of each balance: what it was at the start, and what it is. A document that is not there was
    never touched.

    Raises EvidenceError if the state store cannot be read, or a document has no such number.
    """
    with store.connect(endpoints.store) as asked:
        for name, balance in target.balances.items():
            for key in balance.keys:
                document = asked.value(f"{target.app_ids[balance.app]}||{key}")
                yield {
                    "balance": name,
                    "key": key,
                    "began": balance.start,
                    "ended": _number(balance, key, document),
                }


def moves(target: Target, events: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    """
    Return by how much each instance moves each balance if it completes, as its input says. `events` are rows of
    `history` of instances that clients asked for. An instance whose input names no key of a balance does not move it.
    """
    for event in events:
        if event["event"] != "executionStarted" or not target.balances:
            continue
        asked = _json(event["payload"])
        for name, balance in target.balances.items():
            key, amount = mapping.find(balance.key, asked), mapping.find(balance.amount, asked)
            if key in balance.keys and isinstance(amount, int | float):
                moved = float(amount) if balance.moves == "up" else -float(amount)
                yield {"instance_id": event["instance_id"], "balance": name, "key": key, "amount": moved}


def _number(balance: Balance, key: str, document: bytes | None) -> float:
    if document is None:
        return balance.start
    found = mapping.find(balance.value, _json(document))
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise EvidenceError(f"`value: {balance.value}` finds no number in the document {key}: {document[:100]!r}")
    return float(found)


def _json(text: str | bytes | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None
