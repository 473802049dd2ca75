"""
The same work in three granularities: one activity for all of it, one for each step, or three for each step (get, update
and save apart). The coarsest writes the fewest rows and repeats the most after a crash. The finest writes the most rows
and repeats the least.

The work is to add up the numbers from 1 to `number` in five steps. A document in the state store says which step was
done last, and the sum so far. It is saved only over the version that was read, and a step that it says is done is not
done again. So every activity can be executed again at any point, also by one that was believed dead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any

import grpc
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions
from dapr.ext.workflow import DaprWorkflowContext

from target.patterns import add, parts
from target.workflows import STORE

WHOLE = "work_whole_v1"
STEPS = "work_steps_v1"
SPLIT = "work_split_v1"

DO_ALL = "do_all_v1"
DO_STEP = "do_step_v1"
GET = "get_work_v1"
UPDATE = "update_work_v1"
SAVE = "save_work_v1"

_FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write, consistency=Consistency.strong)

Given = Mapping[str, Any]
Turns = Generator[Any, Any, int]


def steps(given: Given) -> list[dict[str, Any]]:
    """
    Return the input of each step: the `key` of the document, the number of the `step` from 1, its `first` and its
    `last` number.
    """
    return [{"key": given["key"], "step": step, **part} for step, part in enumerate(parts(given["number"]), 1)]


def work_whole_v1(ctx: DaprWorkflowContext, given: Given) -> Turns:
    """
    Return the sum of the numbers from 1 to `number`: one activity.
    """
    total: int = yield ctx.call_activity(DO_ALL, input=dict(given), retry_policy=STORE)
    return total


def work_steps_v1(ctx: DaprWorkflowContext, given: Given) -> Turns:
    """
    Return the sum of the numbers from 1 to `number`: five activities, each of which gets, updates and saves.
    """
    total = 0
    for step in steps(given):
        total = yield ctx.call_activity(DO_STEP, input=step, retry_policy=STORE)
    return total


def work_split_v1(ctx: DaprWorkflowContext, given: Given) -> Turns:
    """
    Return the sum of the numbers from 1 to `number`: fifteen activities.
    """
    total = 0
    for step in steps(given):
        got = yield ctx.call_activity(GET, input={"key": step["key"]}, retry_policy=STORE)
        document = yield ctx.call_activity(UPDATE, input={**step, "document": got["document"]})
        yield ctx.call_activity(SAVE, input={"key": step["key"], **got, "document": document}, retry_policy=STORE)
        total = document["sum"]
    return total


WORKFLOWS: Mapping[str, Callable[[DaprWorkflowContext, Given], Turns]] = {
    WHOLE: work_whole_v1,
    STEPS: work_steps_v1,
    SPLIT: work_split_v1,
}


def update(given: Given) -> dict[str, int]:
    """
    Return the `document` after a step; as it is, if the step was done before.
    """
    document: dict[str, int] = given["document"]
    if document["step"] >= given["step"]:
        return document
    return {"step": given["step"], "sum": document["sum"] + add(given)}


class Work:
    """
    The documents in one state store. Safe to share between threads. Each method raises grpc.RpcError if the store does
    not answer.
    """

    def __init__(self, client: DaprClient, store: str) -> None:
        self._client = client
        self._store = store

    def get(self, given: Given) -> dict[str, Any]:
        """
        Return the `document` under `key`, and its `etag`; None if there is no document yet.
        """
        stored = self._client.get_state(self._store, given["key"])
        document = json.loads(stored.data) if stored.data else {"step": 0, "sum": 0}
        return {"document": document, "etag": stored.etag or None}

    def save(self, given: Given) -> None:
        """
        Save the `document` over the version that has the `etag`. If another execution was first, its document is as far
        or farther, and stays. Raises grpc.RpcError if it is not known whether it is saved.
        """
        try:
            self._client.save_state(
                self._store, given["key"], json.dumps(given["document"]), etag=given["etag"], options=_FIRST_WRITE
            )
        except grpc.RpcError as error:
            # ABORTED: the etag is not the current one (Dapr state API).
            if error.code() is not grpc.StatusCode.ABORTED:
                raise
            if self.get(given)["document"]["step"] < given["document"]["step"]:
                raise

    def do_step(self, given: Given) -> int:
        """
        Get, update and save for one step. Return the sum so far.
        """
        got = self.get(given)
        document = update({**given, "document": got["document"]})
        if document != got["document"]:
            self.save({**got, "key": given["key"], "document": document})
        return document["sum"]

    def do_all(self, given: Given) -> int:
        """
        Do all steps. Return the sum.
        """
        return [self.do_step(step) for step in steps(given)][-1]

    @property
    def bodies(self) -> Mapping[str, Callable[[Given], Any]]:
        """
        The bodies of the activities, by name.
        """
        return {DO_ALL: self.do_all, DO_STEP: self.do_step, GET: self.get, UPDATE: update, SAVE: self.save}
