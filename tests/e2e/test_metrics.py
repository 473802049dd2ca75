"""
`harness run --metrics PORT` on a real run: what Prometheus gets while it goes on. The evidence of the same run is then
changed by hand.
"""

import itertools
import json
import os
import shutil
import socket
import subprocess
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.backends.ports import lease
from harness.checkers.judge import judge
from harness.model import Plan, Result
from tests.builders import by_hand
from tests.builders.command import BIN, ROOT, Finished

pytestmark = pytest.mark.e2e


def raw(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.TransportError:
        return ""


def scrape(port):
    families = text_string_to_metric_families(raw(port))
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


@pytest.fixture(name="scraped", scope="module")
def _scraped(tmp_path_factory):
    """A run that has ended, what was scraped while it went on, and the sidecars that told of their workflows."""
    runs = tmp_path_factory.mktemp("scraped")
    with lease() as ports:
        port = ports.take()
        command = [BIN / "harness", "run", "tests/e2e/slow_store.yaml", "--metrics", str(port), "--out", runs]
        with (runs / "out").open("w") as out:
            process = subprocess.Popen(command, cwd=ROOT, env={**os.environ}, stdout=out, stderr=subprocess.STDOUT)
        scrapes, sidecars = [], set()
        while process.poll() is None:
            scrapes.append(scrape(port))
            for file in runs.glob("latest/endpoints.json"):
                of_dapr = json.loads(file.read_text())["metrics"]
                sidecars |= {node for node, at in of_dapr.items() if ("dapr_runtime_workflow" in raw(at["port"]))}
            time.sleep(0.25)
    finished = Finished(process.returncode, (runs / "out").read_text(), runs)
    assert finished.code == 0, finished.out
    return finished, scrapes, sidecars


def test_a_run_is_scraped_while_a_fault_is_in_force_and_after_it(scraped):
    _, scrapes, sidecars = scraped
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


DELETED = "SELECT * FROM numbered WHERE file_row_number <> {chosen}"
DUPLICATED = "SELECT * FROM numbered UNION ALL SELECT * FROM numbered WHERE file_row_number = {chosen}"
EFFECTS = ("reserve", "release", "ship", "cancel")


ELSEWHERE = by_hand.replaced("instance_id", "(SELECT max(instance_id) FROM numbered)")
EARLIER = by_hand.replaced("at_ns", "at_ns - 30000000000")
CHANGES = [
    *(("effects", f"effect = '{effect}'", DELETED, None) for effect in EFFECTS),
    *(("effects", f"effect = '{effect}'", DUPLICATED, "duplicated") for effect in EFFECTS),
    ("effects", "effect = 'ship'", EARLIER, "effect_in_body"),
    ("effects", "effect = 'ship'", ELSEWHERE, "contradiction"),
    ("history", "position = 3", DELETED, "history_whole"),
    ("history", "position = 3", DUPLICATED, "history_whole"),
    ("history", "event = 'taskCompleted'", EARLIER, "history_clock"),
    ("history", "position = 3", ELSEWHERE, "history_whole"),
]


def test_evidence_that_is_changed_by_hand_is_never_judged_to_hold(harness, scraped):
    finished, _, _ = scraped
    plan = Plan.model_validate_json((finished.run / "plan.json").read_bytes())
    replayed = harness("replay-code", finished.run, check=0)  # while its evidence is as the run left it
    assert "histories were replayed; the code orders something else in 0\n" in replayed.out
    copy = finished.runs / "copy"
    shutil.copytree(finished.run, copy)
    for table, about, change, name in CHANGES:
        by_hand.changed(copy / "evidence", table, about, change)
        verdict = judge("a run", plan, copy / "evidence")
        violated = {finding.name for finding in verdict.findings if finding.result is Result.VIOLATED}
        assert verdict.result is Result.VIOLATED, (about, change)
        assert name is None or name in violated, (about, change, violated)
        shutil.copy(finished.run / f"evidence/{table}.parquet", copy / "evidence")
    by_hand.changed(copy / "evidence", "effects", "effect = 'ship'", DELETED)
    assert "evidence/effects.parquet" in harness("check", copy, check=70).out
    harness("check", copy, "--modified", check=1)
    for table in (finished.run / "evidence").glob("*.parquet"):
        if table.stem not in ("balances", "moves"):  # of this target they have no rows, and are asked for nothing
            hidden = table.rename(finished.runs / table.name)
            assert judge("a run", plan, table.parent).result is Result.UNKNOWN, table.stem
            hidden.rename(table)
    (finished.run / "evidence/effects.parquet").unlink()
    harness("check", finished.run, check=2)
