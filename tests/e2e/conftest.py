"""What the end-to-end tests share."""

import os
import subprocess

import pytest

from tests.builders.command import BIN, ROOT, Finished


@pytest.fixture(name="harness")
def _harness(tmp_path):
    """`harness(command, ...)` -> Finished; runs go to a folder of the test's own."""
    return harness_into(tmp_path)


@pytest.fixture(name="of_module", scope="module")
def _of_module(tmp_path_factory):
    """The same for what the tests of a module share: runs go to a folder of the module's own."""
    return harness_into(tmp_path_factory.mktemp("of_module"))


def harness_into(runs):
    """What runs the harness, as `harness` says, into this folder."""

    def call(*arguments, command=("harness",), check=None):
        done = subprocess.run(
            [BIN / command[0], *command[1:], *map(str, arguments)],
            check=False,
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        finished = Finished(done.returncode, done.stdout, runs)
        if check is not None:
            assert finished.code == check, finished.out
        return finished

    def run(*arguments, check=None):
        return call("run", *arguments, "--out", runs, check=check)

    call.run = run
    return call
