"""
What the outside world kept: effect rows from every ledger that the target names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import redis

from harness.backends import store
from harness.backends.endpoints import Endpoints
from harness.errors import EvidenceError
from harness.model import HttpLedger, StateLedger, Target
from harness.names import role

Row = dict[str, Any]

_COLUMNS: Mapping[str, type] = {"instance_id": str, "effect": str, "key": str, "at_ns": int}


def effects(target: Target, endpoints: Endpoints) -> Iterator[Row]:
    """
    Return one row per effect, ledger by ledger, and for each ledger in its order of commit.

    Raises EvidenceError if a ledger cannot be read, or contains a row that is not as docs/target-contract.md says.
    """
    for ledger in target.ledgers:
        if isinstance(ledger, HttpLedger):
            for node, at in endpoints.services.items():
                if role(node) == ledger.service:
                    yield from _rows(node, _from_http(at.url + ledger.path))
        else:
            for key, rows in _from_state(ledger, target, endpoints):
                yield from _rows(key, rows)


def _from_http(url: str) -> Iterator[object]:
    try:
        with httpx.stream("GET", url, timeout=60) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)
    except (httpx.HTTPError, ValueError) as error:
        raise EvidenceError(f"the ledger at {url} could not be read: {error}") from error


def _from_state(ledger: StateLedger, target: Target, endpoints: Endpoints) -> Iterator[tuple[str, list[object]]]:
    """
    Return (key, rows) for each document of the ledger. Dapr keeps a document in the field `data` of the Redis hash
    `<app>||<key>` (components-contrib, state/redis).
    """
    prefix = f"{target.app_id}||"
    try:
        with store.client(endpoints.redis, timeout=10) as asked:
            # SCAN may return a key more than once (Redis documentation, "SCAN guarantees").
            for key in sorted(set(asked.scan_iter(match=f"{prefix}{ledger.prefix}*", count=5000))):
                document = json.loads(asked.hget(key, "data") or b"{}")
                yield key.decode().removeprefix(prefix), document.get(ledger.field) or []
    except (redis.RedisError, ValueError, AttributeError) as error:
        raise EvidenceError(f"the ledger {ledger.prefix}* in the state store could not be read: {error}") from error


def _rows(source: str, rows: Iterator[object] | list[object]) -> Iterator[Row]:
    for position, row in enumerate(rows):
        if not isinstance(row, Mapping) or any(type(row.get(name)) is not of for name, of in _COLUMNS.items()):
            raise EvidenceError(f"row {position} of ledger {source} is not an effect row: {row!r}")
        yield {
            "instance_id": row["instance_id"],
            "effect": row["effect"],
            "key": row["key"],
            "at_ns": row["at_ns"],
            "source": source,
            "position": position,
            "attributes": json.dumps(row.get("attributes", {}), sort_keys=True),
        }
