"""
What Dapr itself says about the instances: the answers of its workflow API, which is asked about each instance.

`GET /v1.0/workflows/dapr/<id>` of Dapr 1.18 loads the stored rows again, and does not use the memory of the instance's
owner (pkg/runtime/wfengine/backends/actors/actors.go, GetWorkflowMetadata). It decides the status by the engine's own
rules. So it shows whether the module `engine` reads the rows as Dapr does, and whether Dapr still answers for each
instance. It is not a second witness of the store.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
from google.protobuf.timestamp_pb2 import Timestamp

from harness.backends.endpoints import Address

MOST = 3000
"""If there are more instances, only a sample of this size is asked about."""

_AT_ONCE = 16
_TIMEOUT = 5.0
_PATIENCE = 180.0
_DETAIL = 200
_UNKNOWN = "ERR_INSTANCE_ID_NOT_FOUND"
"""Dapr's answer (404) for an instance that it does not know. Any other 404 means that the question failed."""

Row = dict[str, Any]


def chosen(instances: Iterable[str], seed: int) -> list[str]:
    """
    Return the ids of the instances to ask about, sorted: all of them, or `MOST` that the seed chooses.
    """
    known = sorted(set(instances))
    return known if len(known) <= MOST else sorted(random.Random(seed).sample(known, MOST))


def readings(instances: Iterable[str], sidecars: Mapping[str, Address]) -> Iterator[Row]:
    """
    Return one row of the table `readings` per instance. If no sidecar answered for an instance, the row has the last
    error.

    The sidecars share the work. If one does not answer, the others are asked. This never raises: a failure is a row.
    """
    yield from asyncio.run(_readings(list(instances), tuple(sidecars.items())))


async def _readings(instances: list[str], sidecars: tuple[tuple[str, Address], ...]) -> list[Row]:
    deadline = time.monotonic() + _PATIENCE
    places = asyncio.Semaphore(_AT_ONCE)
    limits = httpx.Limits(max_connections=_AT_ONCE)
    async with httpx.AsyncClient(timeout=_TIMEOUT, limits=limits) as client:

        async def one(number: int, instance: str) -> Row:
            async with places:
                turn = number % len(sidecars)
                row: Row = {}
                for node, at in (*sidecars[turn:], *sidecars[:turn]):
                    row = {"instance_id": instance, "node": node, "asked_ns": time.time_ns()}
                    if time.monotonic() > deadline:
                        return {**row, "error": f"not asked: Dapr's API took more than {_PATIENCE:g} s for the others"}
                    row |= await _ask(client, at, instance) | {"answered_ns": time.time_ns()}
                    if "error" not in row:
                        break
                return row

        return list(await asyncio.gather(*(one(number, instance) for number, instance in enumerate(instances))))


async def _ask(client: httpx.AsyncClient, at: Address, instance: str) -> Row:
    try:
        answer = await client.get(f"{at.url}/v1.0/workflows/dapr/{quote(instance, safe='')}")
        if answer.status_code == httpx.codes.NOT_FOUND and _UNKNOWN in answer.text:
            return {"status": None}
        if not answer.is_success:
            return {"error": f"HTTP {answer.status_code}: {answer.text[:_DETAIL]}"}
        told = answer.json()
        return {
            "status": told.get("runtimeStatus") or None,
            "workflow": told.get("workflowName") or None,
            "output": told.get("properties", {}).get("dapr.workflow.output"),
            "created_ns": _ns(told.get("createdAt")),
            "updated_ns": _ns(told.get("lastUpdatedAt")),
        }
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _ns(text: str | None) -> int | None:
    """
    Return an RFC 3339 time in nanoseconds since the epoch; None for Go's zero time, which means that there is no time.
    """
    if not text:
        return None
    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp.ToNanoseconds() if stamp.seconds > 0 else None
