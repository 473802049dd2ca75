"""
The harness killed by SIGKILL at random moments of a storm: nothing of the run is left, and its journals can be read.

Three moments each time; `KILLED=100 pytest tests/e2e/test_killed.py` for a hundred.
"""

import os
import random
import subprocess
import time

import pytest

from tests.builders import lines
from tests.builders.command import BIN, ROOT, left, until

pytestmark = pytest.mark.e2e

MOMENTS = int(os.environ.get("KILLED", "3"))
LONGEST = 30.0
"""Seconds; before the middle of the storm, with the system coming up before it."""


@pytest.mark.parametrize("number", range(MOMENTS))
def test_nothing_is_left_after_five_seconds_and_the_journals_are_readable(number, tmp_path):
    moment = random.Random(number).uniform(0.5, LONGEST)
    with subprocess.Popen(
        [BIN / "harness", "run", "storm", "--seed", str(number), "--out", tmp_path],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    ) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(moment)  # the moment is the test's: nothing is awaited
        process.kill()
        killed = time.monotonic()

    until(lambda: not left(tmp_path), 5 - (time.monotonic() - killed))
    for journal in (tmp_path / "latest" / "journal").glob("*.jsonl"):
        assert all("at_ns" in row for row in lines.read(journal))
