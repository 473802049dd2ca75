"""
Which execution of an activity has made an effect, when a tap holds the answer to a call.

The call itself says which instance it is of, by the mapping of its ledger. Which activity makes such an effect is in
target.yaml. And the records of the taps say which executions of it are under way.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from harness import names
from harness.evidence.conversation import Underway
from harness.evidence.engine import Engine
from harness.evidence.ledgers import Ledgers
from harness.model import Activity
from harness.running.aim import Announcement
from harness.tap.answers import Answer


class Makers:
    """
    Tells of one run whose effect a call was. Threads can share it.
    """

    def __init__(
        self, activities: Mapping[str, Activity], ledgers: Ledgers, engine: Engine, underway: Underway
    ) -> None:
        self._effects = {name: of.effect for name, of in activities.items()}
        self._ledgers = ledgers
        self._engine = engine
        self._underway = underway
        self._lock = threading.Lock()
        self._heads: dict[str, str] = {}

    def of(self, answer: Answer) -> tuple[Announcement, ...]:
        """
        Return the executions that can have made the call, each as one that has reached `after_effect`, announced by the
        sidecar of its replica. None if the call makes no effect of an activity. There are several if an instance
        executes such an activity more than once at the same time, and the call does not say which execution made it.

        Raises EvidenceError if the call or a record cannot be read.
        """
        made = {(row["effect"], row["instance_id"]) for row in self._ledgers.made(answer)}
        if not {effect for effect, _ in made} & set(self._effects.values()):
            return ()
        with self._lock:
            underway = self._underway.now()
        of_sidecar = names.replica(answer.node)
        return tuple(
            Announcement(
                instance_id=row["instance_id"],
                activity=row["activity"],
                task_id=row["task_id"],
                attempt_id=row["execution_id"] or f"{row['instance_id']}/{row['task_id']}",
                node=str(names.sidecar_of(names.node(row["node"]))),
                point="after_effect",
                at_ns=answer.at_ns,
            )
            for row in underway
            if of_sidecar in (None, row["node"])
            and any(
                effect == self._effects.get(row["activity"]) and self._is_of(row["instance_id"], instance)
                for effect, instance in made
            )
        )

    def _is_of(self, executed: str, instance: str) -> bool:
        """
        Whether an instance is the one that executes an activity, or is at the head of its family.
        """
        if executed == instance:
            return True
        if executed not in self._heads:  # it never changes, and the store is asked while an application waits
            self._heads[executed] = self._engine.head(executed)
        return self._heads[executed] == instance
