"""
Tests marked `compose` need a Docker engine with our images; where there is none they are skipped, and say why.

`make test` has three processes for its tests (pytest-xdist). Two of them begin with those that have real runs, which
mostly wait. The third takes what these leave of two cores: the tests that only compute, which make way for the others.
"""

import functools
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

FILE = Path(__file__).parents[1] / "compose/compose.yaml"
REAL = ("tests/browser/", "tests/compose/", "tests/e2e/")
"""Folders of the tests that wait for real programs."""
AT_ONCE = 2
"""As many processes have such tests at a time. With one more, nothing would be on time on two cores."""
NICE = os.getpriority(os.PRIO_PROCESS, 0)
WAY = 3
"""By so much the others are nicer: half as much of a busy core is theirs, which is still enough to end in time."""


@functools.cache
def lacking():
    """What a Compose test would miss on this machine; None if it can run."""

    def docker(*arguments):
        try:
            return subprocess.run(("docker", *arguments), capture_output=True, text=True, timeout=60, check=False)
        except OSError as error:
            return subprocess.CompletedProcess(arguments, 1, "", str(error))

    for needed, arguments in {
        "Docker engine": ("version", "--format", "{{.Server.Version}}"),
        "Compose plugin (`harness provision --compose`)": ("compose", "version"),
    }.items():
        if (done := docker(*arguments)).returncode:
            return f"no {needed}: {done.stderr.strip()}"
    images = docker("compose", "--file", str(FILE), "config", "--images").stdout.split()
    missing = [image for image in images if docker("image", "inspect", image).returncode]
    return f"no {', '.join(missing)} (`harness images build`)" if missing else None


class Together(LoadScopeScheduling):
    """
    The tests of one file are run by one process, one after the other; and so are all that need the Docker engine, and
    all that need a browser. Two at once would be too slow for each other. (Groups of xdist 3.8 fail with pytest 9.)
    """

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        if file.startswith(("tests/compose/", "tests/e2e/test_compose_runs.py", "tests/e2e/test_wheel.py")):
            return "compose"
        return "browser" if file.startswith("tests/browser/") else file

    def _assign_work_unit(self, node):
        """Give it the first file of those that wait, or of the others while as many have such as may at a time."""
        pending = {each: [self._kind(unit) for unit in units.values()] for each, units in self.assigned_work.items()}
        waiting = sum(True in kinds for each, kinds in pending.items() if each is not node)
        wanted = waiting < AT_ONCE
        found = (scope for scope, unit in self.workqueue.items() if self._kind(unit) is wanted)
        self.workqueue.move_to_end(next(found, next(iter(self.workqueue))), last=False)
        super()._assign_work_unit(node)

    def _kind(self, unit):
        """Does a test of it that has not ended wait for real programs? None if all have ended."""
        left = [nodeid for nodeid, completed in unit.items() if not completed]
        return left[0].startswith(REAL) if left else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Together(config, log)


def pytest_runtest_setup(item):
    if "PYTEST_XDIST_WORKER" in os.environ:
        with suppress(PermissionError):  # who is not root cannot take back what was given up
            os.setpriority(os.PRIO_PROCESS, 0, NICE if item.nodeid.startswith(REAL) else NICE + WAY)
    if item.get_closest_marker("compose") and (reason := lacking()):
        if os.environ.get("HARNESS_REQUIRE_COMPOSE") == "1":
            pytest.fail(f"HARNESS_REQUIRE_COMPOSE is set, and there is {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.fixture(autouse=True)
def _ctrl_c():
    """
    A test may run the command line in this process, and that ignores Ctrl-C at its end. The next test must hear it.
    """
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)
