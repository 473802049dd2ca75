"""
What a run's journals tell, as metrics for Prometheus: faults in force, calls of clients, executions of activities.

Runs in the harness's own image (compose/load/Dockerfile) beside a run, with its journal folder mounted read-only at
/journal. It writes nothing and judges nothing. Each line of a journal is read once; a torn last line is left until it
is whole.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from harness.errors import EvidenceError
from harness.journal import Journals, Tail
from harness.rows import (
    ATTEMPTS,
    FAULTS,
    OPERATIONS,
    Applied,
    AttemptRow,
    BodyBegan,
    FaultRow,
    Healed,
    Invoked,
    OperationRow,
    Unfelt,
)

PORT = 8080


class Exporter(Collector):
    """
    The counts so far of every journal in a folder; the journals are read when Prometheus asks. Safe to share between
    threads.
    """

    def __init__(self, journals: Journals) -> None:
        self._journals = journals
        self._faults: dict[Path, Tail[FaultRow]] = {}
        self._operations: dict[Path, Tail[OperationRow]] = {}
        self._attempts: dict[Path, Tail[AttemptRow]] = {}
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(name, meaning, labels, registry=self._registry)

        self._in_force = Gauge(
            "harness_fault_in_force",
            "1 while a fault is applied to a node or link, 0 once it is healed",
            ("fault", "node"),
            registry=self._registry,
        )
        self._events = counter(
            "harness_faults",
            "what the controller wrote of its faults: intent, applied, felt, healed, ...",
            "fault",
            "event",
        )
        self._calls = counter("harness_calls", "calls of clients that were sent", "node")
        self._answers = counter("harness_answers", "calls of clients by outcome: ok, fail or unknown", "outcome")
        self._began = counter("harness_attempts", "executions of an activity's body that began", "activity", "node")
        self._ended = counter(
            "harness_attempts_ended", "executions of an activity's body that ended, by outcome", "outcome"
        )

    def collect(self) -> Iterable[Metric]:
        """
        Everything up to now. A line that is no row is told on standard error, and passed over.
        """
        with self._lock:
            self._read()
            return list(self._registry.collect())

    def _read(self) -> None:
        for fault in self._faults.setdefault(self._journals.faults, Tail(self._journals.faults, FAULTS, _tell)).poll():
            self._events.labels(fault.fault, fault.event).inc()
            if isinstance(fault, Applied | Healed | Unfelt):
                self._in_force.labels(fault.fault, fault.node).set(isinstance(fault, Applied))
        for file in self._journals.every_operations():
            for call in self._operations.setdefault(file, Tail(file, OPERATIONS, _tell)).poll():
                if isinstance(call, Invoked):
                    self._calls.labels(call.node).inc()
                else:
                    self._answers.labels(call.outcome).inc()
        for file in self._journals.every_attempts():
            for body in self._attempts.setdefault(file, Tail(file, ATTEMPTS, _tell)).poll():
                if isinstance(body, BodyBegan):
                    self._began.labels(body.activity, body.node).inc()
                else:
                    self._ended.labels(body.outcome).inc()


def _tell(error: EvidenceError) -> None:
    sys.stderr.write(f"{error}\n")


def main() -> None:
    """
    Serve until stopped.
    """
    disable_created_metrics()
    registry = CollectorRegistry()
    registry.register(Exporter(Journals(Path("/journal"))))
    _, server = start_http_server(PORT, "0.0.0.0", registry)  # noqa: S104 - in a container
    server.join()


if __name__ == "__main__":
    main()
