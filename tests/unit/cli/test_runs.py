"""Commands that run: several seeds in a row, and a saved plan again."""

import pytest

from harness import cli, pipeline, rundir
from harness.cli import judging
from harness.errors import Exit, NodeError, UsageError
from harness.model import Result
from harness.planning import scenario, target
from harness.rundir import RunDir
from tests.builders import shop
from tests.builders.shop import finding

CALM = "tests/targets/payments_calm.yaml"


def call(capsys, *arguments):
    """What a command prints, and its exit code."""
    code = cli.app(list(arguments), standalone_mode=False)
    return capsys.readouterr().out, code


@pytest.fixture(name="fake")
def _fake(monkeypatch, tmp_path, pytestconfig):
    """Runs that are not made: each seed's verdict, or the error it ends with. Returns the plans that were asked for."""
    monkeypatch.chdir(pytestconfig.rootpath)
    plans, ends = [], {}

    def one(made, runs, place, console, *, attached=False):
        plans.append(made)
        end = ends.get(made.seed, shop.verdict())
        if isinstance(end, Exception):
            raise end
        codes = {Result.HOLDS: 0, Result.VIOLATED: 1, Result.UNKNOWN: 2}
        return pipeline.Done(codes[end.result], end, RunDir(tmp_path / f"run-{made.seed}"))

    monkeypatch.setattr(pipeline, "run", one)
    return plans, ends


def test_a_repeated_run_takes_one_seed_after_the_other_and_says_k_of_n(fake, capsys):
    plans, ends = fake
    ends[5] = shop.verdict((finding("stuck", Result.VIOLATED), finding("lost")))

    printed, code = call(capsys, "run", CALM, "--seed", "4", "--repeat", "3")

    assert [plan.seed for plan in plans] == [4, 5, 6]
    assert code == Exit.VIOLATED
    lines = printed.splitlines()
    assert lines[0].startswith("seed 4: HOLDS  600 instances, 4 of 4 felt, longest recovery 3.51 s  ")
    assert lines[1].startswith("seed 5: VIOLATED  600 instances, ")
    assert "violated: stuck" in lines[1]
    assert lines[3] == "payments_calm: 2 of 3 runs hold (95 % interval: 21 % to 94 %)"
    assert any("kill sidecar" in line and "at most" in line for line in lines[4:])


def test_a_run_that_failed_is_no_evidence_and_does_not_stop_the_others(fake, capsys):
    _, ends = fake
    ends[1] = NodeError("redis was not ready after 60 s")

    printed, code = call(capsys, "run", CALM, "--repeat", "2")

    assert code == Exit.SOFTWARE
    assert printed.splitlines()[0] == "seed 1: failed: redis was not ready after 60 s"
    assert "1 of 1 runs hold" in printed
    assert "1 failed" in printed


def saved(tmp_path, scenario_file):
    from harness.planning import plan

    made = scenario.load(scenario_file)
    folder = rundir.create(tmp_path, "x", 7)
    folder.save_plan(plan.make(made, target.load(made.target), seed=7, dapr_version="1.18.2"))
    return folder


def test_a_replay_runs_the_very_plan(fake, capsys, tmp_path, monkeypatch):
    plans, _ = fake
    monkeypatch.setattr(pipeline, "summary", lambda *_: "")
    folder = saved(tmp_path, scenario.find("sidecar_kill"))

    _, code = call(capsys, "replay", str(folder.path))

    assert code == Exit.HOLDS
    assert plans == [folder.load_plan()]


def test_a_replay_takes_no_command_from_a_run_directory(fake, capsys, tmp_path):
    plans, _ = fake
    folder = saved(tmp_path, scenario.find("sidecar_kill"))
    planted = folder.plan.read_text().replace("target.providers", "evil.module")
    folder.plan.write_text(planted)

    with pytest.raises(UsageError, match="give the description that the plan was made with: --target FILE"):
        call(capsys, "replay", str(folder.path))
    assert plans == []


def test_a_replay_of_another_target_needs_its_description(fake, capsys, tmp_path, pytestconfig, monkeypatch):
    plans, _ = fake
    monkeypatch.setattr(pipeline, "summary", lambda *_: "")
    folder = saved(tmp_path, pytestconfig.rootpath / CALM)
    with pytest.raises(UsageError, match="the plan is for target payments, and orders"):
        call(capsys, "replay", str(folder.path))

    call(capsys, "replay", str(folder.path), "--target", "tests/targets/payments/target.yaml")
    assert plans == [folder.load_plan()]


def test_an_engine_that_is_not_installed_is_told(monkeypatch, tmp_path, capsys):
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.save_plan(shop.plan())
    shop.evidence(3).write(run.evidence)
    monkeypatch.setattr(judging, "find_spec", lambda name: None if name == "pyspark" else object())

    with pytest.raises(UsageError, match=r"needs pyspark, .*: pip install 'durable-workflow-harness\[spark\]'"):
        call(capsys, "check", str(run.path), "--modified", "--database", "spark")


def test_a_defect_of_the_harness_itself_is_no_verdict(monkeypatch, capsys):
    """Python's own exit code for an exception is 1, which is VIOLATED."""
    monkeypatch.setattr(cli, "_prepare", lambda: None)
    monkeypatch.setattr(cli, "app", lambda **_: {}["no such key"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == Exit.SOFTWARE
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "harness: a defect of the harness itself, no finding: KeyError: 'no such key'" in told
