"""Four workers share the load of a run; one is killed in the middle, and another takes its place."""

import os
import signal
import subprocess

import pytest

from harness.evidence import journals
from harness.journal import Journals
from harness.load.arrivals import schedule
from harness.rundir import RunDir
from tests.builders import lines
from tests.builders.command import BIN, ROOT, Finished, until

pytestmark = pytest.mark.e2e

SCENARIO = ROOT / "tests" / "e2e" / "short_kill.yaml"


def test_every_start_of_a_load_of_four_workers_is_accounted_for_though_one_is_killed(tmp_path):
    load = tmp_path / "latest" / "journal" / "load.jsonl"

    def of(event):
        return [row for row in lines.read(load) if row["event"] == event] if load.exists() else []

    with subprocess.Popen(
        [BIN / "harness", "run", SCENARIO, "--seed", "2", "--set", "load.workers=4", "--out", tmp_path],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    ) as process:
        until(lambda: len(of("shared")) == 4 and of("started"), 90)
        lost = of("joined")[1]["client"]
        sent = Journals(load.parent).operations(lost.removeprefix("locust-"))
        until(lambda: sent.exists() and len(lines.read(sent)) > 10, 30)
        os.kill(int(lost.removeprefix("locust-")), signal.SIGKILL)
        code = process.wait(200)

    done = Finished(code, "", tmp_path)
    run = RunDir(done.run)
    plan = run.load_plan()
    sent_by = {}
    for row in journals.operations(run.journals):
        if row["client"] != "canary" and row["try"] == 1:
            sent_by.setdefault(row["instance_id"], []).append(row["client"])
    assert set(sent_by) == {each.instance_id for each in schedule(plan.scenario.load, plan.workflows, plan.seed)}
    assert all(len(clients) == 1 for clients in sent_by.values()), "none is sent twice"
    assert len({client for clients in sent_by.values() for client in clients}) == 5, "another one took its place"
    for name in ("record_arrivals", "record_shares", "record_samples", "record_client"):
        assert done.finding(name)["result"] == "HOLDS", done.finding(name)
    assert done.verdict["lacking"] == []
    (note,) = [note for note in done.verdict["notes"] if lost in note]
    assert "its process was killed by signal 9" in note
    assert "others sent" in note
