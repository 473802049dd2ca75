"""Every way out of a run leaves nothing behind: the end, Ctrl-C, SIGTERM, SIGKILL."""

import json
import os
import signal
import subprocess
import time

import pytest

from tests.builders import lines
from tests.builders.command import BIN, left, until

pytestmark = pytest.mark.e2e

SCENARIO = "tests/targets/payments_sidecar_kill.yaml"


@pytest.fixture(name="started")
def _started(pytestconfig, tmp_path):
    """A run whose fault is in force."""
    process = subprocess.Popen(
        [BIN / "harness", "run", SCENARIO, "--rate", "5", "--set", "faults.0.for=8s", "--out", tmp_path],
        cwd=pytestconfig.rootpath,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(lambda: any(row["event"] == "felt" for row in lines.read(tmp_path / "latest/journal/faults.jsonl")), 60)
    yield process, tmp_path
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_sigkill_of_the_harness_leaves_nothing_running_after_five_seconds(started):
    process, folder = started
    assert len(left(folder)) >= 6

    process.kill()

    until(lambda: not left(folder), 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_heals_collects_judges_and_exits_130(started, number):
    process, folder = started

    process.send_signal(number)
    printed, _ = process.communicate(timeout=90)

    assert process.returncode == 130, printed
    assert [row["event"] for row in lines.read(folder / "latest/journal/faults.jsonl")][-1] == "healed"
    assert json.loads((folder / "latest/verdict.json").read_text())["result"] in ("HOLDS", "UNKNOWN")
    assert (folder / "latest/report.html").exists()
    assert left(folder) == []


def test_two_signals_heal_and_leave_at_once(started):
    process, folder = started

    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "interrupted; every fault was healed" in printed
    assert left(folder) == []


def test_a_binary_that_is_missing_is_exit_70_and_says_how_to_mend_it(pytestconfig, harness, monkeypatch):
    monkeypatch.setenv("HARNESS_DAPRD", os.devnull + "/daprd")

    finished = harness.run(SCENARIO, check=70)

    assert "HARNESS_DAPRD" in finished.out
