"""Running the harness as a user does: the command, in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Finished:
    """A harness command that has ended."""

    code: int
    out: str
    runs: Path

    @property
    def run(self):
        return (self.runs / "latest").resolve()

    @property
    def verdict(self):
        return json.loads((self.run / "verdict.json").read_text())

    def finding(self, name):
        return next(finding for finding in self.verdict["findings"] if finding["name"] == name)


@pytest.fixture(name="harness")
def _harness(tmp_path):
    """`harness(command, ...)` -> Finished; runs go to a folder of the test's own."""

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
        finished = Finished(done.returncode, done.stdout, tmp_path)
        if check is not None:
            assert finished.code == check, finished.out
        return finished

    def run(*arguments, check=None):
        return call("run", *arguments, "--out", tmp_path, check=check)

    call.run = run
    return call
