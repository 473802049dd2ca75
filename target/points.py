"""
Activity points: on request, an execution of an activity says where it stands and waits until it may go on
(docs/target-contract.md, "Activity points").
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
    Announces points to `url`: those in `points`, each `activity:point`. Safe to share between threads.

    Nobody being there, or an answer that says no, is no reason to fail an activity.
    """

    def __init__(self, url: str, points: Collection[str]) -> None:
        self._points = frozenset(points)
        self._client = httpx.Client(base_url=url, timeout=_LONGEST)
        self._returned = threading.local()

    @classmethod
    def read(cls) -> Self:
        """
        From the environment: POINTS_URL and POINTS, which are there only if somebody wants to know.
        """
        return cls(os.environ.get("POINTS_URL", ""), os.environ.get("POINTS", "").split(","))

    def reach(self, execution: Execution, point: str) -> None:
        """
        Return when the execution may go on: at once, unless somebody waits for it here.
        """
        if f"{execution.activity}:{point}" not in self._points:
            return
        try:
            self._client.post("", json={**asdict(execution), "point": point, "at_ns": time.time_ns()})
        except httpx.HTTPError:
            return

    def returns(self, execution: Execution) -> None:
        """
        The body is about to return; what this thread sends to the sidecar next is its result.
        """
        self._returned.execution = execution

    def sends(self) -> None:
        """
        This thread is about to send a result to the sidecar.
        """
        execution = getattr(self._returned, "execution", None)
        self._returned.execution = None
        if execution is not None:
            self.reach(execution, AFTER_RETURN)


class BeforeSending(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """
    Stands between the worker, which has the result of an activity, and the call that gives it to the sidecar.

    The SDK makes both in the thread that executed the body (dapr-ext-workflow 1.18, `_execute_activity`).
    """

    def __init__(self, points: Points) -> None:
        self._points = points

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """
        Let every call through; the one that carries a result, when it may go on.
        """
        if details.method.endswith("/CompleteActivityTask"):
            self._points.sends()
        return continuation(details, request)
