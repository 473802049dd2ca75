"""
Saved histories through the code of today: does it order what was ordered?

A workflow's code must order the same in every replay, or the instances in flight when it is deployed fail or stand
still. Here each turn of each saved history is replayed, and what the code orders is compared with what the history has:
tasks, timers, child workflows and the end, by their numbers; their names; their inputs as JSON; and how it ended.
When a timer fires is not compared: the engine may have saved another time than the code had seen (docs/findings.md, 9).
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType
from typing import Any

from harness.replaying import events
from harness.replaying.code import Code
from harness.replaying.events import Row, Saved, event

LONGEST = 10.0
"""Seconds that the replay of one history may take."""
_AGAIN = 2
"""ORCHESTRATION_STATUS_CONTINUED_AS_NEW (orchestration.proto)."""


class Answer(StrEnum):
    """
    What the replay of one history says.
    """

    SAME = "same"
    DIFFERENT = "different"
    UNTOLD = "cannot be told"
    NO_CODE = "no code"


@dataclass(frozen=True)
class Replayed:
    """
    One history replayed. If it is different, `turn` is the first turn that is (from 0), `what` is the first difference
    without inputs and results, and `saved` and `ordered` are both sides of it with them. If nothing can be told, `what`
    is the reason.
    """

    instance_id: str
    workflow: str | None
    answer: Answer
    what: str | None = None
    turn: int | None = None
    saved: str | None = None
    ordered: str | None = None


@dataclass(frozen=True)
class _Order:
    """
    One thing that a turn ordered, so that two can be compared: a history's and the code's.
    """

    number: int
    kind: str
    name: str | None = None
    payload: str | None = None

    def __str__(self) -> str:
        """
        `task 3 quote_v1`.
        """
        return f"{self.kind} {self.number}{f' {self.name}' if self.name else ''}"

    @property
    def is_end(self) -> bool:
        """
        Whether the workflow ends here.
        """
        return self.kind in ("end", "failure")

    @property
    def whole(self) -> str:
        """
        `task 3 quote_v1: {"provider": "swift"}`.
        """
        return str(self) if self.payload is None else f"{self}: {self.payload}"


@dataclass(frozen=True)
class _Difference:
    """
    The first difference of a turn: what the history has there, and what the code orders.
    """

    saved: _Order | None
    ordered: _Order | None

    def __str__(self) -> str:
        """
        In words, without inputs and results.
        """
        if self.saved and self.ordered and str(self.saved) == str(self.ordered):
            of = "input" if self.saved.name else "result"
            return f"the code gives {self.saved} another {of} than the history has"
        return f"the history has {self.saved or 'nothing more'}; the code orders {self.ordered or 'nothing more'}"


class _TooLongError(BaseException):
    """
    The code did not end its turn in time. Not an Exception, which the code or its SDK would catch.
    """


def replayed(code: Code, histories: Iterable[Saved]) -> Iterator[Replayed]:
    """
    Return for each history whether `code` orders what it has. The code runs in this process, and is interrupted if one
    history takes longer than `LONGEST` seconds. Must be called from the main thread.
    """
    for history in histories:
        if history.workflow not in code.names:
            yield Replayed(history.instance_id, history.workflow, Answer.NO_CODE)
        elif history.lacks is not None:
            yield Replayed(history.instance_id, history.workflow, Answer.UNTOLD, history.lacks)
        else:
            yield _one(code, history)


def _one(code: Code, history: Saved) -> Replayed:
    instance, workflow = history.instance_id, history.workflow
    try:
        with _at_most(LONGEST):
            found = next(_differences(code, history, patched=False), None)
            if found is None or next(_differences(code, history, patched=True), None) is None:
                return Replayed(instance, workflow, Answer.SAME)
    except _TooLongError:
        return Replayed(instance, workflow, Answer.DIFFERENT, f"the code does not end its turns within {LONGEST:g} s")
    turn, first = found
    saved, ordered = (order.whole if order else None for order in (first.saved, first.ordered))
    return Replayed(instance, workflow, Answer.DIFFERENT, str(first), turn, saved, ordered)


def _differences(code: Code, history: Saved, *, patched: bool) -> Iterator[tuple[int, _Difference]]:
    """
    Return the turns in which the code orders something else, with the first difference of each. With `patched` the code
    runs each turn as if for the first time, so that it applies its patches, and the turns after it know them.
    """
    before: list[Any] = []
    for number, turn in enumerate(history.turns):
        now = [event(row) for row in turn.took]
        if patched:
            actions, patches = code.orders_patched(history.instance_id, before, now)
            for each in now:
                if each.HasField("workflowStarted"):
                    each.workflowStarted.version.patches.extend(patches)
        else:
            actions = code.orders(history.instance_id, before, now)
        is_last = number == len(history.turns) - 1
        found = _first(
            sorted(map(_of_row, turn.ordered), key=_number), sorted(map(_of_action, actions), key=_number), is_last
        )
        if found is not None:
            yield number, found
        before += [*now, *(event(row) for row in turn.ordered if row["event"] != "executionCompleted")]


def _first(saved: Sequence[_Order], ordered: Sequence[_Order], is_last: bool) -> _Difference | None:
    """
    Return the first difference of a turn; None if there is none.

    What the last turn of a history ordered may not have been saved (docs/findings.md, 8), so it is no difference if
    the code orders more there, unless the history ends.
    """
    for one, other in zip(saved, ordered, strict=False):
        if one != other:
            return _Difference(one, other)
    if len(saved) > len(ordered):
        return _Difference(saved[len(ordered)], None)
    if len(ordered) > len(saved) and (not is_last or any(order.is_end for order in saved)):
        return _Difference(None, ordered[len(saved)])
    return None


def _of_row(row: Row) -> _Order:
    number = events.number(row) or 0
    match row["event"]:
        case "taskScheduled":
            return _Order(number, "task", row["name"], _json(row["payload"]))
        case "timerCreated":
            return _Order(number, "timer")
        case "childWorkflowInstanceCreated":
            return _Order(number, "child workflow", row["name"], _json(row["payload"]))
        case "eventSent":
            return _Order(number, "event", row["name"])
    if row["error"] is not None:
        return _Order(number, "failure", payload=row["error"].partition(": ")[0])
    return _Order(number, "end", payload=_json(row["payload"]))


def _of_action(action: Any) -> _Order:
    kind = action.WhichOneof("workflowActionType")
    body = getattr(action, kind)
    match kind:
        case "scheduleTask":
            return _Order(action.id, "task", body.name, _json(body.input.value))
        case "createTimer":
            return _Order(action.id, "timer")
        case "createChildWorkflow":
            return _Order(action.id, "child workflow", body.name, _json(body.input.value))
        case "sendEvent":
            return _Order(action.id, "event", body.name)
    return _of_end(action, kind, body)


def _of_end(action: Any, kind: str, body: Any) -> _Order:
    if kind == "workflowVersionNotAvailable":
        return _Order(action.id, "stall for want of the version, as number")
    if body.HasField("failureDetails"):
        return _Order(action.id, "failure", payload=body.failureDetails.errorType)
    ends = "continue-as-new" if body.workflowStatus == _AGAIN else "end"
    return _Order(action.id, ends, payload=_json(body.result.value))


def _number(order: _Order) -> int:
    return order.number


def _json(text: str | None) -> str | None:
    """
    Return a JSON text in one form, so that only its value is compared; None if there is none.
    """
    try:
        return json.dumps(json.loads(text), sort_keys=True) if text else None
    except ValueError:
        return text


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
