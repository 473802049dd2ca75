"""A load from several workers: real Locusts, and a stub in place of the system."""

import json
import os
import signal
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.backends.endpoints import Address, Endpoints, StoreAddress
from harness.errors import HarnessError
from harness.evidence import journals
from harness.load import workers
from harness.load.arrivals import schedule
from harness.load.generators import LoadTimes
from harness.load.workers import Workers
from harness.planning.request import Request
from harness.rundir import create

SETTINGS = ("load.rate=30", "load.workers=3", "load.requests=[{operation: terminate, after: [1s, 3s]}]")
SCENARIOS = Path("scenarios")


class _Answers(BaseHTTPRequestHandler):
    """Takes every call, as a target and its sidecars do."""

    def do_POST(self):
        self.server.calls.append((self.path, self.rfile.read(int(self.headers["Content-Length"] or 0))))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


@pytest.fixture(name="stub")
def _stub():
    with _Server(("127.0.0.1", 0), _Answers) as server:
        server.calls = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(name="load")
def _load(tmp_path, stub):
    """`load(seconds)` -> a run, its plan, and its workers; whatever happens, they are ended."""
    made = []

    def load(seconds, scenarios=SCENARIOS):
        plan = Request("baseline", settings=(*SETTINGS, f"load.duration={seconds}s")).plan(1)
        run = create(tmp_path, "x", 1)
        run.save_plan(plan)
        at = Address(host="127.0.0.1", port=stub.server_port)
        endpoints = Endpoints(
            apps={f"app-{i}": at for i in range(2)},
            sidecars={f"sidecar-{i}": at for i in range(2)},
            services={},
            store=StoreAddress(host="127.0.0.1", port=1),
            scheduler=at,
            links={},
        )
        run.save_endpoints(endpoints.model_dump_json())
        made.append(Workers(run, scenarios, plan))
        return run, plan, made[-1]

    yield load
    for each in made:
        each.stop()


def until(true, seconds=40.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def began(run):
    times = LoadTimes(run)

    def polled():
        times.poll()
        return times.began_ns

    until(polled)


def sent(stub):
    """How often each order was started, and each instance terminated."""
    starts = Counter(json.loads(body)["order_id"] for path, body in stub.calls if path == "/orders")
    return starts, Counter(path.split("/")[-2] for path, _ in stub.calls if path.endswith("/terminate"))


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_is_lost_and_started_again_and_every_start_is_sent_once(load, stub, monkeypatch, signal_):
    monkeypatch.setattr(workers, "_SILENT", 8)
    run, plan, generator = load(12)
    generator.start()
    began(run)
    time.sleep(1.5)
    lost = generator.pids[1]
    os.kill(lost, signal_)
    until(lambda: not generator.alive())
    generator.stop()

    planned = {arrival.instance_id for arrival in schedule(plan.scenario.load, plan.workflows, 1)}
    starts, terminated = sent(stub)
    rows = list(journals.operations(run.journals))
    assert {row["instance_id"] for row in rows} == planned == set(starts)
    assert set(starts.values()) == {1}, "none is sent twice"
    assert set(terminated) >= planned - {row["instance_id"] for row in rows if row["client"] == f"locust-{lost}"}
    assert set(terminated.values()) == {1}
    assert {row["instance_id"] for row in journals.requests(run.journals)} == planned
    took_part = {row["client"]: row.get("why") for row in journals.workers(run.journals)}
    assert len(took_part) > 3, "another one took its place"
    how = "was killed by signal 9" if signal_ == signal.SIGKILL else "sent nothing for 2 s"
    assert how in took_part[f"locust-{lost}"]
    taken = [row["number"] for row in journals.shares(run.journals) if row["lost"] == f"locust-{lost}"]
    of_lost = {row["instance_id"] for row in rows if row["client"] == f"locust-{lost}"}
    assert taken, "of the next two seconds it had a share"
    assert not {instance for instance in of_lost if int(instance.rpartition("-")[2]) in taken}


def test_a_load_that_is_stopped_ends_with_its_workers(load, stub):
    run, _, generator = load(60)
    generator.start()
    began(run)
    time.sleep(1)
    generator.stop()
    before = len(stub.calls)
    generator.stop()

    assert not generator.alive()
    assert '"ended"' in run.journals.load.read_text().splitlines()[-1]
    time.sleep(0.5)
    assert len(stub.calls) == before > 0


def test_a_worker_that_ends_before_the_load_is_told_with_its_log(load, tmp_path):
    _, _, generator = load(5, scenarios=tmp_path)
    generator.start()

    with pytest.raises(HarnessError, match=r"a load worker ended with exit status .*locust-\d.log"):
        until(lambda: not generator.alive())


def test_a_load_whose_workers_are_all_lost_for_good_fails(load, monkeypatch):
    monkeypatch.setattr(workers, "_STARTS_AGAIN", 0)
    run, _, generator = load(20)
    generator.start()
    began(run)
    for pid in generator.pids:
        os.kill(pid, signal.SIGKILL)

    with pytest.raises(HarnessError, match="every load worker was lost"):
        until(lambda: not generator.alive())
