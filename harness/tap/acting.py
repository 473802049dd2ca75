"""
The tap that acts. It holds activities at the points at which faults are aimed (`harness.tap.holding`). And it hands a
share of the workflow turns to a worker twice, and writes down whether both ordered the same. The second answer is kept
from the sidecar, so the system is undisturbed. Most twins go to the application of another replica, if there is one
that answers, because what depends on the process, such as the order of a set, is the same within one.

Dapr 1.18 sends a workflow turn without a completion token, so the turn and its twin get tokens of our own. The one of
the turn is restored in its answer. Not every SDK echoes them: see `harness.tap.executions`.

It is a gRPC proxy for messages that it does not decode, except these. It costs much more than the tee (`harness.tap`),
so it is there only if the scenario asks for it. It stands before the tee, is started in the same way, and like it
lives, stands still and dies with the sidecar.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any

import grpc
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2 as durabletask
from google.protobuf.json_format import MessageToDict

from harness.journal import Journal
from harness.rows import TurnTwice
from harness.tap import record
from harness.tap.act import Act
from harness.tap.executions import Execution, Executions
from harness.tap.holding import Points

_WORK = "/TaskHubSidecarService/GetWorkItems"
_TURN_ENDS = ("/TaskHubSidecarService/CompleteOrchestratorTask", "/TaskHubSidecarService/CompleteWorkflowTask")
_ACTIVITY_ENDS = "/TaskHubSidecarService/CompleteActivityTask"
_ASK = "/harness.Tap/Turn"
"""A twin for the application of this sidecar, from the tap of another."""
_TURN, _TWIN = "harness-turn-", "harness-twin-"
_PATIENCE = 20.0
"""Seconds for an answer to a twin. After this time nothing is said about its turn."""
_AT_HOME = 0.25
"""The share of the twins that the application of this sidecar executes itself: two replicas may count alike."""
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_AGENT, _OF_CONNECTION = "user-agent", "grpc-"
_NOT_ORDERED = ("stackTrace", "taskExecutionId")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_MOST_LETTERS = 2000
_MOST_DIFFERENT, _BEFORE = 120, 60
"""Letters that tell a difference, and how many of them come before it."""


def orders(answer: Any) -> list[str]:
    """
    Return what a turn ordered, each action as JSON, by its number. Stack traces, addresses of objects in errors and the
    ids of calls are left out: they say nothing of what was ordered. Go's SDK draws such an id at random each time that
    the code is executed, and sends the actions in any order (durabletask-go 0.12, task/orchestrator.go).
    """
    actions = sorted(answer.actions, key=lambda action: action.id)
    return [json.dumps(_ordered(MessageToDict(action)), sort_keys=True) for action in actions]


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _ordered(inner) for name, inner in value.items() if name not in _NOT_ORDERED}
        if "errorMessage" in kept:
            kept["errorMessage"] = _ADDRESS.sub("0x", kept["errorMessage"])
        return kept
    return [_ordered(inner) for inner in value] if isinstance(value, list) else value


class Acting(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc is untyped
    """
    The proxy before one sidecar; `journal` gets each turn that was executed twice.
    """

    def __init__(self, act: Act, journal: Journal[TurnTwice]) -> None:
        self._channel = grpc.aio.insecure_channel(act.sidecar, options=_OPTIONS)
        self._peers = {name: grpc.aio.insecure_channel(at, options=_OPTIONS) for name, at in act.peers.items()}
        self._node = act.node
        self._share = act.share
        self._journal = journal
        self._points = Points(act.node, act.points_url, act.points, act.operations)
        self._dice = random.Random(act.node)
        self._number = 0
        self._workers: list[asyncio.Queue[bytes | None]] = []
        self._tokens: dict[str, str] = {}
        self._executions = Executions()
        self._tasks: set[asyncio.Task[None]] = set()

    def service(self, handler_call_details: Any) -> Any:
        """
        Return the handler of a method.
        """
        method = handler_call_details.method
        if method == _ASK:
            return grpc.unary_unary_rpc_method_handler(self._asked)
        return grpc.stream_stream_rpc_method_handler(partial(self._pass_on, method))

    async def _pass_on(self, method: str, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        held = None
        if method in _TURN_ENDS:
            request = await anext(requests)
            answer = self._answered(durabletask.WorkflowResponse.FromString(request))
            if answer is None:
                yield b""
                return
            requests = _only(answer)
        elif method == _ACTIVITY_ENDS:
            result = await anext(requests)
            await self._points.returned(durabletask.ActivityResponse.FromString(result))
            requests = _only(result)
        elif self._points.holds(method):
            held = await anext(requests)
            requests = _only(held)
        metadata = [
            (record.AGENT if name == _AGENT else name, value)
            for name, value in context.invocation_metadata()
            if not name.startswith(_OF_CONNECTION)
        ]
        call = self._channel.stream_stream(method)(requests, metadata=metadata, timeout=context.time_remaining())
        try:
            if method != _WORK:  # a sidecar that has no work sends none, and the worker can still execute twins
                await context.send_initial_metadata(tuple(await call.initial_metadata() or ()))
            answers = self._work(call) if method == _WORK else call
            async for message in answers if held is None else self._well(answers, method, held):
                yield message
            context.set_trailing_metadata(tuple(await call.trailing_metadata() or ()))
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata() or ()))
        finally:
            call.cancel()

    async def _well(self, call: Any, method: str, request: bytes) -> AsyncIterator[bytes]:
        """
        Return the answers to a call, once it went well and the application may get them.
        """
        answers = [answer async for answer in call]
        await self._points.answered(method, request)
        for answer in answers:
            yield answer

    async def _work(self, call: Any) -> AsyncIterator[bytes]:
        """
        Return the work items of the sidecar, and the twins of others in between.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._workers.append(queue)

        async def pump() -> None:
            try:
                async for item in call:
                    self._deliver(item, queue)
            finally:
                queue.put_nowait(None)

        pumping = asyncio.create_task(pump())
        try:
            while (item := await queue.get()) is not None:
                yield item
            await pumping
        finally:
            self._workers.remove(queue)
            self._executions.lose(queue)
            pumping.cancel()

    def _deliver(self, body: bytes, queue: asyncio.Queue[bytes | None]) -> None:
        item = durabletask.WorkItem.FromString(body)
        is_turn = item.WhichOneof("request") == "workflowRequest"
        self._start(self._turn(item, queue) if is_turn else self._activity(item.activityRequest, body, queue))

    async def _activity(self, request: Any, body: bytes, queue: asyncio.Queue[bytes | None]) -> None:
        """
        Hand an activity to the worker when it may begin.
        """
        await self._points.delivered(request)
        queue.put_nowait(body)

    def _start(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _turn(self, item: Any, queue: asyncio.Queue[bytes | None]) -> None:
        """
        Hand a turn to the worker, and a share of them once more.
        """
        turn = item.workflowRequest
        is_doubled = not turn.requiresHistoryStreaming and self._dice.random() < self._share
        await self._executions.twins_over(turn.instanceId)
        if queue not in self._workers:
            return  # the stream has ended, so the sidecar hands the turn out again
        if is_doubled:
            self._number += 1
            token = f"{_TURN}{self._node}-{self._number}"
            self._tokens[token] = item.completionToken
            item.completionToken = token
        execution = self._executions.begin(turn.instanceId, item.completionToken, queue, is_twin=False)
        queue.put_nowait(item.SerializeToString())
        if is_doubled:
            await self._twin(execution, item)

    def _answered(self, answer: Any) -> bytes | None:
        """
        Return the answer to a turn as the sidecar must get it; None if it must not get it, because it is a twin's.
        """
        execution = self._executions.answered(answer)
        if answer.completionToken.startswith(_TWIN) or (execution is not None and execution.is_twin):
            return None
        token = answer.completionToken if execution is None else execution.token
        if token.startswith(_TURN):
            answer.completionToken = self._tokens.pop(token, "")
        return bytes(answer.SerializeToString())

    async def _twin(self, turn: Execution, item: Any) -> None:
        """
        Have a turn executed once more, and write down what came of it.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                where, second = await self._executed(bytes(item.SerializeToString()))
                first = await turn.answered()
        except (TimeoutError, grpc.aio.AioRpcError, LookupError):
            where, first, second = None, None, None
        self._write(item.workflowRequest, where if turn.is_sure else None, first, second)

    async def _executed(self, body: bytes) -> tuple[str, Any]:
        """
        Return where a twin was executed, and its answer.
        """
        others = list(self._peers.items()) if self._dice.random() >= _AT_HOME else []
        self._dice.shuffle(others)
        for name, channel in others:
            with suppress(grpc.aio.AioRpcError):
                answer = await channel.unary_unary(_ASK)(body, timeout=_PATIENCE / 2)
                return name, durabletask.WorkflowResponse.FromString(answer)
        return self._node, await self._execute(body)

    async def _asked(self, body: bytes, context: Any) -> bytes:
        try:
            return bytes((await self._execute(body)).SerializeToString())
        except (LookupError, TimeoutError):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no worker answers")
            raise

    async def _execute(self, body: bytes) -> Any:
        """
        Hand a twin to the application of this sidecar, and return its answer. Raises LookupError if no worker is
        connected, or if it goes away, and TimeoutError if there is no answer in time.
        """
        item = durabletask.WorkItem.FromString(body)
        instance_id = item.workflowRequest.instanceId
        async with asyncio.timeout(_PATIENCE):
            await self._executions.all_over(instance_id)
            if not self._workers:
                raise LookupError
            self._number += 1
            item.completionToken = f"{_TWIN}{self._node}-{os.getpid()}-{self._number}"
            worker = self._workers[-1]
            twin = self._executions.begin(instance_id, item.completionToken, worker, is_twin=True)
            worker.put_nowait(item.SerializeToString())
            try:
                return await twin.answered()
            finally:
                self._executions.end(instance_id, twin)

    def _write(self, turn: Any, where: str | None, first: Any, second: Any) -> None:
        row = TurnTwice(
            at_ns=time.time_ns(),
            instance_id=turn.instanceId,
            node=self._node,
            other=where,
            past=len(turn.pastEvents),
            new=len(turn.newEvents),
        )
        if where is not None:
            one, two = orders(first), orders(second)
            found: dict[str, object] = {"same": one == two}
            if one != two:
                found["difference"] = difference(one, two)
                found["first"] = _told([action for action in one if action not in two])
                found["second"] = _told([action for action in two if action not in one])
            row = row.model_copy(update=found)
        self._journal.write(row)


def difference(one: list[str], two: list[str]) -> str:
    """
    Return in words the first thing that only one of two executions ordered, from where the two begin to differ.
    """
    pairs = zip_longest(
        [action for action in one if action not in two], [action for action in two if action not in one]
    )
    first, second = next(pairs, (None, None))
    if first == second:
        return "they ordered the same in another order"
    told = [_in_words(first), _in_words(second)]
    if told[0] == told[1]:
        told = [str(first), str(second)]
    begin = max(0, len(os.path.commonprefix(told)) - _BEFORE)  # noqa: RUF071 - letter by letter is meant
    cut = ["..." * (begin > 0) + text[begin : begin + _MOST_DIFFERENT] for text in told]
    return f"the first ordered {cut[0]}, the second {cut[1]}"


def _in_words(action: str | None) -> str:
    """
    Return what an action orders: the activity, timer or other thing, and its input or result.
    """
    if action is None:
        return "nothing more"
    parts = json.loads(action)
    kind, body = next((name, parts[name]) for name in parts if name not in ("id", "router"))
    return f"{body.get('name', kind)} with {body.get('input', body.get('result', body.get('fireAt', 'nothing')))}"


def _told(actions: list[str]) -> str:
    """
    Return the actions that only one of the two executions ordered; if there are none, they differ in their order.
    """
    text = ", ".join(actions) or "the same in another order"
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


async def _only(body: bytes) -> AsyncIterator[bytes]:
    yield body


def run(act: Act, journal: Journal[TurnTwice], pid: int) -> None:
    """
    Act between an application and its sidecar until the process `pid` ends. `journal` gets each turn that was executed
    twice.
    """

    async def serve() -> None:
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((Acting(act, journal),))
        server.add_insecure_port(act.listen)
        await server.start()
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(os.pidfd_open(pid), ended.set)
        await ended.wait()

    asyncio.run(serve())
