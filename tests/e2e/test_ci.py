"""
The GitHub Action in a repository made by the docs alone: green on the good target, red on the defective one. Nobody but
GitHub can run an action; here its scripts are executed as the runner executes them.
"""

import os
import re
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

from tests.builders.command import BIN, ROOT, Finished

pytestmark = pytest.mark.e2e

COMMAND = "run chaos/scenarios/baseline.yaml --duration 8s --set 'checks.minimum={instances: 50}'"
ACTION = YAML(typ="safe").load((ROOT / "action.yml").read_text())


@dataclass
class Job:
    """A job of GitHub whose only step uses the action; `uses:` steps are left out."""

    repository: Path
    temp: Path
    inputs: dict
    outputs: dict = field(default_factory=dict)
    log: str = ""
    failed: bool = False

    def value(self, expression):
        kind, _, rest = expression.partition(".")
        match kind:
            case "inputs":
                return str(self.inputs.get(rest, ACTION["inputs"][rest].get("default")))
            case "steps":
                step, output = rest.split(".outputs.")
                return self.outputs.get(step, {}).get(output, "")
        return {"runner.temp": str(self.temp), "github.action_path": str(ROOT)}[expression]

    def text(self, text):
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: self.value(found[1]), text)

    def execute(self):
        given = set(self.outputs)  # of steps that were executed in another job, and are not again
        for number, step in enumerate(ACTION["runs"]["steps"]):
            condition = step.get("if", "success()")
            due = not self.failed or condition.startswith("always()")
            if "run" not in step or not due or step.get("id") in given:
                continue
            script, output = self.temp / f"{number}.sh", self.temp / f"{number}.out"
            script.write_text(step["run"])
            output.touch()
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
                cwd=self.repository / self.text(step.get("working-directory", ".")),
                env={
                    **os.environ,
                    **{name: self.text(value) for name, value in step.get("env", {}).items()},
                    "PATH": f"{BIN}:{os.environ['PATH']}",
                    "GITHUB_ACTIONS": "true",
                    "GITHUB_OUTPUT": str(output),
                    "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=600,
            )
            self.log += done.stdout
            self.failed |= done.returncode != 0
            self.outputs[step.get("id")] = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return self


@pytest.fixture(name="repository", scope="module")
def _repository(tmp_path_factory):
    """An empty git repository, with what `harness init` copies out."""
    folder = tmp_path_factory.mktemp("repository")
    for command in (["git", "init", "--quiet"], [BIN / "harness", "init", "chaos"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(name="good", scope="module")
def _good(repository, tmp_path_factory):
    return Job(repository, tmp_path_factory.mktemp("good"), {"command": COMMAND}).execute()


def after(good, temp, command):
    """A job like `good` with another command, where the harness is installed already."""
    temp.mkdir()
    return Job(good.repository, temp, {"command": command}, {"install": good.outputs["install"]}).execute()


def red(temp):
    cases = ET.parse(temp / "chaos-runs/junit.xml").getroot().iter("testcase")
    return {case.get("name") for case in cases if case.find("failure") is not None}


@pytest.mark.timeout(900)
def test_the_action_is_green_on_the_good_target(good):
    assert not good.failed, good.log
    assert "::error" not in good.log
    assert good.outputs["gate"]["exit-code"] == "0"
    assert red(good.temp) == set()
    assert (good.temp / "summary.md").read_text().startswith("## ✅ HOLDS")
    assert (good.temp / "chaos-runs/packed.tar.gz").stat().st_size < 5_000_000


@pytest.mark.timeout(900)
def test_the_action_is_red_on_the_defective_one_and_keeps_what_shows_it(good, tmp_path):
    bad = after(good, tmp_path / "bad", f"{COMMAND} --defect skip_release")

    assert bad.failed, bad.log
    assert bad.outputs["gate"]["exit-code"] == "1"
    assert "\n::error title=VIOLATED%3A baseline%2C seed 1::" in bad.log
    assert {"verdict", "half_compensated"} <= red(bad.temp)
    assert Finished(1, bad.log, bad.temp / "chaos-runs").names_what_violates("half_compensated")
    assert "❌ VIOLATED" in (bad.temp / "summary.md").read_text()
    with tarfile.open(bad.temp / "chaos-runs/packed.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    again = subprocess.run([BIN / "harness", "gate", "--out", tmp_path / "unpacked"], check=False, capture_output=True)
    assert again.returncode == 1


def test_the_action_is_red_if_the_command_cannot_be_run(good, tmp_path):
    job = after(good, tmp_path / "wrong", "run chaos/scenarios/basline.yaml")

    assert job.failed
    assert job.outputs["gate"]["exit-code"] == "64"
    assert "basline" in job.log
