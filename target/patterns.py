"""
Workflows of one pattern each: a chain, a fan-out with its fan-in, a wide one, a durable timer, a value in the state
store, and child workflows. What each gives as its output can be computed from its input, so a result that is lost,
repeated or given to another task shows in a number.

The chain, the fan-out, the timer and the value do what Dapr's own performance tests do (dapr/dapr, tests/perf/workflows
and tests/apps/perf/workflowsapp).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

from dapr.clients import DaprClient
from dapr.ext.workflow import DaprWorkflowContext, when_all

from target import defects
from target.workflows import NAME as ORDER
from target.workflows import STORE

SERIES = "series_v1"
PARALLEL = "parallel_v1"
WIDE = "wide_v1"
DELAY = "delay_v1"
PAYLOAD = "payload_v1"
BATCH = "batch_v1"
FAMILY = "family_v1"

SUM = "sum_v1"
FILL = "fill_v1"
SAVE = "save_value_v1"
GET = "get_value_v1"
DELETE = "delete_value_v1"

PARTS = 5
LINES = ("plain", "plain", "refused", "plain", "flaky", "plain")
"""The kind of each order of a batch."""

Given = Mapping[str, Any]
Steps = Generator[Any, Any, Any]


def parts(number: int) -> list[dict[str, int]]:
    """
    Return the numbers from 1 to `number` in five ranges, each as its first and its last number.
    """
    ends = [number * part // PARTS for part in range(PARTS + 1)]
    return [{"first": begin + 1, "last": end} for begin, end in pairwise(ends)]


def series_v1(ctx: DaprWorkflowContext, given: Given) -> Steps:
    """
    Return the sum of the numbers from 1 to `number`: five activities, one after the other.
    """
    total = 0
    for part in parts(given["number"]):
        total += yield ctx.call_activity(SUM, input=part)
    return total


def parallel_v1(ctx: DaprWorkflowContext, given: Given, defect: str | None = None) -> Steps:
    """
    Return the sum of the numbers from 1 to `number`: five activities at once. The `defect` forgotten_part leaves out
    what the last of them gives.
    """
    sums = yield when_all([ctx.call_activity(SUM, input=part) for part in parts(given["number"])])
    return sum(sums[:-1] if defect == defects.FORGOTTEN_PART else sums)


def wide_v1(ctx: DaprWorkflowContext, given: Given) -> Steps:
    """
    Return how many bytes `tasks` activities give, which run at once: each gives `bytes`.
    """
    texts = yield when_all(
        [ctx.call_activity(FILL, input={"task": n, "bytes": given["bytes"]}) for n in range(given["tasks"])]
    )
    return sum(map(len, texts))


def delay_v1(ctx: DaprWorkflowContext, given: Given) -> Steps:
    """
    Wait for a durable timer of so many `seconds`, and return them.
    """
    yield ctx.create_timer(timedelta(seconds=given["seconds"]))
    return given["seconds"]


def payload_v1(ctx: DaprWorkflowContext, given: Given) -> Steps:
    """
    Save a value of so many `bytes` under `key`, get it back, and delete it. Return how many bytes came back.
    """
    value = {"key": given["key"], "bytes": given["bytes"]}
    yield ctx.call_activity(SAVE, input=value, retry_policy=STORE)
    got = yield ctx.call_activity(GET, input=value, retry_policy=STORE)
    yield ctx.call_activity(DELETE, input=value, retry_policy=STORE)
    return len(got)


def batch_v1(ctx: DaprWorkflowContext, given: Given) -> Steps:
    """
    Start an order for each line, as child workflows that run at once, and wait for all. Return how many orders ended in
    each way.
    """
    orders = [
        {"order_id": f"{given['batch_id']}-{line}", "kind": kind, "sku": given["sku"], "quantity": 1}
        for line, kind in enumerate(LINES)
    ]
    ended = yield when_all(
        [ctx.call_child_workflow(ORDER, input=order, instance_id=order["order_id"]) for order in orders]
    )
    return dict(sorted(Counter(order["outcome"] for order in ended).items()))


def family_v1(ctx: DaprWorkflowContext, given: Given) -> Steps:
    """
    Start a chain and a timer for each of `seconds` as child workflows that run at once, and wait for all. Return the
    sum of what they give.
    """
    members = [(SERIES, {"number": given["number"]}), *((DELAY, {"seconds": each}) for each in given["seconds"])]
    gave = yield when_all([ctx.call_child_workflow(name, input=of) for name, of in members])
    return sum(gave)


WORKFLOWS: Mapping[str, Callable[[DaprWorkflowContext, Given], Steps]] = {
    SERIES: series_v1,
    WIDE: wide_v1,
    DELAY: delay_v1,
    PAYLOAD: payload_v1,
    BATCH: batch_v1,
    FAMILY: family_v1,
}
"""Those in which no defect can be planted."""


def add(part: Given) -> int:
    """
    Return the sum of the numbers from `first` to `last`.
    """
    return sum(range(part["first"], part["last"] + 1))


def fill(given: Given) -> str:
    """
    Return a text of so many `bytes`, which differs from that of the next task.
    """
    return str(given["task"] % 10) * int(given["bytes"])


class Values:
    """
    Values in one state store. Safe to share between threads.
    """

    def __init__(self, client: DaprClient, store: str) -> None:
        self._client = client
        self._store = store

    def save(self, given: Given) -> None:
        """
        Save so many `bytes` under `key`. Raises grpc.RpcError if it is not known whether they are saved.
        """
        self._client.save_state(self._store, given["key"], "1" * given["bytes"])

    def get(self, given: Given) -> str:
        """
        Return what is saved under `key`. Raises grpc.RpcError if the store does not answer.
        """
        return self._client.get_state(self._store, given["key"]).text()

    def delete(self, given: Given) -> None:
        """
        Delete what is saved under `key`, if anything is. Raises grpc.RpcError if it is not known whether it is deleted.
        """
        self._client.delete_state(self._store, given["key"])

    @property
    def bodies(self) -> Mapping[str, Callable[[Given], Any]]:
        """
        The bodies of the activities of the patterns, by name.
        """
        return {SUM: add, FILL: fill, SAVE: self.save, GET: self.get, DELETE: self.delete}
