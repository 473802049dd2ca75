"""A suite that is killed in the middle, and gone on with, comes to the same as one that was not."""

import json
import signal
import subprocess

import pytest

from harness.errors import Exit
from tests.builders.command import BIN, ROOT, left, until

pytestmark = pytest.mark.e2e

SUITE = f"""\
claim: A killed sidecar loses no payment, with either seed.
budget: 5m
gate: {{known: allow}}
runs:
  - {{scenario: {ROOT}/tests/targets/payments_sidecar_kill.yaml, seeds: 2}}
"""


def test_a_suite_that_is_killed_goes_on_where_it_was(tmp_path, harness):
    file = tmp_path / "mine.yaml"
    file.write_text(SUITE)
    process = subprocess.Popen(
        [BIN / "harness", "suite", file, "--out", tmp_path],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )

    def so_far():
        return [json.loads(found.read_text()) for found in tmp_path.glob("*-suite-mine/suite.json")]

    until(lambda: so_far() and len(so_far()[0]["ran"]) == 1, 120)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(lambda: not left(tmp_path), 10)
    (before,) = so_far()

    done = harness("suite", file, "--resume", "--out", tmp_path)

    (after,) = so_far()
    assert after["ran"][0] == before["ran"][0], "it is not run again"
    assert [ran["case"]["seed"] for ran in after["ran"]] == [1, 2]
    assert done.code == max(ran["code"] for ran in after["ran"]), done.out
    (folder,) = tmp_path.glob("*-suite-mine")
    assert {"report.html", "junit.xml", "summary.md"} <= {each.name for each in folder.iterdir()}
    again = harness("suite", file, "--resume", "--out", tmp_path)
    assert again.code == Exit.USAGE, "it has ended, and an old answer is not given again"
