"""`harness target check`: what each witness sees of two instances, and what more could be judged."""

import re

import pytest

from harness import cli, pipeline, rundir
from harness.errors import Exit, UsageError
from tests.builders.tutorial import Rows

TARGET = """
name: tutorial
app_id: tutorial
app: {command: [python, app.py], health: workers}
workflows:
  order:
    start: {dapr: dapr}
    body: {item: tea}
    kinds: {order: {ends: [completed]}}
    outcome: processed
    outcomes: {true: {ends: completed}}
"""


@pytest.fixture(name="checked")
def _checked(monkeypatch, tmp_path, capsys):
    """`checked(rows, target)`: what the command prints of a run that left these rows, and its exit code."""
    file = tmp_path / "target.yaml"

    def run(plan, runs, place, console):
        assert (plan.scenario.load.rate, place) == (0, pipeline.Place())
        folder = rundir.create(runs, plan.scenario.name, plan.seed)
        folder.save_plan(plan)
        made.write(folder.evidence)
        return pipeline.Done(Exit.HOLDS, pipeline.judge_again(folder, plan), folder)

    def check(rows, target=TARGET):
        nonlocal made
        made = rows
        file.write_text(target)
        monkeypatch.setattr(pipeline, "run", run)
        code = cli.app(["target", "check", str(file)], standalone_mode=False)
        return capsys.readouterr().out, code

    made = None
    return check


def test_a_sound_target_is_told_by_its_witnesses(checked):
    rows = Rows()
    for number in range(2):
        rows.ended(f"canary-{number}", output={"processed": True}, outcome="true")

    told, code = checked(rows)

    assert code == Exit.HOLDS
    assert "✓  clients        2 starts were sent, and 2 were accepted" in told
    assert '✓  engine         canary-0 is COMPLETED with the output {"processed": true}' in told
    assert "-  outside world  not offered: nothing tells what the outside world kept" in told
    assert re.search(r"^\d+ of \d+ invariants are applicable$", told, re.MULTILINE)
    assert "to judge retry_wait too, give `retries` in target.yaml" in told
    assert "try it: harness run baseline --target" in told


def test_what_a_target_offers_and_nobody_sees_is_to_be_mended(checked):
    rows = Rows()
    rows.ended("canary-0", output={"processed": "perhaps"}, outcome="perhaps")

    told, code = checked(rows, TARGET + "attempts: true\n")

    assert code == Exit.UNKNOWN
    assert "✗  activities     nothing of these instances" in told
    assert "which target.yaml does not declare" in " ".join(told.split())
    assert "mend what is marked ✗ first" in told


def test_what_is_violated_is_shown(checked):
    rows = Rows()
    rows.ended("canary-0", status="FAILED")

    told, code = checked(rows)

    assert code == Exit.VIOLATED
    assert "✗ failed: canary-0 ended as FAILED" in told


def test_a_broken_description_starts_nothing(checked):
    with pytest.raises(UsageError, match=r"target.yaml:5: workflows: dictionary should have at least 1 item"):
        checked(Rows(), TARGET[: TARGET.index("workflows")] + "workflows: {}\n")
