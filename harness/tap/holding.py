"""
Points of activities as a tap sees them: each is announced to the harness, and held until it answers.

`before_body`: the sidecar has handed an activity over, and the application did not get it yet. `after_return`: the
application has given its result, and the sidecar did not get it yet. The announcement is the one that an application
can make itself (docs/target-contract.md, "Activity points"); its node is the sidecar.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import httpx

_PATIENCE = 30.0
"""Seconds for an answer: more than the harness ever holds an execution."""

log = logging.getLogger(__name__)


class Points:
    """
    The points (`activity:point`) at which aimed faults wait, of the activities of one sidecar. Announcements go to
    `url`.
    """

    def __init__(self, node: str, url: str, points: tuple[str, ...]) -> None:
        self._node = node
        self._url = url
        self._points = frozenset(points)
        self._client = httpx.AsyncClient(timeout=_PATIENCE, limits=httpx.Limits(max_connections=None))
        self._given: dict[tuple[str, int], Any] = {}

    async def delivered(self, request: Any) -> None:
        """
        Return when an activity (durabletask ActivityRequest) may be handed to the application.
        """
        if f"{request.name}:after_return" in self._points:
            self._given[request.workflowInstance.instanceId, request.taskId] = request
        await self._reach("before_body", request)

    async def returned(self, response: Any) -> None:
        """
        Return when a result (durabletask ActivityResponse) may be given to the sidecar. An activity that has failed did
        not return.
        """
        request = self._given.pop((response.instanceId, response.taskId), None)
        if request is not None and not response.HasField("failureDetails"):
            await self._reach("after_return", request)

    async def _reach(self, point: str, request: Any) -> None:
        if f"{request.name}:{point}" not in self._points:
            return
        instance = request.workflowInstance.instanceId
        announcement = {
            "instance_id": instance,
            "activity": request.name,
            "task_id": request.taskId,
            "attempt_id": request.taskExecutionId or f"{instance}/{request.taskId}",
            "node": self._node,
            "point": point,
            "at_ns": time.time_ns(),
        }
        try:
            await self._client.post(self._url, json=announcement)
        except httpx.HTTPError as error:  # an announcement must never make an activity fail
            log.warning("%s of %s could not be announced: %r", point, request.name, error)
