"""A Locust that is in charge hands its options on. In a process of its own: Locust patches whoever imports it."""

import json
import subprocess
import sys

PROBE = """
import json, subprocess
from argparse import Namespace
from types import SimpleNamespace
from harness.load import locust_host

asked = []
subprocess.Popen = lambda command, **_: asked.append(command)
subprocess.run = lambda command, **_: asked.append(command) or SimpleNamespace(returncode=1)
locust_host.Companion(
    Namespace(
        scenario="storm", run_time=None, seed=SEED, target="", dapr_version="", defect="", backend="compose"
    )
)
try:
    locust_host._planned("storm", SEED, "")
except locust_host.UsageError:
    print(json.dumps([command[3:] for command in asked]))
"""


def asked(seed):
    told = subprocess.run([sys.executable, "-c", f"SEED = {seed}\n{PROBE}"], capture_output=True, check=True, text=True)
    return json.loads(told.stdout)


def test_seed_0_is_a_seed_and_what_was_not_said_is_not_handed_on():
    assert asked(0) == [
        ["run", "storm", "--attached", "--seed", "0", "--backend", "compose"],
        ["plan", "storm", "--json", "--seed", "0"],
    ]
    assert asked(None) == [["run", "storm", "--attached", "--backend", "compose"], ["plan", "storm", "--json"]]
