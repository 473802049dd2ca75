"""
Which of several workers sends which arrivals of a load, decided by arrival number over the workers that are present.

Shares are given a little ahead of time, number by number in order, and never taken back from a worker that lives. So
each arrival belongs to exactly one worker at any moment, without a word between workers. Of a worker whose process has
ended, its journal says what it may have sent, because each call is written down before it is sent; the rest goes to the
others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from harness.load.arrivals import Arrival
from harness.rows import Completed, Dropped, Invoked, OperationRow, Requested, RequestRow


class Asked(BaseModel):
    """
    Requests to an instance that a lost worker had started and was yet to send: the number of the start, and those of
    the requests.
    """

    model_config = ConfigDict(frozen=True)

    start: int
    requests: tuple[int, ...]


class Grant(BaseModel):
    """
    What a worker is told to send, one line of JSON: of the arrivals from number `first` to `until` (exclusive) those
    whose number modulo `parts` is `part`; the arrivals `starts` and the requests `asked` besides, in place of a lost
    worker. `message` counts what this worker was told, from 1. `origin_ns` is when the load began.
    """

    model_config = ConfigDict(frozen=True)

    message: int
    origin_ns: int
    first: int
    until: int
    part: int
    parts: int
    starts: tuple[int, ...] = ()
    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True)
class Given:
    """
    What one worker gets at once. `left` has the arrivals that lost workers leave behind, each with the worker that had
    it; otherwise as in Grant.
    """

    worker: str
    first: int
    until: int
    part: int
    parts: int
    left: tuple[tuple[Arrival, str], ...]
    asked: tuple[Asked, ...]

    @property
    def empty(self) -> bool:
        """
        Whether there is nothing to send in it.
        """
        return self.first == self.until and not self.left and not self.asked


@dataclass
class _Worker:
    """
    What a worker has yet to do, as far as its journals tell: by instance id, arrivals that it has not sent; by instance
    id, started instances with the numbers of the requests that it has not sent. `calls`: op_id -> instance id of these.
    """

    unsent: dict[str, Arrival] = field(default_factory=dict)
    unasked: dict[str, tuple[Arrival, set[int]]] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)


class Shares:
    """
    The shares of one load. `arrivals` is its whole schedule, in order.
    """

    def __init__(self, arrivals: Iterator[Arrival]) -> None:
        self._arrivals = arrivals
        self._next = next(arrivals, None)
        self._first = 0
        self._workers: dict[str, _Worker] = {}
        self._left: list[tuple[Arrival, str]] = []
        self._unasked: list[tuple[Arrival, set[int]]] = []

    @property
    def present(self) -> tuple[str, ...]:
        """
        The workers among whom the load is shared now.
        """
        return tuple(self._workers)

    @property
    def over(self) -> bool:
        """
        Whether every arrival was given to a worker that has sent it, or can still send it.
        """
        return self._next is None and not self._left and not self._unasked

    def join(self, worker: str) -> None:
        """
        Let a worker take part from the next arrival that is given.
        """
        self._workers[worker] = _Worker()

    def lose(self, worker: str) -> None:
        """
        Take everything that it has not sent from a worker whose process has ended. All that it wrote must have been
        taken before.
        """
        was = self._workers.pop(worker)
        self._left += [(arrival, worker) for arrival in was.unsent.values()]
        self._unasked += [each for each in was.unasked.values() if each[1]]

    def take(self, worker: str, row: OperationRow | RequestRow) -> None:
        """
        Take a row that a present worker has written.
        """
        of = self._workers[worker]
        if isinstance(row, Invoked):
            arrival = of.unsent.pop(row.instance_id, None)
            if arrival is not None and arrival.requests:
                of.unasked[row.instance_id] = (arrival, {due.number for due in arrival.requests})
            if row.instance_id in of.unasked:
                of.calls[row.op_id] = row.instance_id
        elif isinstance(row, Dropped):
            of.unsent.pop(row.instance_id, None)
        elif isinstance(row, Completed):
            instance = of.calls.pop(row.op_id, None)
            if instance is not None and row.outcome == "fail":
                of.unasked.pop(instance, None)  # nothing is asked of what was refused
        elif isinstance(row, Requested) and row.instance_id in of.unasked:
            of.unasked[row.instance_id][1].discard(row.number)
            if not of.unasked[row.instance_id][1]:
                del of.unasked[row.instance_id]

    def overdue(self, worker: str, now: float) -> bool:
        """
        Return whether a worker has not sent an arrival that was due before `now` (seconds after the load began).
        """
        first = next(iter(self._workers[worker].unsent.values()), None)
        return first is not None and first.at < now

    def give(self, until: float) -> list[Given]:
        """
        Give every arrival that is due before `until` (seconds after the load began), and what lost workers left, to the
        present workers, and return what each of them gets. Nothing is given while there are none.
        """
        present = list(self._workers)
        if not present:
            return []
        first = self._first
        while self._next is not None and self._next.at < until:
            self._workers[present[self._next.number % len(present)]].unsent[self._next.instance_id] = self._next
            self._first = self._next.number + 1
            self._next = next(self._arrivals, None)
        left: dict[str, list[tuple[Arrival, str]]] = {worker: [] for worker in present}
        for arrival, had in sorted(self._left, key=lambda each: each[0].number):
            left[present[arrival.number % len(present)]].append((arrival, had))
        for taker, taken in left.items():  # what was due first comes first, for `overdue`
            new = {arrival.instance_id: arrival for arrival, _ in taken}
            self._workers[taker].unsent = {**new, **self._workers[taker].unsent}
        asked: dict[str, list[Asked]] = {worker: [] for worker in present}
        for arrival, numbers in self._unasked:
            taker = present[arrival.number % len(present)]
            asked[taker].append(Asked(start=arrival.number, requests=tuple(sorted(numbers))))
            self._workers[taker].unasked[arrival.instance_id] = (arrival, numbers)
        self._left, self._unasked = [], []
        return [
            Given(worker, first, self._first, part, len(present), tuple(left[worker]), tuple(asked[worker]))
            for part, worker in enumerate(present)
        ]
