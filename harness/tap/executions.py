"""
Which turns and twins an application executes at the moment, and which answer belongs to which.

The SDKs of Python and Java echo the completion token of a turn in its answer. Those of Go (durabletask-go 0.12.1,
client/worker_grpc.go) and JavaScript (@dapr/dapr 3.18.0, task-hub-grpc-worker.js) do not: their answers name the
instance alone. So an instance is executed once at a time in one application. A twin waits for the turn, the next turn
waits for the twin, and a stream that ends ends what it was given.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any


@dataclass
class Execution:
    """
    A turn, or a twin of one, that was handed to a worker's `stream`. `is_sure` is False if it cannot be told which of
    two answers is its own.
    """

    token: str
    is_twin: bool
    stream: object
    answer: asyncio.Future[Any]
    is_sure: bool = True

    async def answered(self) -> Any:
        """
        Return the answer. Raises LookupError if nobody waits for it any more.
        """
        await asyncio.wait((self.answer,))
        if self.answer.cancelled():
            raise LookupError
        return self.answer.result()


class Executions:
    """
    What one application executes. To be used from one event loop.
    """

    def __init__(self) -> None:
        self._open: dict[str, list[Execution]] = {}

    def begin(self, instance_id: str, token: str, stream: object, *, is_twin: bool) -> Execution:
        """
        Note that a turn or a twin is handed out now.
        """
        execution = Execution(token, is_twin, stream, asyncio.get_running_loop().create_future())
        self._open.setdefault(instance_id, []).append(execution)
        return execution

    def end(self, instance_id: str, execution: Execution) -> None:
        """
        Note that nobody waits for an answer any more.
        """
        execution.answer.cancel()
        waiting = self._open.get(instance_id, [])
        if execution in waiting:
            waiting.remove(execution)
        if not waiting:
            self._open.pop(instance_id, None)

    def lose(self, stream: object) -> None:
        """
        End what was handed to a stream that has ended.
        """
        for instance_id, waiting in list(self._open.items()):
            for execution in [of for of in waiting if of.stream is stream]:
                self.end(instance_id, execution)

    def answered(self, answer: Any) -> Execution | None:
        """
        Return to which execution an answer belongs, and end it; None if it is none of these.
        """
        waiting = self._open.get(answer.instanceId, [])
        if answer.completionToken:
            found = next((of for of in waiting if of.token == answer.completionToken), None)
        else:
            found = next(iter(waiting), None)
            if len(waiting) > 1:  # the engine handed the instance out twice
                for execution in waiting:
                    execution.is_sure = False
        if found is not None:
            found.answer.set_result(answer)
            self.end(answer.instanceId, found)
        return found

    async def twins_over(self, instance_id: str) -> None:
        """
        Return as soon as no twin of an instance is executed.
        """
        await self._over(instance_id, (True,))

    async def all_over(self, instance_id: str) -> None:
        """
        Return as soon as nothing of an instance is executed.
        """
        await self._over(instance_id, (True, False))

    async def _over(self, instance_id: str, kinds: tuple[bool, ...]) -> None:
        while waiting := [of.answer for of in self._open.get(instance_id, ()) if of.is_twin in kinds]:
            await asyncio.wait(waiting)
