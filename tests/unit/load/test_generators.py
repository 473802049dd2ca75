"""A Locust that the harness started is ended, also if it hangs."""

import subprocess
from pathlib import Path

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


def test_what_the_user_has_set_for_a_locust_of_their_own_does_not_reach_this_one(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(subprocess, "Popen", lambda command, **settings: asked.update(settings, command=command))
    monkeypatch.setenv("LOCUST_RUN_TIME", "1s")
    (tmp_path / "locust.conf").write_text("run-time = 1s\n")
    monkeypatch.chdir(tmp_path)
    run = create(Path("runs"), "x", 1)

    Locust(run, Path("scenarios")).start()

    assert "LOCUST_RUN_TIME" not in asked["env"]
    assert not (asked["cwd"] / "locust.conf").exists()
    assert asked["env"]["HARNESS_LOAD"] == str(tmp_path / run.path)
    assert str(tmp_path / "scenarios/locustfile.py") in asked["command"]
