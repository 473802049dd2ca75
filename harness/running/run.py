"""
One run, from a plan to its evidence: up, canary, load with faults, heal, settle, collect, down.

The run is the only part that acts on the real system. It judges nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from harness.backends.base import Backend
from harness.backends.endpoints import Endpoints
from harness.errors import LeftError, NodeError
from harness.evidence import collect, manifest
from harness.journal import Journal
from harness.load.generators import Generator, LoadTimes
from harness.model import INTERRUPTED, Plan
from harness.rows import FaultRow, PhaseBegan, PhaseEnded, PhaseRow, PointRow, Sample
from harness.rundir import RunDir
from harness.running import canary
from harness.running.aim import Announcements
from harness.running.controller import HEALS_WITHIN, Controller
from harness.running.interruption import Interruption
from harness.running.meters import Meters
from harness.running.observer import Observer
from harness.running.safety import Lookout
from harness.running.screen import Screen
from harness.running.watch import Watch
from harness.running.witnesses import Asking, OfSystem, Witnesses

_TICK = 0.25
_LOAD_PATIENCE = 60.0
"""Seconds. The load generator must begin within this time."""
_MOST_TOLD = 5
_LEAVES_WITHIN = 5.0
"""Seconds. Whoever leaves at once waits no longer for faults to heal: the nodes are about to be ended."""
_AIM_PATIENCE = 30.0
"""Seconds after the load. Within this time an instance may still reach the point at which a fault waits for it."""


@dataclass(frozen=True)
class Ended:
    """
    How a run ended: whether the user interrupted it, and which evidence could not be collected, in words.
    """

    interrupted: bool
    missing: tuple[str, ...]


class Run:
    """
    One run of a plan on a backend, with a load generator, into a run directory. `asking` makes its witnesses.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunDir,
        backend: Backend,
        generator: Generator,
        screen: Screen,
        asking: Asking = OfSystem,
    ) -> None:
        self._plan = plan
        self._run = run
        self._backend = backend
        self._generator = generator
        self._screen = screen
        self._asking = asking
        self._lookout = Lookout(plan, run.path)
        self._exits = ExitStack()
        self._phases = self._exits.enter_context(Journal[PhaseRow](run.journals.phases))
        self._samples = self._exits.enter_context(Journal[Sample](run.journals.samples))
        self._faults = self._exits.enter_context(Journal[FaultRow](run.journals.faults))

    def execute(self) -> Ended:
        """
        Execute the whole run, and return how it ended. In any case every fault is healed and nothing is left running.

        Raises HarnessError if the infrastructure fails, and LeftError after the second Ctrl-C.
        """
        try:
            return self._execute()
        except KeyboardInterrupt:
            raise LeftError("interrupted; every fault was healed and nothing is left running") from None

    def _execute(self) -> Ended:
        with self._exits, Interruption() as interruption:
            self._exits.callback(self._run.progress.unlink, missing_ok=True)
            self._exits.callback(self._backend.down)
            with self._phase("up"):
                endpoints = self._backend.up(self._screen.say)
                self._run.save_endpoints(endpoints.model_dump_json(indent=2))
                witnesses = self._asking(self._plan, self._run, endpoints)
                self._exits.callback(witnesses.close)
                watch = Watch(self._run.journals, witnesses, self._plan.target.workflows)
                ended = canary.release(self._plan, self._run, endpoints, watch, witnesses)
                self._screen.say(f"ready: {ended} canary instances ended")
            meters = Meters(self._generator)
            observer = Observer(self._run, self._backend, watch, self._samples, self._faults, self._screen, meters)
            announcements = self._announcements(endpoints, witnesses)
            least = self._plan.scenario.checks.minimum.in_flight
            controller = Controller(
                self._plan.steps, self._backend, self._faults, announcements, lambda: watch.running >= least
            )
            self._exits.callback(self._generator.stop)
            self._exits.callback(controller.stop, _LEAVES_WITHIN)
            interruption.graceful = True
            with self._phase("load"):
                self._load(watch, observer, controller, interruption)
                if self._lookout.gave_up:
                    self._tell_stall(watch, witnesses, "load")
                self._generator.stop()
            with self._phase("heal"):
                self._heal(controller)
            with self._phase("settle"):
                self._settle(watch, observer, witnesses)
            with self._phase("collect"):
                self._screen.say("collecting evidence")
                missing = witnesses.collect_living()
                self._backend.quiesce()
                missing += witnesses.collect_stopped()
            self._backend.down()
        missing += collect.from_journals(self._run, self._plan.target)
        manifest.write(self._run)
        return Ended(interruption.requested, tuple(missing))

    def _announcements(self, endpoints: Endpoints, witnesses: Witnesses) -> Announcements | None:
        """
        Return the place where executions announce their activity points; None if the plan has no aimed fault.
        """
        if endpoints.points is None:
            return None
        journal = self._exits.enter_context(Journal[PointRow](self._run.journals.points))
        announcements = Announcements(endpoints.points, journal, witnesses.testify, witnesses.makers)
        self._exits.callback(announcements.close)
        return announcements

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        """
        Record a phase of the run, which is the `with` block. If it was cut short, its row says why, and so does the
        verdict.
        """
        self._phases.write(PhaseBegan(phase=name, at_ns=time.time_ns()))
        yield
        self._phases.write(PhaseEnded(phase=name, at_ns=time.time_ns(), detail=self._lookout.take_reason()))

    def _load(self, watch: Watch, observer: Observer, controller: Controller, interruption: Interruption) -> None:
        """
        Let the load and the faults run until the generator has sent everything and every fault has ended; or until the
        user interrupts, or the run gives up.
        """
        times = LoadTimes(self._run)
        began_ns = self._begin(times, interruption)
        if began_ns is None:
            return
        controller.start(began_ns)
        drops = False
        while not interruption.requested and not self._gives_up(watch.unanswered, watch.still):
            time.sleep(_TICK)
            times.poll()
            over = times.ended_ns is not None or not self._generator.alive()
            if over and controller.done():
                break
            elapsed = (time.time_ns() - began_ns) / 1e9
            self._observe_load(watch, observer, controller, elapsed)
            if watch.dropped and not drops:
                drops = True
                most = self._plan.scenario.load.max_in_flight
                self._screen.say(f"starts are dropped: {most} wait for their answers (load.max_in_flight)")
            if over and (watch.unsettled == 0 or elapsed > self._plan.scenario.load.duration + _AIM_PATIENCE):
                controller.disarm()
        if interruption.requested:
            self._screen.say("interrupted: healing, settling and judging what there is (again to leave at once)")
            self._lookout.note(INTERRUPTED)
        times.poll()  # the generator may have ended just after the last poll
        if times.dropped and not self._lookout.gave_up:
            lacking = f"{times.dropped} arrivals were dropped: too many were in flight"
            self._screen.say(lacking)
            self._lookout.note(lacking)
        if cut := _cut_short(times, began_ns, self._plan.scenario.load.duration):
            self._lookout.note(cut)

    def _begin(self, times: LoadTimes, interruption: Interruption) -> int | None:
        """
        Start the load. Return when it began, in nanoseconds since the epoch; None if the user interrupted before.
        Raises NodeError if it does not begin.
        """
        self._generator.start()
        deadline = time.monotonic() + _LOAD_PATIENCE
        times.poll()
        while times.began_ns is None and not interruption.requested:
            if not self._generator.alive() or time.monotonic() > deadline:
                raise NodeError("the load generator never began")
            time.sleep(_TICK / 5)
            times.poll()
        return times.began_ns

    def _observe_load(self, watch: Watch, observer: Observer, controller: Controller, elapsed: float) -> None:
        observer.look()
        step = next((step for step in self._plan.steps if step.aim is None and step.at > elapsed), None)
        observer.show(
            "load",
            self._plan.scenario.load.duration - elapsed,
            watch.running,
            controller.active(),
            None if step is None else (step, step.at - elapsed),
            self._lookout.limits,
        )

    def _gives_up(self, unanswered: int = 0, still: float = 0.0) -> bool:
        """
        Return whether the run gives up. If it does so now, show the reason.
        """
        if self._lookout.look(unanswered=unanswered, still=still):
            self._screen.say(f"given up: {self._lookout.reason}")
        return self._lookout.gave_up

    def _heal(self, controller: Controller) -> None:
        """
        Heal every fault. What cannot be healed is told, and the run goes on: its verdict is UNKNOWN at best.
        """
        self._screen.say("healing every fault")
        if unhealed := controller.stop():
            names = ", ".join(f"{fault.fault} {fault.node}" for fault in unhealed)
            self._screen.say(f"not healed within {HEALS_WITHIN:g} s: {names}")
            self._lookout.note(f"not healed within {HEALS_WITHIN:g} s: {names}")

    def _tell_stall(self, watch: Watch, witnesses: Witnesses, phase: str) -> None:
        """
        Write what stands still, and why, into stalled.json, and show the beginning of it on the screen.
        """
        found = witnesses.stall(watch.waiting, phase, watch.still)
        self._run.save_stall(found)
        self._screen.say(f"{found.waiting} instances have not moved for {found.after:.0f} s; all in stalled.json")
        for stuck in found.instances[:_MOST_TOLD]:
            self._screen.say(f"  {stuck.instance_id}: {stuck.why} (last event: {stuck.last_event})")
        for node, workers in found.workers.items():
            self._screen.say(f"  workers of {node}: {workers}")

    def _settle(self, watch: Watch, observer: Observer, witnesses: Witnesses) -> None:
        """
        Wait until every accepted instance has ended, or the settle time is over. A stall is reported once. The run
        still waits for the whole settle time, because only then is it certain.
        """
        checks = self._plan.scenario.checks
        began = time.monotonic()
        stall_is_told = False
        while True:
            observer.look()
            left = began + checks.settle - time.monotonic()
            observer.show("settle", left, watch.unsettled, limits=self._lookout.limits)
            still = min(watch.still, time.monotonic() - began)  # what stood still during a fault may move now
            if not stall_is_told and watch.unsettled and (still >= checks.stall or left <= 0):
                stall_is_told = True
                self._tell_stall(watch, witnesses, "settle")
            done = watch.unsettled == 0 and witnesses.idle()
            if not done and left <= 0:
                self._note_halted()
            if done or left <= 0 or self._gives_up():
                return
            time.sleep(_TICK)

    def _note_halted(self) -> None:
        """
        Note which nodes a signal has stopped. No fault pauses one now, so somebody else keeps the run's instances from
        their end, and not the system.
        """
        if halted := self._backend.halted():
            told = f"{', '.join(halted)} was stopped by a signal that is not the run's"
            self._screen.say(told)
            self._lookout.note(told)


def _cut_short(times: LoadTimes, began_ns: int, duration: float) -> str | None:
    """
    Return why a load did not last its `duration` (seconds): somebody stopped the generator, in Locust's page or from
    outside. None if it did.
    """
    if times.ended_ns is None:
        return "the load generator ended and did not say so"
    lasted = (times.ended_ns - began_ns) / 1e9
    return f"the load was stopped after {lasted:.1f} s of {duration:g} s" if lasted < duration else None
