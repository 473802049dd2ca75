"""
Tests marked `compose` need a Docker engine with our images; where there is none they are skipped, and say why.

`make test` runs two tests at a time, each in a process of its own (pytest-xdist): a test with real Dapr mostly waits.
"""

import functools
import os
import subprocess
from pathlib import Path

import pytest

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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items):
    """What shares something dear, or one Docker engine, is run by one process, one after the other."""
    for item in items:
        alone = {"compose", "browser"} & {mark.name for mark in item.iter_markers()}
        item.add_marker(pytest.mark.xdist_group(min(alone, default=str(item.path))))


def pytest_runtest_setup(item):
    if item.get_closest_marker("compose") and (reason := lacking()):
        if os.environ.get("HARNESS_REQUIRE_COMPOSE") == "1":
            pytest.fail(f"HARNESS_REQUIRE_COMPOSE is set, and there is {reason}", pytrace=False)
        pytest.skip(reason)
