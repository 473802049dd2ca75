"""
What the sources now say about one execution of an activity: the attempts file, the ledgers, and the engine's stored
state.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from harness import names
from harness.evidence.engine import Engine
from harness.evidence.ledgers import Ledgers
from harness.journal import Journals, Tail
from harness.model import Activity, Target
from harness.rows import ATTEMPTS, AttemptRow, BodyBegan
from harness.running.aim import Announcement, AttemptState, Testimony

_ENDINGS = ("taskCompleted", "taskFailed")


class Sources:
    """
    The three sources of one run, which are asked during the run. None of them is the execution itself.
    """

    def __init__(
        self, target: Target, activities: Mapping[str, Activity], ledgers: Ledgers, engine: Engine, journals: Journals
    ) -> None:
        self._target = target
        self._activities = activities
        self._ledgers = ledgers
        self._engine = engine
        self._journals = journals
        self._lock = threading.Lock()
        self._tails: dict[Path, Tail[AttemptRow]] = {}
        self._attempts: dict[str, AttemptState] = {}
        self._executions: dict[tuple[str, int], str] = {}

    def testify(self, announced: Announcement) -> Testimony:
        """
        Return what they say about an execution that announced a point. Raises EvidenceError if a source cannot be read.
        """
        events = [
            event["event"]
            for event in self._engine.events(announced.instance_id)
            if event["task_id"] == announced.task_id and event["event"] in ("taskScheduled", *_ENDINGS)
        ]
        return Testimony(
            attempt=self._attempt(announced),
            effects=self._effects(announced),
            scheduled="taskScheduled" in events,
            recorded=any(ending in events for ending in _ENDINGS),
        )

    def _attempt(self, announced: Announcement) -> AttemptState | None:
        """
        Return the state of the execution. A tap does not know what the attempts file calls it, so then it is the last
        one of the task.
        """
        if not self._target.attempts:
            return None
        with self._lock:
            for file in self._journals.every_attempts():
                for row in self._tails.setdefault(file, Tail(file, ATTEMPTS)).poll():
                    if isinstance(row, BodyBegan):
                        self._attempts[row.attempt_id] = "begun"
                        self._executions[row.instance_id, row.task_id] = row.attempt_id
                    else:
                        self._attempts[row.attempt_id] = "returned" if row.outcome == "ok" else "raised"
            by_tap = names.role(announced.node) == names.SIDECAR
            task = announced.instance_id, announced.task_id
            attempt_id = self._executions.get(task, "") if by_tap else announced.attempt_id
            return self._attempts.get(attempt_id, "not begun")

    def _effects(self, announced: Announcement) -> int | None:
        activity = self._activities.get(announced.activity)
        if activity is None or activity.effect is None:
            return None
        family = {announced.instance_id, self._engine.head(announced.instance_id)}
        with self._lock:  # ledgers of calls are read while they grow, by one thread at a time
            effects = list(self._ledgers.effects())
        return sum(1 for row in effects if row["effect"] == activity.effect and row["instance_id"] in family)
