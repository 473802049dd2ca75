"""Commands that run: several seeds in a row, and a saved plan again."""

import os
import signal
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from harness import cli, last, pipeline, rundir
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
    code = cli.app(list(map(str, arguments)), standalone_mode=False)
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
        folder = rundir.create(runs, made.scenario.name, made.seed)
        return pipeline.Done(codes[end.result], end, folder)

    monkeypatch.setattr(pipeline, "run", one)
    return Fake(plans, ends, tmp_path / "runs")


class Fake(NamedTuple):
    plans: list
    ends: dict
    out: Path


def red(out):
    """The names of the red test cases that CI systems are told of, and the first line of the summary."""
    cases = ET.fromstring((out / "junit.xml").read_bytes()).iter("testcase")
    names = [f"{case.get('classname')}/{case.get('name')}" for case in cases if case.find("failure") is not None]
    return names, (out / "summary.md").read_text().splitlines()[0]


def test_a_repeated_run_takes_one_seed_after_the_other_and_says_k_of_n(fake, capsys):
    plans, ends, _ = fake
    ends[5] = shop.verdict((finding("stuck", Result.VIOLATED), finding("lost")))

    printed, code = call(capsys, "run", CALM, "--seed", "4", "--repeat", "3", "--out", fake.out)

    assert [plan.seed for plan in plans] == [4, 5, 6]
    assert code == Exit.VIOLATED
    lines = printed.splitlines()
    assert lines[0].startswith("seed 4: HOLDS  600 instances, 4 of 4 felt, longest recovery 3.51 s  ")
    assert lines[1].startswith("seed 5: VIOLATED  600 instances, ")
    assert "violated: stuck" in lines[1]
    assert lines[3] == "payments_calm: 2 of 3 runs hold (95 % interval: 21 % to 94 %)"
    assert any("kill sidecar" in line and "at most" in line for line in lines[4:])


def test_a_run_that_failed_is_no_evidence_and_does_not_stop_the_others(fake, capsys):
    _, ends, _ = fake
    ends[1] = NodeError("redis was not ready after 60 s")

    printed, code = call(capsys, "run", CALM, "--repeat", "2", "--out", fake.out)

    assert code == Exit.SOFTWARE
    assert printed.splitlines()[0] == "seed 1: failed: redis was not ready after 60 s"
    assert "1 of 1 runs hold" in printed
    assert "1 failed" in printed


def test_a_repeated_run_leaves_one_file_of_all_and_latest_is_the_worst(fake, capsys):
    fake.ends[2] = shop.verdict((finding("stuck", Result.VIOLATED, violations=1), finding("lost")))
    fake.ends[3] = NodeError("redis was not ready after 60 s")

    call(capsys, "run", CALM, "--repeat", "4", "--out", fake.out)

    names, head = red(fake.out)
    assert names == [
        "payments_calm-seed-2/verdict",
        "payments_calm-seed-2/stuck",
        "payments_calm-seed-3/verdict",
    ]
    assert head == "## ❌ 2 of 4 runs pass"
    assert (fake.out / "latest").resolve().name.endswith("payments_calm-2")
    made = last.load(fake.out)
    assert (made.asked, len(made.runs)) == (4, 3)
    assert made.failed == ("payments_calm-seed-3: redis was not ready after 60 s",)


def test_a_single_run_leaves_the_same_files(fake, capsys, monkeypatch):
    monkeypatch.setattr(pipeline, "summary", lambda *_: "")

    call(capsys, "run", CALM, "--out", fake.out)

    assert red(fake.out) == ([], "## ✅ HOLDS: demo, seed 7")
    assert len(last.load(fake.out).runs) == 1


@pytest.mark.parametrize(
    "command", [("run", CALM), ("run", "no_such_scenario"), ("run", CALM, "--set", "load.rate=fast")]
)
def test_nobody_takes_an_old_run_for_that_of_a_command_that_failed(fake, capsys, monkeypatch, command):
    monkeypatch.setattr(pipeline, "summary", lambda *_: "")
    call(capsys, "run", CALM, "--out", fake.out)
    assert (fake.out / "latest").exists()
    fake.ends[1] = NodeError("port 6379 is taken")

    with pytest.raises((NodeError, UsageError)):
        call(capsys, *command, "--out", fake.out)

    assert not (fake.out / "latest").exists()
    assert not (fake.out / "summary.md").exists() or red(fake.out)[0] == ["payments_calm-seed-1/verdict"]


@pytest.mark.parametrize("out", ["/proc/runs", __file__])
def test_a_folder_that_cannot_hold_runs_is_refused(fake, capsys, out):
    with pytest.raises(UsageError, match=r"cannot hold runs: .*; give another folder with --out"):
        call(capsys, "run", CALM, "--out", out)


def saved(tmp_path, scenario_file):
    from harness.planning import plan

    made = scenario.load(scenario_file)
    folder = rundir.create(tmp_path, "x", 7)
    folder.save_plan(plan.make(made, target.load(made.target), seed=7, dapr_version="1.18.2"))
    return folder


def test_a_replay_runs_the_very_plan(fake, capsys, tmp_path, monkeypatch):
    plans, _, _ = fake
    monkeypatch.setattr(pipeline, "summary", lambda *_: "")
    folder = saved(tmp_path, scenario.find("sidecar_kill"))

    _, code = call(capsys, "replay", folder.path, "--out", fake.out)

    assert code == Exit.HOLDS
    assert plans == [folder.load_plan()]


def test_a_replay_takes_no_command_from_a_run_directory(fake, capsys, tmp_path):
    plans, _, _ = fake
    folder = saved(tmp_path, scenario.find("sidecar_kill"))
    planted = folder.plan.read_text().replace("target.providers", "evil.module")
    folder.plan.write_text(planted)

    with pytest.raises(UsageError, match="give the description that the plan was made with: --target FILE"):
        call(capsys, "replay", folder.path, "--out", fake.out)
    assert plans == []


def test_a_replay_of_another_target_needs_its_description(fake, capsys, tmp_path, pytestconfig, monkeypatch):
    plans, _, _ = fake
    monkeypatch.setattr(pipeline, "summary", lambda *_: "")
    folder = saved(tmp_path, pytestconfig.rootpath / CALM)
    with pytest.raises(UsageError, match="the plan is for target payments, and orders"):
        call(capsys, "replay", folder.path, "--out", fake.out)

    call(capsys, "replay", folder.path, "--out", fake.out, "--target", "tests/targets/payments/target.yaml")
    assert plans == [folder.load_plan()]


def test_an_engine_that_is_not_installed_is_told(monkeypatch, tmp_path, capsys):
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.save_plan(shop.plan())
    shop.evidence(3).write(run.evidence)
    monkeypatch.setattr(judging, "find_spec", lambda name: None if name == "pyspark" else object())

    with pytest.raises(UsageError, match=r"needs pyspark, .*: pip install 'durable-workflow-harness\[spark\]'"):
        call(capsys, "check", str(run.path), "--modified", "--database", "spark")


@pytest.fixture(name="_whole_process")
def _whole_process(monkeypatch):
    """What `main` does to the process, undone."""
    monkeypatch.setattr(cli, "_prepare", lambda: None)
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_whole_process")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("Query interrupted")])
def test_a_ctrl_c_is_no_defect_also_if_it_comes_while_a_query_runs(error, monkeypatch, capsys):
    def interrupted(**_):
        raise error

    monkeypatch.setattr(cli, "app", interrupted)

    with pytest.raises(SystemExit) as ended:
        cli.main()
    os.kill(os.getpid(), signal.SIGINT)  # one more changes nothing

    assert ended.value.code == Exit.INTERRUPTED
    assert capsys.readouterr().err == "harness: interrupted\n"


@pytest.mark.usefixtures("_whole_process")
def test_a_defect_of_the_harness_itself_is_no_verdict(monkeypatch, capsys):
    """Python's own exit code for an exception is 1, which is VIOLATED."""
    monkeypatch.setattr(cli, "app", lambda **_: {}["no such key"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == Exit.SOFTWARE
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "harness: a defect of the harness itself, no finding: KeyError: 'no such key'" in told
