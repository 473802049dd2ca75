"""`harness run --metrics PORT` on a real run: what Prometheus gets while it goes on."""

import itertools
import json
import os
import socket
import subprocess
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.backends.ports import lease
from tests.builders.command import BIN, ROOT

pytestmark = pytest.mark.e2e


def raw(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.TransportError:
        return ""


def scrape(port):
    families = text_string_to_metric_families(raw(port))
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_a_run_is_scraped_while_a_fault_is_in_force_and_after_it(tmp_path):
    with lease() as ports:
        port = ports.take()
        command = [BIN / "harness", "run", "tests/e2e/slow_store.yaml", "--metrics", str(port), "--out", tmp_path]
        with (tmp_path / "out").open("w") as out:
            process = subprocess.Popen(command, cwd=ROOT, env={**os.environ}, stdout=out, stderr=subprocess.STDOUT)
        scrapes, sidecars = [], set()
        while process.poll() is None:
            scrapes.append(scrape(port))
            for file in tmp_path.glob("*/endpoints.json"):
                of_dapr = json.loads(file.read_text())["metrics"]
                sidecars |= {node for node, at in of_dapr.items() if ("dapr_runtime_workflow" in raw(at["port"]))}
            time.sleep(0.25)
    assert process.returncode == 0, (tmp_path / "out").read_text()
    assert sidecars == {"sidecar-0", "sidecar-1"}
    seen = [each for each in scrapes if each]
    windows = [each[key] for each in seen for key in each if key[:2] == ("harness_fault_in_force", "latency")]
    assert {0, 1} <= set(windows)
    assert max(each.get(("harness_instances_in_flight",), 0) for each in seen) > 0
    last = seen[-1]
    sent = sum(value for key, value in last.items() if key[0] == "harness_calls_total")
    assert sent > 20
    assert sum(value for key, value in last.items() if key[0] == "harness_answers_total") == sent
    assert sum(value for key, value in last.items() if key[0] == "harness_start_latency_seconds_count") == sent
    assert last["harness_start_lateness_seconds_count",] == sent
    assert last["harness_instances_ended_total", "completed"] > 10
    for before, after in itertools.pairwise(seen):
        assert all(after.get(key, 0) >= value for key, value in before.items() if key[0].endswith("_total"))


def test_a_port_that_is_taken_is_a_wrong_usage(tmp_path):
    with lease() as ports, socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port := ports.take()))
        taken.listen()
        command = [BIN / "harness", "run", "baseline", "--metrics", str(port), "--out", tmp_path]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 64
    assert f"port {port} of 127.0.0.1 cannot be had for metrics" in done.stderr
    assert not [path for path in tmp_path.iterdir() if path.is_dir()], "it is said before a run begins"
