"""
What a tap that holds something tells the harness, whose answer it waits for.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Mapping

import httpx
from pydantic import ConfigDict

from harness.model import Value

ROUTE = "/answers"
"""Where the harness takes announcements of answers."""
_PATIENCE = 30.0
"""Seconds for an answer: more than the harness ever holds an execution."""

log = logging.getLogger(__name__)


class Answer(Value):
    """
    A call of an application that was answered at `at_ns`, and whose answer the tap of `node` holds.

    Of a sidecar: `method` is one of Dapr's API (`SaveState`) whose call went well, and `body` its request (protobuf).
    Of a service: `method`, `target`, `headers` and `body` of the HTTP request, and the `status` of the answer.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    node: str
    at_ns: int
    method: str
    body: bytes
    target: str = ""
    headers: Mapping[str, str] = {}
    status: int | None = None


class Announcer:
    """
    Tells the harness, at `url`, and waits until it answers. An announcement must never make an activity fail, so what
    cannot be told is only logged.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=_PATIENCE, limits=httpx.Limits(max_connections=None))

    async def reached(self, announcement: Mapping[str, object]) -> None:
        """
        Return when the execution that has reached a point may continue.
        """
        await self._tell(self._client.post(self._url, json=announcement))

    async def answered(self, answer: Answer) -> None:
        """
        Return when the application may get an answer.
        """
        await self._tell(self._client.post(self._url + ROUTE, content=answer.model_dump_json()))

    async def _tell(self, post: Coroutine[object, object, httpx.Response]) -> None:
        try:
            await post
        except httpx.HTTPError as error:
            log.warning("the harness could not be told of a point: %r", error)
