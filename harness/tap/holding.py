"""
Points of activities as a tap sees them: each is announced to the harness, and held until it answers.

`before_body`: the sidecar has handed an activity over, and the application did not get it yet. `after_return`: the
application has given its result, and the sidecar did not get it yet. The announcement is the one that an application
can make itself (docs/target-contract.md, "Activity points"); its node is the sidecar.

`after_effect`: a call of the application was answered well, and the application did not get the answer yet. The tap
does not know which effect that is, nor of which activity, so it announces the call as it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from harness.tap.answers import Announcer, Answer

_API = "/dapr.proto.runtime.v1.Dapr/"
_MAKES: Mapping[str, tuple[str, ...]] = {
    "save": ("SaveState", "ExecuteStateTransaction"),
    "delete": ("DeleteState", "DeleteBulkState", "ExecuteStateTransaction"),
    "publish": ("PublishEvent", "BulkPublishEvent", "BulkPublishEventAlpha1"),
    "invoke": ("InvokeService",),
    "bind": ("InvokeBinding",),
}
"""What a call to Dapr's API does -> the methods that do it (dapr, dapr/proto/runtime/v1/dapr.proto)."""


class Points:
    """
    The points (`activity:point`) at which aimed faults wait, of the activities of one sidecar, and the `operations` of
    Dapr's API (`save`, ...) to which an answer is a point, too. Announcements go to `url`.
    """

    def __init__(self, node: str, url: str, points: tuple[str, ...], operations: tuple[str, ...]) -> None:
        self._node = node
        self._points = frozenset(points)
        self._methods = frozenset(f"{_API}{method}" for operation in operations for method in _MAKES[operation])
        self._announcer = Announcer(url)
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

    def holds(self, method: str) -> bool:
        """
        Whether the answer to a call of a gRPC method is a point.
        """
        return method in self._methods

    async def answered(self, method: str, request: bytes) -> None:
        """
        Return when the application may get the answer to a call, which went well.
        """
        answer = Answer(node=self._node, at_ns=time.time_ns(), method=method.removeprefix(_API), body=request)
        await self._announcer.answered(answer)

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
        await self._announcer.reached(announcement)
