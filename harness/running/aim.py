"""
Aimed faults: executions of activities announce the points that they reach, and are held there until a fault has landed.

The target makes the announcements (docs/target-contract.md, "Activity points"), or the taps of the sidecars do
(`harness.tap.holding`). A tap that holds the answer to a call announces the call, and the harness finds the execution
that made it (`harness.running.makers`). Each announcement is answered at once, except the one for which an aimed fault
waits. That one is answered when the fault has landed. An announcement is believed only if the other sources agree: the
attempts file, the ledgers, and the engine's own history.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import Any, Literal

import structlog

from harness.backends.endpoints import Address
from harness.errors import EvidenceError
from harness.faults.base import NotFeltError, Proof
from harness.journal import Journal
from harness.model import Aim, Point, Value
from harness.rows import HeldAt, LetGo, NeverCame, PointRow
from harness.running.receiving import Receiver
from harness.tap.answers import ROUTE, Answer

log = structlog.get_logger(__name__)

LIMIT = 20.0
"""Seconds. After this time a held execution continues even if no fault has landed, so that no target waits forever."""

AttemptState = Literal["not begun", "begun", "returned", "raised"]
_ATTEMPT_AT: Mapping[Point, AttemptState] = {
    "before_body": "not begun",
    "before_effect": "begun",
    "after_effect": "begun",
    "after_return": "returned",
}


class Announcement(Value):
    """
    An execution of an activity has reached a point. `node` is who says so: the app, or the sidecar whose tap does;
    `at_ns` is the time by its clock.
    """

    instance_id: str
    activity: str
    task_id: int
    attempt_id: str
    node: str
    point: Point
    at_ns: int

    @property
    def task(self) -> tuple[str, int, str]:
        """
        The task that it executes, and the point: the same for all executions of one task.
        """
        return self.instance_id, self.task_id, self.point


@dataclass(frozen=True)
class Testimony:
    """
    What the sources say about one execution at one moment.

    `attempt`: the state in the attempts file, None if the target writes none. `effects`: how many rows of the
    activity's effect the ledgers have of the instance, None if the activity makes no effect. `scheduled` and
    `recorded`: whether the engine's stored state says that the task was scheduled, and that it ended.
    """

    attempt: AttemptState | None
    effects: int | None
    scheduled: bool
    recorded: bool

    def against(self, point: Point) -> str | None:
        """
        Return why the execution cannot be at `point`; None if nothing contradicts it.
        """
        attempt = _ATTEMPT_AT[point]
        if self.attempt not in (attempt, None):
            return f"its attempt should be {attempt}, and the attempts file says: {self.attempt}"
        if self.recorded:
            return "the engine has recorded the end of its task"
        if self.effects is not None and (self.effects > 0) != (point in ("after_effect", "after_return")):
            return f"the ledgers have its effect {self.effects} times"
        return None


Testify = Callable[[Announcement], Testimony]
"""Asks the sources about an execution. Raises EvidenceError if one does not answer."""
Makers = Callable[[Answer], tuple[Announcement, ...]]
"""Finds the executions that can have made a call, at `after_effect`. Raises EvidenceError if that cannot be told."""


class Held:
    """
    An execution that waits until it is let go, but no longer than LIMIT seconds.
    """

    def __init__(self, announcement: Announcement) -> None:
        self.announcement = announcement
        self.since_ns = time.time_ns()
        self._until = time.monotonic() + LIMIT
        self._go = threading.Event()

    def wait(self) -> None:
        """
        Return when the execution may continue.
        """
        self._go.wait(max(0.0, self._until - time.monotonic()) + 1.0)  # a second more: `stands` must not be late

    def let_go(self) -> None:
        """
        Let the execution continue.
        """
        self._go.set()

    @property
    def stands(self) -> bool:
        """
        Whether the execution is still held.
        """
        return not self._go.is_set() and time.monotonic() < self._until


class _Ambush:
    """
    One aimed fault that waits for its execution.
    """

    def __init__(self, aim: Aim) -> None:
        self._aim = aim
        self._taken = False
        self.came = 0
        self.caught: SimpleQueue[Held | None] = SimpleQueue()

    def offer(self, announcement: Announcement, *, free: bool) -> Held | None:
        """
        Count an execution. If it is the one for which the fault waits, and no other fault has taken it (`free`), take
        it and return it.
        """
        if (announcement.activity, announcement.point) != (self._aim.activity, self._aim.point):
            return None
        self.came += 1
        if not free or self._taken or self.came < self._aim.occurrence:
            return None
        self._taken = True
        held = Held(announcement)
        self.caught.put(held)
        return held

    def again(self) -> None:
        """
        Give up the execution that was taken, and take the next one.
        """
        self._taken = False


class Announcements:
    """
    Receives announcements at an address. Threads can share it. Close it after use.

    The journal gets two rows for each execution that was held: `held`, and `let go` with the reason (a fault landed, or
    why the execution was passed over). It gets one row for each aim whose execution never came.
    """

    def __init__(self, at: Address, journal: Journal[PointRow], testify: Testify, makers: Makers) -> None:
        self._journal = journal
        self._testify = testify
        self._makers = makers
        self._lock = threading.Lock()
        self._seen: set[tuple[str, str, str]] = set()
        self._held: dict[tuple[str, int, str], Held] = {}
        self._ambushes: list[_Ambush] = []
        self._disarmed = False
        self._receiver = Receiver(
            at,
            {
                "/": lambda body: self.announce(Announcement.model_validate_json(body)),
                ROUTE: lambda body: self.answered(Answer.model_validate_json(body)),
            },
            patience=2 * LIMIT,
        )

    def announce(self, announcement: Announcement) -> None:
        """
        Return when the execution may continue. An instance counts only when it reaches a point for the first time.
        Later executions are repetitions, whose effect may already have happened.

        If the task is held, another execution of it also waits: when a sidecar dies, the engine gives the task to
        another replica within milliseconds, and that replica would do what the held execution must not do yet.
        """
        came = (announcement.instance_id, announcement.activity, announcement.point)
        with self._lock:
            held = self._held.get(announcement.task)
            if held is None and not self._disarmed and came not in self._seen:
                for ambush in self._ambushes:
                    held = ambush.offer(announcement, free=held is None) or held
                if held is not None:
                    self._held[announcement.task] = held
            self._seen.add(came)
        if held is not None:
            held.wait()

    def answered(self, answer: Answer) -> None:
        """
        Return when the application may get the answer to a call. If its effect is that of an execution of an activity,
        that has reached `after_effect`. Where several executions can have made the call, none of them is taken, but
        one that is held is waited for.
        """
        try:
            executions = self._makers(answer)
        except EvidenceError as error:
            log.warning("nobody can tell whose call this is", method=answer.method, node=answer.node, error=str(error))
            return
        if len(executions) == 1:
            self.announce(executions[0])
            return
        with self._lock:
            held = next((self._held[each.task] for each in executions if each.task in self._held), None)
        if held is not None:
            held.wait()

    def ambush(self, step: int, aim: Aim, refuse: Callable[[Announcement], str | None]) -> Held | None:
        """
        Wait for the execution at which step number `step` aims. Return it, held; None if the waiting was ended.

        If another source contradicts an execution, or if `refuse` returns a reason against it, it is let go, and the
        next one is taken.
        """
        ambush = _Ambush(aim)
        with self._lock:
            if self._disarmed:
                return None
            self._ambushes.append(ambush)
        try:
            while (held := ambush.caught.get()) is not None:
                self._journal.write(HeldAt(**_row(step, held)))
                why = "the fault was called off" if self._disarmed else self._doubt(held) or refuse(held.announcement)
                if why is None:
                    return held
                self.let_go(step, held, f"passed over: {why}")
                ambush.again()
        finally:
            with self._lock:
                self._ambushes.remove(ambush)
        self._journal.write(NeverCame(step=step, at_ns=time.time_ns(), came=ambush.came))
        return None

    def landed(self, held: Held) -> Proof:
        """
        Return the proof that a fault which has just landed has landed at the point. Raises NotFeltError if this is not
        proved.
        """
        now_ns = time.time_ns()
        announced = held.announcement
        proof: dict[str, str | int | float | None] = {
            **announced.model_dump(exclude={"at_ns", "node"}),
            "announced_by": announced.node,
            "held_ms": round((now_ns - held.since_ns) / 1e6, 3),
        }
        if not held.stands:
            raise NotFeltError(f"the execution was held for {LIMIT:g} s, and the fault had not landed then", proof)
        try:
            found = self._testify(announced)
        except EvidenceError as error:  # the fault may have hit the store; before the fault, the store agreed
            return {**proof, "sources_afterwards": str(error)}
        proof |= asdict(found)
        if (against := found.against(announced.point)) is not None:
            raise NotFeltError(f"the execution had moved on when the fault landed: {against}", proof)
        return proof

    def let_go(self, step: int, held: Held, why: str) -> None:
        """
        Let an execution continue, and write the reason to the journal.
        """
        held.let_go()
        with self._lock:
            self._held.pop(held.announcement.task, None)
        self._journal.write(LetGo(**_row(step, held), why=why))

    def disarm(self) -> None:
        """
        End all waiting for executions.
        """
        with self._lock:
            self._disarmed = True
            for ambush in self._ambushes:
                ambush.caught.put(None)

    def close(self) -> None:
        """
        Disarm, let all held executions continue, and receive no more announcements.
        """
        self.disarm()
        with self._lock:
            for held in self._held.values():
                held.let_go()
        self._receiver.close()

    def _doubt(self, held: Held) -> str | None:
        try:
            return self._testify(held.announcement).against(held.announcement.point)
        except Exception as error:  # noqa: BLE001 - any error is written to the journal, and the execution is let go
            return str(error)


def _row(step: int, held: Held) -> dict[str, Any]:
    """
    Return the fields that every row about a held execution has.
    """
    announced = held.announcement.model_dump()
    return {**announced, "step": step, "at_ns": time.time_ns(), "announced_ns": announced["at_ns"]}
