"""
One of several Locusts that share the load of a run: it sends what the harness tells it, line by line on its standard
input (`harness.load.shares`).
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Protocol

import gevent
import gevent.pool
from gevent.fileobject import FileObject

from harness.journal import Journal
from harness.load.arrivals import Arrival, Due
from harness.load.shares import Grant
from harness.load.work import Work
from harness.rows import Idle, Ready, WorkerRow

_KEPT = 20_000
"""Arrivals that are kept, in case that a lost worker leaves them: at the highest rate of a load those of 10 s."""


class Sender(Protocol):
    """
    What sends arrivals and requests, each in a greenlet of its own.
    """

    work: Work
    calls: gevent.pool.Pool
    later: gevent.pool.Group

    def send(self, arrival: Arrival, intended_ns: int) -> bool:
        """
        Send an arrival now.
        """

    def ask(self, arrival: Arrival, requests: Iterable[Due], origin_ns: int) -> None:
        """
        Ask a started instance for what is due, each when it is.
        """

    def finish(self) -> None:
        """
        Send nothing more, and wait for the answers.
        """


class Worker:
    """
    One worker. It tells in its journal when it is ready, and when it has done all that it was told.
    """

    def __init__(self, sender: Sender, journal: Journal[WorkerRow]) -> None:
        self._sender = sender
        self._journal = journal
        self._arrivals = sender.work.arrivals()
        self._kept: deque[Arrival] = deque(maxlen=_KEPT)
        self._passed = 0
        self._timers = gevent.pool.Group()
        self._awaiting = gevent.pool.Group()

    def work(self) -> None:
        """
        Work until nothing more comes, which is also so if the harness has ended.
        """
        self._journal.write(Ready(at_ns=time.time_ns(), client=f"locust-{os.getpid()}"))
        try:
            with FileObject(sys.stdin.fileno(), "rb", close=False) as lines:
                for line in lines:
                    self.take(Grant.model_validate_json(line))
        finally:
            self._timers.kill()
            self._awaiting.kill()
            self._sender.finish()

    def take(self, grant: Grant) -> None:
        """
        Send, when it is due, what a message says.
        """
        origin_ns = grant.origin_ns
        own = (arrival for arrival in self._new(grant) if arrival.number % grant.parts == grant.part)
        for arrival in chain(own, self._found(grant.starts)):
            intended_ns = origin_ns + round(arrival.at * 1e9)
            self._timers.start(gevent.Greenlet(self._send, arrival, intended_ns))
        numbers = {asked.start: asked.requests for asked in grant.asked}
        for arrival in self._found(numbers):
            left = [due for due in arrival.requests if due.number in numbers[arrival.number]]
            self._sender.ask(arrival, left, origin_ns)
        self._awaiting.kill(block=False)
        self._awaiting.start(gevent.Greenlet(self._await, grant.message))

    def _send(self, arrival: Arrival, intended_ns: int) -> None:
        gevent.sleep(max(0.0, (intended_ns - time.time_ns()) / 1e9))
        self._sender.send(arrival, intended_ns)

    def _new(self, grant: Grant) -> Iterator[Arrival]:
        """
        Return the arrivals from the first to the last of a message, whoever sends them.
        """
        while self._passed < grant.until:
            arrival = next(self._arrivals)
            self._passed = arrival.number + 1
            self._kept.append(arrival)
            if arrival.number >= grant.first:
                yield arrival

    def _found(self, numbers: Collection[int]) -> list[Arrival]:
        """
        Return the arrivals with these numbers, of which each was due once before.
        """
        found = [arrival for arrival in self._kept if arrival.number in numbers] if numbers else []
        if len(found) < len(numbers):
            last = max(numbers)
            before = iter(self._sender.work.arrivals())
            found = [arrival for arrival, _ in zip(before, range(last + 1), strict=False) if arrival.number in numbers]
        return found

    def _await(self, message: int) -> None:
        """
        Tell when everything up to a message is done.
        """
        self._timers.join()
        while self._sender.calls or self._sender.later:
            self._sender.calls.join()
            self._sender.later.join()
        self._journal.write(Idle(at_ns=time.time_ns(), message=message))
