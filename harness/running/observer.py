"""
What is observed during a run: which instances move, what nodes use, which nodes end by themselves; and what is shown of
it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from harness import names
from harness.backends.base import Backend
from harness.errors import EvidenceError
from harness.files import write_whole
from harness.journal import Journal
from harness.model import Limit, Progress, Step
from harness.rows import Applied, FaultRow, Sample
from harness.rundir import RunDir
from harness.running.controller import Active
from harness.running.meters import Meters
from harness.running.screen import Screen
from harness.running.watch import Watch

log = structlog.get_logger(__name__)

_SAMPLE_EVERY = 1.0
_TELL_EVERY = 1.0


class Observer:
    """
    Observes a run each time `look` is called. It journals what nodes and the machine use, once per second, and each
    node that ended by itself.
    """

    def __init__(
        self,
        run: RunDir,
        backend: Backend,
        watch: Watch,
        samples: Journal[Sample],
        faults: Journal[FaultRow],
        screen: Screen,
        meters: Meters,
    ) -> None:
        self._run = run
        self._backend = backend
        self._watch = watch
        self._samples = samples
        self._faults = faults
        self._screen = screen
        self._meters = meters
        self._sampled = 0.0
        self._told = 0.0
        self._dead: set[str] = set()

    def look(self) -> None:
        """
        Observe the run once. It is not an error if the store does not answer: a fault may have hit the store.
        """
        try:
            self._watch.poll()
        except EvidenceError as error:
            log.debug("the engine could not be asked", error=str(error))
        self._sample()
        self._note_deaths()

    def show(
        self,
        phase: str,
        left: float,
        waiting: int,
        active: Sequence[Active] = (),
        coming: tuple[Step, float] | None = None,
        limits: tuple[Limit, ...] = (),
    ) -> None:
        """
        Show the state of the run, on the screen and once per second in progress.json: `left` seconds of the phase,
        `waiting` instances, the faults in force, the next step with the seconds until it begins, and the limits at
        which the run is given up.
        """
        watch = self._watch
        progress = Progress(
            at_ns=time.time_ns(),
            phase=phase,
            left=max(0.0, left),
            sent=watch.sent,
            dropped=watch.dropped,
            answers=dict(watch.answers),
            in_flight=waiting,
            ended=dict(watch.ended),
            faults=tuple(f"{fault.fault} {fault.node}" for fault in active),
            coming=f"{coming[0].fault} {', '.join(coming[0].nodes)} in {coming[1]:.0f} s" if coming else None,
            limits=limits,
        )
        self._screen.show(progress)
        if time.monotonic() - self._told >= _TELL_EVERY:
            self._told = time.monotonic()
            with suppress(OSError):  # a full disk is for the limits to tell
                write_whole(self._run.progress, progress.model_dump_json() + "\n")

    def _note_deaths(self) -> None:
        """
        Record each node that ended by itself as a fault that is not in the plan. A run with such a fault is never
        HOLDS.
        """
        for node, death in self._backend.deaths().items():
            if node in self._dead:
                continue
            self._dead.add(node)
            self._screen.say(f"{node} ended by itself (exit status {death.status}); see logs/{node}.log")
            proof = {"pid": death.pid, "status": death.status}
            self._faults.write(Applied(step=-1, fault="exit", node=node, at_ns=time.time_ns(), proof=proof))

    def _sample(self) -> None:
        """
        Record what each node, the machine, the harness and its load use, and how many instances run.
        """
        if time.monotonic() - self._sampled < _SAMPLE_EVERY:
            return
        self._sampled = time.monotonic()
        at_ns = time.time_ns()
        readings = [(names.ENGINE, "in_flight", float(self._watch.running)), *self._meters.read()]
        for node, (cpu, rss) in self._backend.usage().items():
            readings += [(node, "cpu_percent", cpu), (node, "rss_bytes", float(rss))]
        for node, metric, value in readings:
            self._samples.write(Sample(at_ns=at_ns, node=node, metric=metric, value=value))
