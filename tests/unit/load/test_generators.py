"""A Locust that the harness started is ended, also if it hangs."""

import subprocess

import pytest

from harness.load.generators import Locust
from harness.rundir import create


class Hanging:
    """A process that heeds no SIGTERM; `waiting` is what comes of the first wait for it."""

    def __init__(self, waiting):
        self.waiting = [waiting]
        self.did = []

    def poll(self):
        return -9 if "kill" in self.did else None

    def terminate(self):
        self.did.append("terminate")

    def kill(self):
        self.did.append("kill")

    def wait(self, timeout=None):
        if self.waiting:
            raise self.waiting.pop()


@pytest.fixture(name="locust")
def _locust(tmp_path):
    return Locust(create(tmp_path, "x", 1), tmp_path)


def test_a_locust_that_hangs_is_killed(locust):
    locust._process = Hanging(subprocess.TimeoutExpired("locust", 30))

    locust.stop()
    locust.stop()

    assert locust._process.did == ["terminate", "kill"]


def test_whoever_interrupts_the_end_of_a_locust_that_hangs_does_not_wait_for_it(locust):
    locust._process = Hanging(KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        locust.stop()

    assert locust._process.did == ["terminate", "kill"]
