"""
What is known during a run: which instances were asked for, and which have not ended yet.

This is used by the screen, and to decide when to stop waiting. It judges nothing. The checkers only read evidence.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Protocol

import structlog

from harness.errors import EvidenceError
from harness.evidence.engine import State
from harness.journal import Journals, Tail
from harness.model import Ending
from harness.rows import OPERATIONS, REQUESTS, Completed, Invoked, OperationRow, Requested, RequestRow

log = structlog.get_logger(__name__)

_AT_ONCE = 500
"""
Instances that are asked of at once. With a look each 0.25 s this takes 4 % of a core, however many are open; 10,000
have all been asked for after 5 s.
"""


class States(Protocol):
    """
    Something that knows the states of instances.
    """

    def states(self, instance_ids: Iterable[str], outcome: str | None) -> Mapping[str, State]:
        """
        Return the state of each of these instances now, by id. An instance that the engine does not know is left out.
        `outcome` finds in a workflow's output how it ended (JMESPath). Raises EvidenceError if the engine cannot be
        asked.
        """


class Watch:
    """
    Follows the operations journals of a run, and asks the engine about the instances that are still open.
    """

    def __init__(self, journals: Journals, engine: States, workflows: Mapping[str, Ending]) -> None:
        self._journals = journals
        self._engine = engine
        self._workflows = workflows
        self._tails: dict[Path, Tail[OperationRow]] = {}
        self._request_tails: dict[Path, Tail[RequestRow]] = {}
        self._calls: dict[str, Invoked] = {}
        self._open: dict[str, str] = {}
        self._started: dict[str, str] = {}
        self._starts_again: dict[str, str] = {}
        self._accepted: set[str] = set()
        self._awaited: set[str] = set()
        self._unanswered: set[str] = set()
        self._purged: set[str] = set()
        self._alive: dict[str, int] = {}
        self._events = 0
        self._seen: tuple[int, ...] = ()
        self._moved = time.monotonic()
        self.sent = 0
        self.dropped = 0
        self.answers: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.running = 0

    def poll(self) -> None:
        """
        Read the new rows of the clients' journals, then ask the engine, of at most 500 open instances at once: they
        take turns. Raises EvidenceError if the state store does not answer.
        """
        for file in self._journals.every_operations():
            for row in self._tails.setdefault(file, Tail(file, OPERATIONS, _note)).poll():
                self._take(row)
        for file in self._journals.every_requests():
            for request in self._request_tails.setdefault(file, Tail(file, REQUESTS, _note)).poll():
                self._take_request(request)
        turn = list(islice(self._open.items(), _AT_ONCE))
        states = self._states(turn)
        for instance, workflow in turn:
            del self._open[instance]
            state = states.get(instance)
            self._events -= self._alive.pop(instance, 0)
            if state is not None and state.terminal is not None:
                self.ended[(state.outcome or "ended") if state.terminal == "COMPLETED" else state.terminal.lower()] += 1
                self._awaited.discard(instance)
                continue
            self._open[instance] = workflow  # after all others: it is asked of again when these have been
            if state is not None:
                self._alive[instance] = state.length
                self._events += state.length
        self.running = len(self._alive)
        seen = (len(self._accepted), sum(self.ended.values()), self._events)
        if seen != self._seen or not (self._alive or self._awaited):
            self._seen, self._moved = seen, time.monotonic()

    def _states(self, turn: Iterable[tuple[str, str]]) -> Mapping[str, State]:
        """
        Return the states of these instances, each with its workflow, of each workflow by its own outcomes.
        """
        by_outcome: dict[str | None, list[str]] = {}
        for instance, workflow in turn:
            by_outcome.setdefault(self._workflows[workflow].outcome, []).append(instance)
        return {
            instance: state
            for outcome, instances in by_outcome.items()
            for instance, state in self._engine.states(instances, outcome).items()
        }

    def _take(self, row: OperationRow) -> None:
        if isinstance(row, Invoked):
            self.sent += 1
            self._calls[row.op_id] = row
            if row.attempt == 1:
                self._open[row.instance_id] = self._started[row.instance_id] = row.workflow
            return
        if not isinstance(row, Completed):
            self.dropped += 1
            return
        call = self._calls.pop(row.op_id, None)
        if call is None:  # its beginning was torn, or is no row: the collector says so
            return
        instance = call.instance_id
        if row.instance_id is not None:  # the answer brought the id under which the engine knows it
            self._open.pop(instance, None)
            instance = row.instance_id
            self._open[instance] = call.workflow
        self.answers[row.outcome] += 1
        if row.outcome == "ok":
            self._accepted.add(instance)
            self._await(instance)
        if row.outcome == "unknown" and instance not in self._accepted:
            self._unanswered.add(instance)
        else:
            self._unanswered.discard(instance)

    def _await(self, instance: str) -> None:
        if instance in self._accepted and instance in self._open and instance not in self._purged:
            self._awaited.add(instance)

    def _take_request(self, row: RequestRow) -> None:
        if isinstance(row, Requested):
            if row.operation == "purge":
                self._purged.add(row.instance_id)
                self._awaited.discard(row.instance_id)
            if row.operation == "start":
                self._starts_again[row.request_id] = row.instance_id
            return
        instance = self._starts_again.pop(row.request_id, None)
        if instance in self._started and row.outcome != "fail":  # it may run again
            self._open[instance] = self._started[instance]
            self._await(instance)

    @property
    def waiting(self) -> set[str]:
        """
        The instances that were accepted and have not ended, and those that the engine runs.

        If the outcome of a start is unknown or refused, and the engine does not know the instance, there is nothing to
        wait for. Nor if a client asked for its purge.
        """
        return self._alive.keys() | self._awaited

    @property
    def unsettled(self) -> int:
        """
        The number of instances for which the run waits.
        """
        return len(self.waiting)

    @property
    def unanswered(self) -> int:
        """
        The number of starts to which clients have no clear answer, after all tries that they have made so far.
        """
        return len(self._unanswered)

    @property
    def still(self) -> float:
        """
        The seconds for which nothing has moved: no start was accepted, no history got a new event, no instance ended.
        """
        return time.monotonic() - self._moved


def _note(error: EvidenceError) -> None:
    log.warning("a line of a journal is no row", error=str(error))
