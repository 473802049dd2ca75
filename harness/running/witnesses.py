"""
What a run asks about its instances, during the run and at its end: the engine's store, the scheduler, the ledgers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import structlog
from typing_extensions import override

from harness.backends.endpoints import Endpoints
from harness.errors import EvidenceError
from harness.evidence import collect, jobs, stall
from harness.evidence.conversation import Underway
from harness.evidence.engine import Engine, State
from harness.evidence.ledgers import Ledgers
from harness.load.arrivals import schedule
from harness.model import Plan, Stall
from harness.rundir import RunDir
from harness.running.aim import Announcement, Testimony
from harness.running.makers import Makers
from harness.running.testimony import Sources
from harness.running.watch import States
from harness.tap.answers import Answer

log = structlog.get_logger(__name__)


class Witnesses(States, Protocol):
    """
    What can be asked about the instances of one run.
    """

    def ids(self) -> set[str]:
        """
        Return the id of every instance that the engine has. Raises EvidenceError if it cannot be asked.
        """

    def begin(self, canaries: Collection[str]) -> None:
        """
        Look into the ledgers before anything is started, so that what they have from earlier runs is left out. Raises
        EvidenceError if one cannot be read, or has an instance that this run will start.
        """

    def refuse_unfit(self, required: Mapping[str, Collection[str]]) -> None:
        """
        Read the ledgers when canaries have ended; `required` says which effects each of them must have. Raises
        EvidenceError if a row, or its time, cannot be used, or if the calls of which a ledger is made are not seen.
        """

    def idle(self) -> bool:
        """
        Return whether the scheduler has nothing left to do. False also if it does not answer.
        """

    def stall(self, waiting: Collection[str], phase: str, after: float) -> Stall:
        """
        Return the states of the instances in `waiting`, and why they wait. `after` is the number of seconds without
        progress. Never raises.
        """

    def testify(self, announced: Announcement) -> Testimony:
        """
        Return what the sources say about an execution that announced a point. Raises EvidenceError if a source cannot
        be read.
        """

    def makers(self, answer: Answer) -> tuple[Announcement, ...]:
        """
        Return the executions that can have made a call whose answer a tap holds. Raises EvidenceError if that cannot be
        told.
        """

    def collect_living(self) -> list[str]:
        """
        Collect the evidence that only running sidecars can give. Return what could not be collected, in words.
        """

    def collect_stopped(self) -> list[str]:
        """
        Collect the evidence of stores and ledgers, after nothing can change it any more. Return what could not be
        collected, in words.
        """

    def close(self) -> None:
        """
        Close every connection.
        """


class OfSystem(Witnesses):
    """
    The witnesses of a running system. They are asked directly, and not through the links that faults disturb.
    """

    def __init__(self, plan: Plan, run: RunDir, endpoints: Endpoints) -> None:
        self._plan = plan
        self._run = run
        self._endpoints = endpoints
        self._engine = Engine(endpoints.store, plan.target)
        self._ledgers = Ledgers(plan.target, endpoints, run.data, run.taps)
        self._sources = Sources(plan.target, plan.activities, self._ledgers, self._engine, run.journals)
        self._makers = Makers(plan.activities, self._ledgers, self._engine, Underway(run.taps))

    @override
    def states(self, instance_ids: Iterable[str], outcome: str | None) -> Mapping[str, State]:
        return self._engine.states(instance_ids, outcome)

    @override
    def ids(self) -> set[str]:
        return set(self._engine.owners())

    @override
    def begin(self, canaries: Collection[str]) -> None:
        arrivals = schedule(self._plan.scenario.load, self._plan.workflows, self._plan.seed)
        self._ledgers.begin({*canaries, *(arrival.instance_id for arrival in arrivals)})

    @override
    def refuse_unfit(self, required: Mapping[str, Collection[str]]) -> None:
        self._ledgers.refuse_coarse()
        self._ledgers.refuse_unseen(required)

    @override
    def idle(self) -> bool:
        try:
            return next(jobs.left(self._plan.target, self._endpoints.scheduler), None) is None
        except EvidenceError as error:
            log.debug("the scheduler could not be asked", error=str(error))
            return False

    @override
    def stall(self, waiting: Collection[str], phase: str, after: float) -> Stall:
        return stall.look(
            list(waiting),
            engine=self._engine,
            endpoints=self._endpoints,
            jobs=lambda: jobs.left(self._plan.target, self._endpoints.scheduler, stall.TIMEOUT),
            journals=self._run.journals,
            phase=phase,
            after=after,
        )

    @override
    def testify(self, announced: Announcement) -> Testimony:
        return self._sources.testify(announced)

    @override
    def makers(self, answer: Answer) -> tuple[Announcement, ...]:
        return self._makers.of(answer)

    @override
    def collect_living(self) -> list[str]:
        return collect.from_sidecars(self._run, self._plan.target, self._endpoints, self._plan.seed)

    @override
    def collect_stopped(self) -> list[str]:
        return collect.from_system(self._run, self._plan.target, self._endpoints, self._ledgers)

    @override
    def close(self) -> None:
        self._engine.close()


Asking = Callable[[Plan, RunDir, Endpoints], Witnesses]
"""Makes the witnesses of a run, after its system is up."""
