"""
What a run's journals tell while it goes on, as metrics for Prometheus (docs/metrics.md).

The journals are read when Prometheus asks; each line is read once, and a torn last line is left until it is whole.
Nothing is written and nothing is judged.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import ValidationError

from harness.errors import EvidenceError, UsageError
from harness.files import BY_HARNESS, read_up_to
from harness.journal import Journals, Tail
from harness.model import Progress
from harness.rows import (
    ATTEMPTS,
    FAULTS,
    OPERATIONS,
    Applied,
    AttemptRow,
    BodyBegan,
    Completed,
    FaultRow,
    Healed,
    Invoked,
    OperationRow,
    Unfelt,
)

LOOPBACK = "127.0.0.1"
_LATE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds. A generator that keeps up is late by less than 5 ms."""
_ANSWERED = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True)
class Told:
    """
    One metric as Prometheus gets it. Its name ends in the unit (`_seconds`), or in `_total` if it is a count.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


IN_FORCE = Told(
    "harness_fault_in_force",
    "gauge",
    ("fault", "node"),
    "1 while a fault is applied to a node or link, 0 once it is healed",
)
EVENTS = Told(
    *("harness_faults_total", "counter", ("fault", "event")),
    "what the controller wrote of its faults: intent, applied, felt, unfelt, healed, unhealed",
)
CALLS = Told("harness_calls_total", "counter", ("node",), "calls of clients that were sent, canaries included")
ANSWERS = Told(
    *("harness_answers_total", "counter", ("outcome",)),
    "calls of clients that have ended, by outcome: ok, fail (clearly refused) or unknown",
)
LATENESS = Told(
    "harness_start_lateness_seconds", "histogram", (), "from when a start was due until it was sent; first tries only"
)
LATENCY = Told(
    *("harness_start_latency_seconds", "histogram", ("outcome",)),
    "from when a call was due until its answer, its error or its time-out",
)
DROPPED = Told(
    *("harness_arrivals_dropped_total", "counter", ()),
    "starts that were due and not sent, because as many as `load.max_in_flight` were in flight",
)
IN_FLIGHT = Told(
    *("harness_instances_in_flight", "gauge", ()),
    "instances that the engine runs; while the run settles, also those that were accepted and it does not know",
)
ENDED = Told(
    *("harness_instances_ended_total", "counter", ("outcome",)),
    "instances that have ended, by the outcome that their workflow named, or by the engine's word; not judged",
)
BEGAN = Told(
    *("harness_attempts_total", "counter", ("activity", "node")),
    "executions of an activity's body that began; only of targets that write them down (`attempts: true`)",
)
FINISHED = Told(
    "harness_attempts_ended_total", "counter", ("outcome",), "executions of an activity's body that ended, by outcome"
)

METRICS = (CALLS, ANSWERS, LATENESS, LATENCY, DROPPED, IN_FLIGHT, ENDED, IN_FORCE, EVENTS, BEGAN, FINISHED)
"""All metrics of a run, in the order of docs/metrics.md."""


class RunMetrics(Collector):
    """
    The counts so far of the journals in a folder, and of `progress` (progress.json of the run; None where there is
    none). Safe to share between threads.
    """

    def __init__(self, journals: Journals, progress: Path | None = None) -> None:
        self._journals = journals
        self._file = progress
        self._progress: Progress | None = None
        self._faults: Tail[FaultRow] = Tail(journals.faults, FAULTS, _tell)
        self._operations: dict[Path, Tail[OperationRow]] = {}
        self._attempts: dict[Path, Tail[AttemptRow]] = {}
        self._due: dict[str, int] = {}
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._in_force = self._gauge(IN_FORCE)
        self._events = self._counter(EVENTS)
        self._calls = self._counter(CALLS)
        self._answers = self._counter(ANSWERS)
        self._dropped = self._counter(DROPPED)
        self._began = self._counter(BEGAN)
        self._ended = self._counter(FINISHED)
        self._lateness = Histogram(LATENESS.name, LATENESS.meaning, buckets=_LATE, registry=self._registry)
        self._latency = Histogram(
            LATENCY.name, LATENCY.meaning, LATENCY.labels, buckets=_ANSWERED, registry=self._registry
        )

    def _counter(self, told: Told) -> Counter:
        return Counter(told.name, told.meaning, told.labels, registry=self._registry)

    def _gauge(self, told: Told) -> Gauge:
        return Gauge(told.name, told.meaning, told.labels, registry=self._registry)

    def collect(self) -> Iterable[Metric]:
        """
        Everything up to now. A line that is no row is told on standard error, and passed over.
        """
        with self._lock:
            self._read()
            return [*self._registry.collect(), *self._of_progress()]

    def _read(self) -> None:
        for fault in self._faults.poll():
            self._events.labels(fault.fault, fault.event).inc()
            if isinstance(fault, Applied | Healed | Unfelt):
                self._in_force.labels(fault.fault, fault.node).set(isinstance(fault, Applied))
        for file in self._journals.every_operations():
            for call in self._operations.setdefault(file, Tail(file, OPERATIONS, _tell)).poll():
                self._take(call)
        for file in self._journals.every_attempts():
            for body in self._attempts.setdefault(file, Tail(file, ATTEMPTS, _tell)).poll():
                if isinstance(body, BodyBegan):
                    self._began.labels(body.activity, body.node).inc()
                else:
                    self._ended.labels(body.outcome).inc()

    def _take(self, call: OperationRow) -> None:
        if isinstance(call, Invoked):
            self._calls.labels(call.node).inc()
            self._due[call.op_id] = call.intended_ns
            if call.attempt == 1:
                self._lateness.observe(max(0, call.at_ns - call.intended_ns) / 1e9)
            return
        if not isinstance(call, Completed):
            self._dropped.inc()
            return
        self._answers.labels(call.outcome).inc()
        due_ns = self._due.pop(call.op_id, None)
        if due_ns is not None:  # None: the row of its beginning was torn
            self._latency.labels(call.outcome).observe(max(0, call.at_ns - due_ns) / 1e9)

    def _of_progress(self) -> Iterator[Metric]:
        if self._file is None:
            return
        # It is not there before the load and after the end, when what was told last stands.
        with suppress(OSError, ValidationError):
            self._progress = Progress.model_validate_json(read_up_to(BY_HARNESS, self._file))
        if self._progress is None:
            return
        yield GaugeMetricFamily(IN_FLIGHT.name, IN_FLIGHT.meaning, self._progress.in_flight)
        ended = CounterMetricFamily(ENDED.name, ENDED.meaning, labels=ENDED.labels)
        for outcome, count in self._progress.ended.items():
            ended.add_metric((outcome,), count)
        yield ended


def _tell(error: EvidenceError) -> None:
    sys.stderr.write(f"{error}\n")


@contextmanager
def served(port: int, address: str = LOOPBACK) -> Iterator[CollectorRegistry]:
    """
    Serve a registry over HTTP at `/metrics` inside the `with` block. Raises UsageError if the port cannot be had.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    try:
        server, thread = start_http_server(port, address, registry)
    except (OSError, OverflowError) as error:
        raise UsageError(f"port {port} of {address} cannot be had for metrics: {error}") from error
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
