"""
The load: starts per second of CPU, beside a bare FastHttpUser of Locust that posts the same to the same target, and how
late starts are sent, from one process and from several.

The target answers at once and does nothing else (`answering.py`). Nothing is judged.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from harness.backends.endpoints import Address, Endpoints, StoreAddress
from harness.evidence import journals
from harness.load.arrivals import schedule
from harness.load.generators import Generator, LoadTimes, Locust
from harness.load.workers import Workers
from harness.model import Plan
from harness.planning.request import Request
from harness.rundir import RunDir, create
from tests.bench.table import Table

RATE, SECONDS, WORKERS = 500, 60, 4
SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
CLIENTS = 50
LATE = ("late_p50_ms", "late_p99_ms", "late_max_ms")
BARE = """
import time
from locust import FastHttpUser, constant_throughput, task

class Bare(FastHttpUser):
    wait_time = constant_throughput({each})

    @task
    def order(self):
        self.client.post("/orders", json={body!r})
"""


def measure(folder: Path, say: Callable[[str], None]) -> Table:
    """
    Ours from one process and from several, and the bare user, one after the other.
    """
    rows, figures, notes = [], {}, []
    with answering() as port:
        for workers in (1, WORKERS):
            say(f"{RATE} starts/s for {SECONDS} s from {workers} process{'es' if workers > 1 else ''}")
            of = ours(folder, port, workers)
            rows.append((f"ours, workers: {workers}", *shown(of)))
            figures |= {f"workers_{workers}_{name}": value for name, value in of.items()}
            if of["unaccounted"]:
                notes.append(f"{of['unaccounted']} starts of the plan are in no journal, or in two")
        say(f"a bare FastHttpUser at {RATE} requests/s for {SECONDS} s")
        of = bare(folder, port)
        rows.append(("bare FastHttpUser, constant_throughput", *shown(of)))
        figures |= {f"bare_{name}": value for name, value in of.items()}
    ratio = figures["workers_1_starts_per_cpu_s"] / figures["bare_starts_per_cpu_s"]
    figures["ratio"] = ratio
    notes.append(f"starts per CPU second of one process: {ratio:.2f} of the bare user's (the goal: 0.9)")
    columns = ("load", "starts", "starts/s", "starts per CPU s", "lateness p50 / p99 / max (ms)", "not accounted for")
    return Table("load", columns, tuple(rows), figures, tuple(notes))


def shown(of: dict[str, float]) -> tuple[str, ...]:
    late = " / ".join(f"{of[name]:.2f}" for name in LATE if name in of)
    lost = f"{of['unaccounted']:.0f}" if "unaccounted" in of else ""
    return f"{of['starts']:,.0f}", f"{of['rate']:,.1f}", f"{of['starts_per_cpu_s']:,.0f}", late, lost


@contextmanager
def answering() -> Iterator[int]:
    """
    The target, for as long as the block runs; its port.
    """
    with subprocess.Popen([sys.executable, "-m", "tests.bench.answering"], stdout=subprocess.PIPE) as target:
        try:
            assert target.stdout is not None
            yield int(target.stdout.readline())
        finally:
            target.kill()


def cpu(pids: Sequence[int]) -> float:
    """
    The seconds of CPU that processes have used so far.
    """
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def ours(folder: Path, port: int, workers: int) -> dict[str, float]:
    settings = (f"load.rate={RATE}", f"load.duration={SECONDS}s", "load.arrivals=constant", f"load.workers={workers}")
    plan = Request("baseline", settings=settings).plan(1)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run = prepared(Path(scratch), plan, port)
        generator: Generator = Locust(run, SCENARIOS) if workers == 1 else Workers(run, SCENARIOS, plan)
        generator.start()
        try:
            times = LoadTimes(run)
            wait(times, lambda: times.began_ns)
            began = cpu(generator.pids)
            wait(times, lambda: times.ended_ns or time.time_ns() > (times.began_ns or 0) + (SECONDS - 0.5) * 1e9)
            used = cpu(generator.pids) - began
            wait(times, lambda: times.ended_ns)
        finally:
            generator.stop()
        sent = [row for row in journals.operations(run.journals) if row["try"] == 1]
    ids = [row["instance_id"] for row in sent]
    planned = {arrival.instance_id for arrival in schedule(plan.scenario.load, plan.workflows, 1)}
    late = sorted((row["invoked_ns"] - row["intended_ns"]) / 1e6 for row in sent)
    return {
        "starts": len(ids),
        "rate": len(ids) / SECONDS,
        "starts_per_cpu_s": len(ids) * (SECONDS - 0.5) / SECONDS / used,
        "late_p50_ms": late[len(late) // 2],
        "late_p99_ms": late[len(late) * 99 // 100],
        "late_max_ms": late[-1],
        "unaccounted": len(planned.symmetric_difference(ids)) + len(ids) - len(set(ids)),
    }


def prepared(folder: Path, plan: Plan, port: int) -> RunDir:
    """
    A run whose whole system is the target.
    """
    run = create(folder, "load", 1)
    run.save_plan(plan)
    at = Address(host="127.0.0.1", port=port)
    store = StoreAddress(host=at.host, port=at.port)
    apps, sidecars = ({f"{role}-{i}": at for i in range(2)} for role in ("app", "sidecar"))
    endpoints = Endpoints(apps=apps, sidecars=sidecars, services={}, store=store, scheduler=at, links={})
    run.save_endpoints(endpoints.model_dump_json())
    return run


def wait(times: LoadTimes, done: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS + 90
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the load did not end")
        time.sleep(0.05)
        times.poll()


def bare(folder: Path, port: int) -> dict[str, float]:
    plan = Request("baseline").plan(1)
    body = next(iter(schedule(plan.scenario.load, plan.workflows, 1))).body
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        (Path(scratch) / "bare.py").write_text(BARE.format(each=RATE / CLIENTS, body=body))
        command = [
            *(sys.executable, "-m", "locust", "-f", "bare.py", "--host", f"http://127.0.0.1:{port}", "--headless"),
            *("-u", str(CLIENTS), "-r", str(CLIENTS), "-t", f"{SECONDS}s", "--only-summary", "--json"),
        ]
        with subprocess.Popen(
            command, cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as locust:
            time.sleep(5)  # it has begun
            began, at = cpu([locust.pid]), time.monotonic()
            time.sleep(SECONDS - 8)
            used, lasted = cpu([locust.pid]) - began, time.monotonic() - at
            (told,) = json.loads(locust.communicate(timeout=60)[0])
    starts = told["num_requests"]
    rate = starts / (told["last_request_timestamp"] - told["start_time"])
    return {"starts": starts, "rate": rate, "starts_per_cpu_s": rate * lasted / used}
