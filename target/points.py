"""
Activity points: on request, an execution of an activity announces that it has reached a point, and waits until it may
continue (docs/target-contract.md, "Activity points").
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Self

import grpc
import httpx

BEFORE_EFFECT = "before_effect"
AFTER_EFFECT = "after_effect"
AFTER_RETURN = "after_return"

_LONGEST = 60.0


@dataclass(frozen=True)
class Execution:
    """
    One execution of an activity's body.
    """

    instance_id: str
    activity: str
    task_id: int
    attempt_id: str
    node: str


class Points:
    """
    Announces points to `url`: those in `points`, each written `activity:point`. Safe to share between threads.

    If nobody is there, or the answer is an error, the activity continues all the same.
    """

    def __init__(self, url: str, points: Collection[str]) -> None:
        self._points = frozenset(points)
        self._client = httpx.Client(base_url=url, timeout=_LONGEST)
        self._returned = threading.local()

    @classmethod
    def read(cls) -> Self:
        """
        Read the environment variables POINTS_URL and POINTS. They are set only if somebody waits for announcements.
        """
        return cls(os.environ.get("POINTS_URL", ""), os.environ.get("POINTS", "").split(","))

    def reach(self, execution: Execution, point: str) -> None:
        """
        Return when the execution may continue. This is at once, unless the point is to be announced.
        """
        if f"{execution.activity}:{point}" not in self._points:
            return
        try:
            self._client.post("", json={**asdict(execution), "point": point, "at_ns": time.time_ns()})
        except httpx.HTTPError:
            return

    def returns(self, execution: Execution) -> None:
        """
        Note that the body is about to return. What this thread sends to the sidecar next is the body's result.
        """
        self._returned.execution = execution

    def sends(self) -> None:
        """
        Note that this thread is about to send a result to the sidecar, and announce the point after_return.
        """
        execution = getattr(self._returned, "execution", None)
        self._returned.execution = None
        if execution is not None:
            self.reach(execution, AFTER_RETURN)


class BeforeSending(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """
    Intercepts the call that carries an activity's result from the worker to the sidecar.

    The SDK makes that call in the thread that executed the body (dapr-ext-workflow 1.18, `_execute_activity`).
    """

    def __init__(self, points: Points) -> None:
        self._points = points

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """
        Let every call through. A call that carries a result waits until it may continue.
        """
        if details.method.endswith("/CompleteActivityTask"):
            self._points.sends()
        return continuation(details, request)
