"""A Locust that is in charge hands its options on. In a process of its own: Locust patches whoever imports it."""

import json
import subprocess
import sys

PROBE = """
import json, subprocess
from argparse import Namespace
from harness.load import locust_host

asked = []
subprocess.Popen = lambda command, **_: asked.append(command)
locust_host.Companion(
    Namespace(
        scenario="storm", run_time=None, seed=SEED, target="", dapr_version="", defect="", backend="compose"
    )
)
print(json.dumps([asked[0][3:], locust_host._planned("storm", SEED, "").seed]))
"""


def asked(seed):
    told = subprocess.run([sys.executable, "-c", f"SEED = {seed}\n{PROBE}"], capture_output=True, check=True, text=True)
    return json.loads(told.stdout)


def test_seed_0_is_a_seed_and_what_was_not_said_is_not_handed_on():
    assert asked(0) == [["run", "storm", "--attached", "--seed", "0", "--backend", "compose"], 0]
    assert asked(None) == [["run", "storm", "--attached", "--backend", "compose"], 1]


def test_a_scenario_that_cannot_be_used_ends_locust_with_the_reason_and_exit_code_64(tmp_path):
    command = [sys.executable, "-m", "locust", "-f", "scenarios", "--headless", "--host", "http://127.0.0.1:9"]
    done = subprocess.run([*command, "--scenario", "nope"], capture_output=True, check=False, text=True, timeout=60)

    assert done.returncode == 64, done.stderr
    assert 'harness: there is no scenario "nope"' in done.stderr
