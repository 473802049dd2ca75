"""
Tests marked `compose` need a Docker engine with our images; where there is none they are skipped, and say why.

`make test` runs two tests at a time, each in a process of its own (pytest-xdist): a test with real Dapr mostly waits.
"""

import functools
import os
import signal
import subprocess
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

FILE = Path(__file__).parents[1] / "compose/compose.yaml"


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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Together(config, log)


def pytest_runtest_setup(item):
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
