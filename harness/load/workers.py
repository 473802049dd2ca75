"""
The load of a run from several workers: Locust processes that the harness starts, and tells what to send.

A worker is told on its standard input, and tells by its journals alone. Whoever sends nothing although something is
due is killed before others send in its place, so that no start is sent twice.
"""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from harness.errors import HarnessError
from harness.journal import Journal, Tail
from harness.load import generators
from harness.load.arrivals import schedule
from harness.load.generators import Generator
from harness.load.shares import Given, Grant, Shares
from harness.load.work import WORKER_MARK
from harness.model import Plan
from harness.rows import (
    OPERATIONS,
    REQUESTS,
    WORKER,
    Dropped,
    Joined,
    LoadBegan,
    LoadEnded,
    LoadRow,
    Lost,
    OperationRow,
    Ready,
    RequestRow,
    Shared,
    WorkerRow,
)
from harness.rundir import RunDir

_TICK = 0.25
_AHEAD = 2.0
"""Seconds. Shares are given so long before their arrivals are due: a harness that stands still for less delays none."""
_LEAD = 0.25
"""Seconds from the first share until the load begins."""
_PATIENCE = 60.0
"""Seconds. All workers must be ready within this time."""
_SILENT = round(10.0 / _TICK)
"""Ticks. A worker with something due that writes nothing for so long stands still. If the harness does, none comes."""
_STARTS_AGAIN = 3
"""How often the process of one place is started again."""


@dataclass
class _Place:
    """
    One of the places of a load, and the process that fills it now. `client` is its name in the journals, once it is
    ready; `told` counts the messages that it got, `idle` is the last of which it has done everything.
    """

    number: int
    process: subprocess.Popen[bytes]
    operations: Tail[OperationRow]
    requests: Tail[RequestRow]
    own: Tail[WorkerRow]
    starts: int = 1
    client: str | None = None
    told: int = 0
    idle: int = 0
    silent: int = 0
    waited: int = 0
    gone: bool = False


class Workers(Generator):
    """
    Several headless Locusts that the harness starts. One that is lost is started again.
    """

    def __init__(self, run: RunDir, scenarios: Path, plan: Plan) -> None:
        self._run = run
        self._scenarios = scenarios
        self._load = plan.scenario.load
        self._shares = Shares(schedule(self._load, plan.workflows, plan.seed))
        self._places: list[_Place] = []
        self._journal: Journal[LoadRow] = Journal(run.journals.load)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._halt = threading.Event()
        self._over = threading.Event()
        self._failed: HarnessError | None = None
        self._origin_ns = 0
        self._dropped = 0
        self._shared: tuple[str, ...] = ()
        # Calls that wait for an answer must have got one, or have timed out, within this time after the last start.
        patience = (self._load.timeout + 1) * (1 + self._load.retries) + self._load.longest_after
        self._waits = round((_AHEAD + patience) / _TICK) + _SILENT

    @override
    def start(self) -> None:
        self._places = [self._place(number) for number in range(self._load.workers)]
        self._thread.start()

    @override
    def alive(self) -> bool:
        if self._failed is not None:
            raise self._failed
        return not self._over.is_set()

    @override
    def stop(self) -> None:
        """
        Send SIGTERM to the workers and wait for at most 30 s, then send SIGKILL. On SIGTERM they send no more starts,
        but still take the answers that they wait for.
        """
        self._halt.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._end()
        if not self._over.is_set():
            self._over.set()
            if self._origin_ns:
                self._journal.write(LoadEnded(at_ns=time.time_ns(), dropped=self._dropped))

    @property
    @override
    def pids(self) -> tuple[int, ...]:
        return tuple(place.process.pid for place in self._places if not place.gone)

    def _end(self) -> None:
        for place in self._places:
            _close(place.process)
            place.process.terminate()
        deadline = time.monotonic() + generators.PATIENCE
        try:
            for place in self._places:
                with suppress(subprocess.TimeoutExpired):
                    place.process.wait(timeout=max(0.0, deadline - time.monotonic()))
        finally:
            for place in self._places:
                place.process.kill()
                place.process.wait()

    def _place(self, number: int, starts: int = 1) -> _Place:
        process = generators.start(
            self._run, self._scenarios, f"locust-{number}", env={WORKER_MARK: "1"}, stdin=subprocess.PIPE
        )
        name, journals = str(process.pid), self._run.journals
        return _Place(
            number,
            process,
            Tail(journals.operations(name), OPERATIONS),
            Tail(journals.requests(name), REQUESTS),
            Tail(journals.worker(name), WORKER),
            starts,
        )

    def _work(self) -> None:
        """
        Make the load, in a thread of its own.
        """
        try:
            if self._all_ready():
                self._begin()
                while not self._halt.wait(_TICK):
                    if self._step():
                        self._journal.write(LoadEnded(at_ns=time.time_ns(), dropped=self._dropped))
                        self._over.set()
                        return
        except HarnessError as error:
            self._failed = error
        except Exception as error:  # noqa: BLE001 - the thread ends, whatever it was, and the run must know
            self._failed = HarnessError(f"the load could not be shared: {error!r}")

    def _all_ready(self) -> bool:
        """
        Wait until every worker is ready. Return False if the run ends before. Raises HarnessError if one is not.
        """
        deadline = time.monotonic() + _PATIENCE
        while not all(place.client for place in self._places):
            if self._halt.wait(_TICK / 5):
                return False
            for place in self._places:
                self._read(place)
                if (status := place.process.poll()) is not None:
                    raise HarnessError(f"a load worker ended with exit status {status}; see {self._log(place)}")
                if not place.client and time.monotonic() > deadline:
                    raise HarnessError(f"a load worker was not ready in {_PATIENCE:g} s; see {self._log(place)}")
        return True

    def _log(self, place: _Place) -> Path:
        return self._run.logs / f"locust-{place.number}.log"

    def _begin(self) -> None:
        """
        Give the first shares, and let the load begin.
        """
        self._origin_ns = time.time_ns() + round(_LEAD * 1e9)
        for place in self._places:
            self._join(place)
        self._give()
        self._halt.wait((self._origin_ns - time.time_ns()) / 1e9)
        self._journal.write(LoadBegan(at_ns=self._origin_ns))

    def _join(self, place: _Place) -> None:
        assert place.client is not None  # noqa: S101 - whoever joins is ready
        self._shares.join(place.client)
        self._journal.write(Joined(at_ns=time.time_ns(), client=place.client))

    @property
    def _elapsed(self) -> float:
        return (time.time_ns() - self._origin_ns) / 1e9

    def _step(self) -> bool:
        """
        Read what the workers wrote, see to those that are lost, and give the next shares. Return whether all is done.
        """
        for place in self._places:
            if place.gone:
                continue
            moved = self._read(place)
            if place.client and place.client not in self._shares.present:
                self._join(place)
            if why := self._lost(place, moved=moved):
                self._lose(place, why)
        if all(place.gone for place in self._places):
            raise HarnessError("every load worker was lost; see logs/locust-*.log")
        self._give()
        idle = all(place.idle == place.told for place in self._places if place.client and not place.gone)
        return self._shares.over and idle and self._elapsed >= self._load.duration

    def _read(self, place: _Place) -> bool:
        """
        Read what a worker wrote since the last time. Return whether it wrote anything.
        """
        rows: list[OperationRow | RequestRow] = [*place.operations.poll(), *place.requests.poll()]
        own = place.own.poll()
        for told in own:
            if isinstance(told, Ready):
                place.client = told.client
            else:
                place.idle = told.message
        for row in rows:
            self._dropped += isinstance(row, Dropped)
            if place.client is not None:
                self._shares.take(place.client, row)
        return bool(rows or own)

    def _lost(self, place: _Place, *, moved: bool) -> str | None:
        """
        Return why a worker is lost; None if it is not.
        """
        if (status := place.process.poll()) is not None:
            return f"its process was killed by signal {-status}" if status < 0 else f"it ended with status {status}"
        if place.client is None:
            return None
        place.silent = place.silent + 1 if self._shares.overdue(place.client, self._elapsed) and not moved else 0
        place.waited = place.waited + 1 if self._shares.over and place.idle < place.told else 0
        if place.silent > _SILENT:
            return f"it sent nothing for {_SILENT * _TICK:g} s, although something was due, and was killed"
        if place.waited > self._waits:
            return f"it waited for answers for more than {self._waits * _TICK:g} s, and was killed"
        return None

    def _lose(self, place: _Place, why: str) -> None:
        """
        End a worker for certain, take from it what it has not sent, and start another one in its place.
        """
        _close(place.process)
        place.process.kill()
        place.process.wait()
        self._read(place)
        if place.client in self._shares.present and place.client is not None:
            self._shares.lose(place.client)
            self._journal.write(Lost(at_ns=time.time_ns(), client=place.client, why=why))
        place.gone = place.starts > _STARTS_AGAIN
        if not place.gone:
            self._places[place.number] = self._place(place.number, place.starts + 1)

    def _give(self) -> None:
        all_given = self._shares.give(self._elapsed + _AHEAD)
        at_ns = time.time_ns()
        present = tuple(given.worker for given in all_given)
        if present != self._shared and any(given.first < given.until for given in all_given):
            self._shared = present
            for given in all_given:
                of = {"client": given.worker, "first": given.first, "part": given.part, "parts": given.parts}
                self._journal.write(Shared.model_validate({**of, "at_ns": at_ns}))
        clients = {place.client: place for place in self._places}
        for given in all_given:
            if not given.empty:
                self._tell(clients[given.worker], given, at_ns)

    def _tell(self, place: _Place, given: Given, at_ns: int) -> None:
        """
        Tell a worker what it is to send.
        """
        for arrival, had in given.left:
            self._journal.write(
                Shared(at_ns=at_ns, client=given.worker, first=arrival.number, part=0, parts=1, lost=had)
            )
        place.told += 1
        grant = Grant(
            message=place.told,
            origin_ns=self._origin_ns,
            first=given.first,
            until=given.until,
            part=given.part,
            parts=given.parts,
            starts=tuple(arrival.number for arrival, _ in given.left),
            asked=given.asked,
        )
        if place.process.stdin is not None:
            with suppress(OSError):  # its process has ended; the next step sees that
                place.process.stdin.write(grant.model_dump_json().encode() + b"\n")
                place.process.stdin.flush()


def _close(process: subprocess.Popen[bytes]) -> None:
    """
    Tell a worker that nothing more comes.
    """
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
