"""Ways out of a run that leave nothing behind: Ctrl-C and SIGTERM. SIGKILL is in test_suite.py and test_killed.py."""

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from tests.builders import lines
from tests.builders.command import BIN, ROOT, left, until

pytestmark = pytest.mark.e2e

SCENARIO = "tests/targets/payments_sidecar_kill.yaml"


RUN = ("run", SCENARIO, "--rate", "5", "--set", "faults.0.for=8s")


@contextmanager
def started(folder, *command):
    """The process of a run in this folder whose fault is in force."""
    process = subprocess.Popen(
        [BIN / "harness", *command, "--out", folder],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: any(row["event"] == "felt" for row in lines.read(folder / "latest/journal/faults.jsonl")), 60)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_one_signal_heals_collects_judges_and_exits_130_and_the_plan_can_be_run_again(tmp_path):
    plans = []
    for number in (signal.SIGINT, signal.SIGTERM):
        folder = tmp_path / number.name
        again = ("replay", tmp_path / "SIGINT/latest", "--target", "tests/targets/payments/target.yaml")
        with started(folder, *(again if plans else RUN)) as process:
            process.send_signal(number)
            printed, _ = process.communicate(timeout=90)

        assert process.returncode == 130, printed
        assert [row["event"] for row in lines.read(folder / "latest/journal/faults.jsonl")][-1] == "healed"
        assert json.loads((folder / "latest/verdict.json").read_text())["result"] in ("HOLDS", "UNKNOWN")
        assert (folder / "latest/report.html").exists()
        assert left(folder) == []
        plans.append((folder / "latest/plan.json").read_bytes())
    assert plans[0] == plans[1]


def test_two_signals_heal_and_leave_at_once(tmp_path):
    with started(tmp_path, *RUN) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "interrupted; every fault was healed" in printed
    assert left(tmp_path) == []


def test_a_binary_that_is_missing_is_exit_70_and_says_how_to_mend_it(harness, monkeypatch):
    monkeypatch.setenv("HARNESS_DAPRD", os.devnull + "/daprd")

    finished = harness.run(SCENARIO, check=70)

    assert "HARNESS_DAPRD" in finished.out
