"""
One run, from a plan to its evidence: up, canary, load with faults, heal, settle, collect, down.

The runner is the only part that touches the world. It judges nothing.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Self

import httpx
import structlog

from harness.backends.base import Backend, Endpoints
from harness.errors import EvidenceError, LeftError, NodeError
from harness.evidence import collect, jobs, manifest, stall
from harness.evidence.engine import Engine
from harness.journal import Journal
from harness.load import generators
from harness.load.arrivals import arrival
from harness.load.generators import Generator
from harness.load.operations import Operations
from harness.load.start import start
from harness.model import Plan, Workflow
from harness.rows import Applied, FaultRow, OperationRow, PhaseBegan, PhaseEnded, PhaseRow, PointRow, Sample
from harness.rundir import RunDir
from harness.running.aim import Announcements
from harness.running.controller import Controller
from harness.running.safety import Lookout
from harness.running.screen import Screen, Snapshot
from harness.running.testimony import Sources
from harness.running.watch import Watch

log = structlog.get_logger(__name__)

_TICK = 0.25
_CANARY_PATIENCE = 60.0
_LOAD_PATIENCE = 60.0
_MOST_TOLD = 5
_AIM_PATIENCE = 30.0
"""Seconds after the load within which an instance may still come to where a fault waits for it."""


class Interruption:
    """
    Ctrl-C and SIGTERM, once and twice.

    While `graceful` is set the first signal is only noted, so that the run heals, settles, collects and is
    judged; the second, and any other, raises KeyboardInterrupt: heal and leave.
    """

    def __init__(self) -> None:
        self.graceful = False
        self.requested = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if not self.graceful or self.requested:
            raise KeyboardInterrupt
        self.requested = True


@dataclass(frozen=True)
class Ended:
    """
    How a run ended: whether the user cut it short, and what evidence could not be had.
    """

    interrupted: bool
    missing: tuple[str, ...]


class Run:
    """
    One run of a plan on a backend, with a load generator, into a run directory.
    """

    def __init__(self, plan: Plan, run: RunDir, backend: Backend, generator: Generator, screen: Screen) -> None:
        self._plan = plan
        self._run = run
        self._backend = backend
        self._generator = generator
        self._screen = screen
        self._exits = ExitStack()
        self._phases = self._exits.enter_context(Journal[PhaseRow](run.journals.phases))
        self._samples = self._exits.enter_context(Journal[Sample](run.journals.samples))
        self._faults = self._exits.enter_context(Journal[FaultRow](run.journals.faults))
        self._sampled = 0.0
        self._dead: set[str] = set()
        self._lookout = Lookout(plan, run.path)
        self._given_up: str | None = None

    def execute(self) -> Ended:
        """
        Do it all. Whatever happens, every fault is healed and nothing is left running.

        Raises HarnessError if the infrastructure fails, LeftError at the second Ctrl-C.
        """
        try:
            return self._execute()
        except KeyboardInterrupt:
            raise LeftError("interrupted; every fault was healed and nothing is left running") from None

    def _execute(self) -> Ended:
        with self._exits, Interruption() as interruption:
            self._exits.callback(self._backend.down)
            with self._phase("up"):
                endpoints = self._backend.up(self._screen.say)
                self._run.save_endpoints(endpoints.model_dump_json(indent=2))
                engine = Engine(endpoints.redis, self._plan.target)
                self._exits.callback(engine.close)
                watch = Watch(self._run.journals, engine, self._workflow.outcome)
                self._canaries(endpoints, watch)
            points = self._announcements(endpoints, engine)
            controller = Controller(self._plan.steps, self._backend, self._faults, points)
            self._exits.callback(self._generator.stop)
            self._exits.callback(controller.stop)
            interruption.graceful = True
            with self._phase("load"):
                lacking = self._load(watch, controller, interruption)
                if self._given_up is not None:
                    self._tell_stall(watch, engine, endpoints, "load")
                elif lacking is not None:
                    self._screen.say(lacking)
                    self._given_up = lacking
                self._generator.stop()
            with self._phase("heal"):
                self._screen.say("healing every fault")
                controller.stop()
            with self._phase("settle"):
                self._settle(watch, engine, endpoints)
            with self._phase("collect"):
                self._screen.say("collecting evidence")
                missing = collect.from_sidecars(self._run, self._plan.target, endpoints, self._plan.seed)
                self._backend.quiesce()
                missing += collect.from_system(self._run, self._plan.target, endpoints)
            self._backend.down()
        missing += collect.from_journals(self._run)
        manifest.write(self._run)
        return Ended(interruption.requested, tuple(missing))

    @property
    def _workflow(self) -> Workflow:
        return self._plan.target.workflows[self._plan.scenario.load.workflow]

    def _announcements(self, endpoints: Endpoints, engine: Engine) -> Announcements | None:
        """
        Where executions announce their activity points, if the plan aims at any.
        """
        if endpoints.points is None:
            return None
        journal = self._exits.enter_context(Journal[PointRow](self._run.journals.points))
        sources = Sources(self._plan.target, self._workflow, endpoints, engine, self._run.journals)
        points = Announcements(endpoints.points, journal, sources.testify)
        self._exits.callback(points.close)
        return points

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self._phases.write(PhaseBegan(phase=name, at_ns=time.time_ns()))
        yield
        self._phases.write(PhaseEnded(phase=name, at_ns=time.time_ns(), detail=self._given_up))
        self._given_up = None

    def _canaries(self, endpoints: Endpoints, watch: Watch) -> None:
        """
        One instance through each replica, to its end: only then is the system ready.

        Raises NodeError if one is not accepted, or does not end in time.
        """
        load = self._plan.scenario.load
        kind = max(load.mix, key=lambda name: load.mix[name])
        with Journal[OperationRow](self._run.journals.operations("canary")) as journal:
            operations = Operations(journal, "canary", load.workflow)
            for replica in range(len(endpoints.apps)):
                one = arrival(self._workflow, kind, f"canary-{replica}", random.Random(replica))
                call = start(load, self._workflow, one.instance_id, one.body, endpoints, replica)
                op_id = operations.invoke(call, one.instance_id, kind, attempt=1, intended_ns=time.time_ns())
                status, detail = None, None
                try:
                    answer = httpx.post(call.url, json=call.body, timeout=_CANARY_PATIENCE)
                    status, detail = answer.status_code, answer.text[:300]
                except httpx.HTTPError as error:
                    detail = str(error)
                outcome = call.outcome(status)
                operations.complete(op_id, outcome, status, None if outcome == "ok" else detail)
                if outcome != "ok":
                    raise NodeError(f"{call.node} did not accept a canary: {status or 'no answer'}: {detail}")
        deadline = time.monotonic() + _CANARY_PATIENCE
        watch.poll()
        while watch.unsettled:
            if time.monotonic() > deadline:
                raise NodeError(f"{watch.unsettled} canary instances did not end in {_CANARY_PATIENCE:g} s")
            time.sleep(_TICK / 5)
            watch.poll()
        self._screen.say(f"ready: {len(endpoints.apps)} canary instances ended")

    def _load(self, watch: Watch, controller: Controller, interruption: Interruption) -> str | None:
        """
        Until the generator has sent everything and every fault has been held for its time. Return what of the load is
        lacking, in words.
        """
        progress = generators.LoadTimes(self._run)
        self._generator.start()
        deadline = time.monotonic() + _LOAD_PATIENCE
        while progress.began_ns is None and not interruption.requested:
            if not self._generator.alive() or time.monotonic() > deadline:
                raise NodeError("the load generator never began")
            time.sleep(_TICK / 5)
            progress.poll()
        if progress.began_ns is None:
            return None
        controller.start(progress.began_ns)
        while not interruption.requested and not self._gives_up(watch.unanswered, watch.still):
            time.sleep(_TICK)
            progress.poll()
            over = progress.ended_ns is not None or not self._generator.alive()
            if over and controller.done():
                break
            elapsed = (time.time_ns() - progress.began_ns) / 1e9
            self._look(watch, controller, elapsed)
            if over and (watch.unsettled == 0 or elapsed > self._plan.scenario.load.duration + _AIM_PATIENCE):
                controller.disarm()
        if interruption.requested:
            self._screen.say("interrupted: healing, settling and judging what there is (again to leave at once)")
        return f"{progress.dropped} arrivals were dropped: too many were in flight" if progress.dropped else None

    def _look(self, watch: Watch, controller: Controller, elapsed: float) -> None:
        self._poll(watch)
        self._sample(watch)
        self._note_deaths()
        coming = next((step for step in self._plan.steps if step.aim is None and step.at > elapsed), None)
        self._screen.show(
            Snapshot(
                phase="load",
                left=max(0.0, self._plan.scenario.load.duration - elapsed),
                sent=watch.sent,
                answers=dict(watch.answers),
                in_flight=watch.running,
                ended=dict(watch.ended),
                faults=tuple(f"{fault.fault} {fault.node}" for fault in controller.active()),
                coming=f"{coming.fault} {', '.join(coming.nodes)} in {coming.at - elapsed:.0f} s" if coming else None,
            )
        )

    def _gives_up(self, unanswered: int = 0, still: float = 0.0) -> bool:
        """
        Is the run to be given up? Why goes into the phase's row, and so into the verdict.
        """
        self._given_up = self._given_up or self._lookout.look(unanswered=unanswered, still=still)
        if self._given_up is not None:
            self._screen.say(f"given up: {self._given_up}")
        return self._given_up is not None

    def _tell_stall(self, watch: Watch, engine: Engine, endpoints: Endpoints, phase: str) -> None:
        """
        What stands still, and why: into stalled.json and, the first of it, on the screen.
        """
        found = stall.look(
            list(watch.waiting),
            engine=engine,
            endpoints=endpoints,
            jobs=lambda: jobs.left(self._plan.target, endpoints.scheduler, stall.TIMEOUT),
            journals=self._run.journals,
            phase=phase,
            after=watch.still,
        )
        self._run.save_stall(found)
        self._screen.say(f"{found.waiting} instances have not moved for {found.after:.0f} s; all in stalled.json")
        for one in found.instances[:_MOST_TOLD]:
            self._screen.say(f"  {one.instance_id}: {one.why} (last event: {one.last_event})")
        for node, told in found.workers.items():
            self._screen.say(f"  workers of {node}: {told}")

    def _settle(self, watch: Watch, engine: Engine, endpoints: Endpoints) -> None:
        """
        Until every accepted instance has ended, or the settle time is over. A stall is told once, and waited out: only
        then it is certain.
        """
        checks = self._plan.scenario.checks
        began = time.monotonic()
        deadline = began + checks.settle
        told = False
        while True:
            self._poll(watch)
            self._sample(watch)
            self._note_deaths()
            left = deadline - time.monotonic()
            self._screen.show(
                Snapshot(
                    phase="settle",
                    left=max(0.0, left),
                    sent=watch.sent,
                    answers=dict(watch.answers),
                    in_flight=watch.unsettled,
                    ended=dict(watch.ended),
                )
            )
            still = min(watch.still, time.monotonic() - began)  # what stood still under a fault may move now
            if not told and watch.unsettled and (still >= checks.stall or left <= 0):
                told = True
                self._tell_stall(watch, engine, endpoints, "settle")
            done = watch.unsettled == 0 and self._idle(endpoints)
            if done or left <= 0 or self._gives_up():
                return
            time.sleep(_TICK)

    def _idle(self, endpoints: Endpoints) -> bool:
        """
        Has the scheduler nothing left to do? The last acknowledgements come a moment after the last end.
        """
        try:
            return next(jobs.left(self._plan.target, endpoints.scheduler), None) is None
        except EvidenceError as error:
            log.debug("the scheduler could not be asked", error=str(error))
            return False

    def _note_deaths(self) -> None:
        """
        A node that ended by itself goes among the faults, as one that no plan holds: such a run is never HOLDS.
        """
        for node, death in self._backend.deaths().items():
            if node in self._dead:
                continue
            self._dead.add(node)
            self._screen.say(f"{node} ended by itself (exit status {death.status}); see logs/{node}.log")
            proof = {"pid": death.pid, "status": death.status}
            self._faults.write(Applied(step=-1, fault="exit", node=node, at_ns=time.time_ns(), proof=proof))

    def _poll(self, watch: Watch) -> None:
        try:
            watch.poll()
        except EvidenceError as error:  # the store may be the very thing that is under attack
            log.debug("the engine could not be asked", error=str(error))

    def _sample(self, watch: Watch) -> None:
        """
        Once a second: what each node uses, and how many instances run.
        """
        if time.monotonic() - self._sampled < 1.0:
            return
        self._sampled = time.monotonic()
        at_ns = time.time_ns()
        readings = [("engine", "in_flight", float(watch.running))]
        for node, (cpu, rss) in self._backend.usage().items():
            readings += [(node, "cpu_percent", cpu), (node, "rss_bytes", float(rss))]
        for node, metric, value in readings:
            self._samples.write(Sample(at_ns=at_ns, node=node, metric=metric, value=value))
