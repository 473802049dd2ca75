"""The suite's command: what it leaves for CI systems, and going on where it was left."""

import json

import pytest

from harness import cli, last, pipeline, rundir
from harness.errors import Exit, LeftError, NodeError, UsageError
from tests.builders import shop

SUITE = """\
claim: Nothing breaks, whatever the seed.
budget: 10m
runs:
  - {scenario: baseline, seeds: 2}
  - {scenario: sidecar_kill}
"""


@pytest.fixture(name="suite")
def _suite(monkeypatch, capsys, tmp_path):
    """`suite(*arguments)` -> what is printed, exit code. `suite.ends`: (scenario, seed) -> an error it ends with."""
    file = tmp_path / "mine.yaml"
    file.write_text(SUITE)
    ends, ran = {}, []

    def one(plan, runs, place, console):
        ran.append((plan.scenario.name, plan.seed))
        if (error := ends.get(ran[-1])) is not None:
            raise error
        folder = rundir.create(runs, plan.scenario.name, plan.seed)
        verdict = shop.verdict().model_copy(update={"scenario": plan.scenario.name, "seed": plan.seed})
        folder.save_plan(plan)
        folder.save_verdict(verdict)
        return pipeline.Done(Exit.HOLDS, verdict, folder)

    monkeypatch.setattr(pipeline, "run", one)
    monkeypatch.setattr(pipeline, "backend_of", lambda plan, place: None)

    def call(*arguments):
        code = cli.app(["suite", str(file), "--out", str(tmp_path / "runs"), *arguments], standalone_mode=False)
        return capsys.readouterr().out, code

    call.ends, call.ran, call.runs = ends, ran, tmp_path / "runs"
    return call


def test_every_run_is_told_to_ci_in_the_suite_s_folder_and_beside_it(suite):
    printed, code = suite()
    (folder,) = suite.runs.glob("*-suite-mine")
    assert code == Exit.HOLDS
    assert "3/3  passes baseline, seed 2: HOLDS" in printed
    assert last.load(suite.runs).asked == 3
    assert {name.split("/")[0] for name in last.load(suite.runs).runs} == {folder.name}
    for place in (folder, suite.runs):
        assert (place / "junit.xml").read_text().count("<testsuite ") == 3
        assert r"sidecar\_kill" in (place / "summary.md").read_text()
    assert not list(folder.glob("*/data")), "of runs that pass it is deleted"


def test_an_interrupted_suite_says_how_to_go_on_and_does(suite):
    suite.ends["baseline", 2] = LeftError("interrupted")
    printed, code = suite()

    assert code == Exit.INTERRUPTED
    assert "--resume` goes on" in printed
    suite.ends.clear()
    printed, code = suite("--resume")
    assert code == Exit.HOLDS
    assert suite.ran == [("baseline", 1), ("sidecar_kill", 1), ("baseline", 2), ("baseline", 2)]


def test_a_run_that_failed_is_among_the_failures(suite):
    suite.ends["sidecar_kill", 1] = NodeError("no free port")
    _, code = suite()

    (folder,) = suite.runs.glob("*-suite-mine")
    assert code == Exit.SOFTWARE
    assert last.load(suite.runs).failed == ("sidecar_kill, seed 1: no free port",)
    assert "no free port" in (folder / "junit.xml").read_text()
    assert json.loads((folder / "suite.json").read_text())["ran"][1]["code"] == Exit.SOFTWARE


def test_there_must_be_something_to_go_on_with(suite):
    with pytest.raises(UsageError, match=r"no suite mine in .* to go on with"):
        suite("--resume")


def test_a_suite_whose_name_begins_alike_is_another(suite):
    suite.ends["baseline", 2] = LeftError("interrupted")
    suite()
    (folder,) = suite.runs.glob("*-suite-mine")
    folder.rename(folder.with_name(f"{folder.name}-too"))

    with pytest.raises(UsageError, match=r"no suite mine in .* to go on with"):
        suite("--resume")


def json_listed(capsys):
    cli.app(["list", "--json"], standalone_mode=False)
    return json.loads(capsys.readouterr().out)


def test_each_scenario_and_suite_is_listed_in_one_line(capsys):
    cli.app(["list"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()

    heads = [line for line in lines if line.startswith(("scenarios, ", "suites"))]
    assert len(heads) == 3
    told = json_listed(capsys)
    assert (
        len(lines) == len(told["scenarios"]) + len(told["suites"]) + 2 * len(heads) + 1
    )  # and a blank line after each
    assert lines.index(heads[0]) < lines.index(heads[1]) < [line[:8] for line in lines].index("patterns")
    assert sum(line.startswith("sidecar_kill ") for line in lines) == 1
    assert sum(line.startswith("smoke ") for line in lines) == 1
    assert [each["budget_seconds"] for each in told["suites"] if each["name"] == "release"] == [3300]
    assert next(each for each in told["scenarios"] if each["name"] == "storm")["faults"][:2] == ["kill", "latency"]


def test_a_plan_says_how_long_it_takes(capsys):
    cli.app(["plan", "sidecar_kill"], standalone_mode=False)

    assert "takes about 58 s, up to 60 s more if instances do not end" in capsys.readouterr().out
