"""The command: what it runs, what it writes, how it ends."""

import io
import json
import re

import jsonschema
import pytest
from harness_reports import capacity as drawing
from rich.console import Console

from harness import cli, pipeline
from harness.capacity import result, series
from harness.capacity.result import Curve, Machine
from harness.errors import LeftError, NodeError, UsageError
from harness.rundir import RunDir
from tests.builders import capacity as builder
from tests.builders import shop


@pytest.fixture(name="system")
def _system(monkeypatch):
    """Runs of a system that keeps up to 20/s: each plan that was run. `system.of` makes what comes of a plan."""

    class System:
        def __init__(self):
            self.plans = []

        def of(self, plan):
            return builder.step(plan.scenario.load.rate, capacity=20)

    made = System()

    def run(plan, runs, place, console):
        made.plans.append(plan)
        step = made.of(plan)
        return pipeline.Done(0 if step is None else step.code, shop.verdict(), RunDir(runs / "run"))

    def step_of(rate, plan, folder, verdict, code, took):
        return made.of(plan)

    monkeypatch.setattr(pipeline, "run", run)
    monkeypatch.setattr(series, "step_of", step_of)
    return made


def call(*arguments):
    return cli.app(["capacity", *map(str, arguments)], standalone_mode=False)


def saved(folder):
    (file,) = folder.glob(f"*-capacity-*/{drawing.DATA}")
    return json.loads(file.read_text()), file.parent


def test_both_curves_are_made_judged_and_written(system, tmp_path, capsys):
    code = call("sidecar_kill", "--out", tmp_path)

    assert code == 0
    told, folder = saved(tmp_path)
    assert [curve["faults"] for curve in told["curves"]] == [False, True]
    rates = [4, 8, 16, 32, 22.6, 19]
    assert [[step["rate"] for step in curve["steps"]] for curve in told["curves"]] == [rates, rates]
    assert [bool(plan.steps) for plan in system.plans] == [False] * 6 + [True] * 6
    jsonschema.validate(told, result.schema())
    assert (folder / drawing.PAGE).is_file()
    printed = capsys.readouterr().out
    assert "at most 16 runs" in printed
    assert "without faults, 32 starts/s: 20.0/s ended" in printed
    assert "The system kept up up to" not in printed
    assert "The system kept up with 19 starts/s, and not with 22.6 starts/s." in " ".join(printed.split())


@pytest.mark.parametrize(("flag", "faults"), [("--with-faults", True), ("--without-faults", False)])
def test_one_curve_is_enough_if_that_is_asked_for(system, tmp_path, flag, faults):
    call("sidecar_kill", flag, "--out", tmp_path)
    assert [curve["faults"] for curve in saved(tmp_path)[0]["curves"]] == [faults]


def test_faults_that_are_not_made_need_not_fit_into_the_load(system, tmp_path):
    call("sidecar_kill", "--without-faults", "--duration", "8s", "--out", tmp_path)
    assert (saved(tmp_path)[0]["duration"], saved(tmp_path)[0]["warm_up"]) == (8, 2)
    assert {plan.scenario.load.duration for plan in system.plans} == {8}


def test_a_scenario_without_faults_has_one_curve(system, tmp_path):
    assert call("baseline", "--from", 10, "--step", 4, "--refine", 1, "--duration", "20s", "--out", tmp_path) == 0
    told, _ = saved(tmp_path)
    assert [step["rate"] for step in told["curves"][0]["steps"]] == [10, 40, 20]
    assert (told["duration"], told["warm_up"]) == (20, 5)
    assert all(plan.scenario.load.duration == 20 for plan in system.plans)


def test_a_violated_run_is_told_and_gives_its_exit_code(system, tmp_path, capsys):
    system.of = lambda plan: builder.step(plan.scenario.load.rate, capacity=20, code=int(plan.scenario.load.rate == 8))
    assert call("baseline", "--out", tmp_path) == 1
    assert "VIOLATED at 8 starts/s" in capsys.readouterr().out


def test_a_capacity_that_was_not_reached_is_no_answer(system, tmp_path, capsys):
    assert call("baseline", "--to", 16, "--out", tmp_path) == 2
    assert "its capacity is higher" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["first ctrl-c", "second ctrl-c"])
def test_what_there_is_is_written_when_it_is_interrupted(system, tmp_path, monkeypatch, kind):
    real = pipeline.run

    def run(plan, *others):
        if len(system.plans) == 2:
            if kind == "second ctrl-c":
                raise LeftError("interrupted; nothing is left running")
            return pipeline.Done(130, shop.verdict(), RunDir(tmp_path / "run"))
        return real(plan, *others)

    monkeypatch.setattr(pipeline, "run", run)
    if kind == "second ctrl-c":
        with pytest.raises(LeftError):
            call("sidecar_kill", "--out", tmp_path)
    else:
        assert call("sidecar_kill", "--out", tmp_path) == 130

    told, folder = saved(tmp_path)
    assert told["interrupted"]
    assert [len(curve["steps"]) for curve in told["curves"]] == [2, 0]
    assert "The user interrupted it" in (folder / drawing.PAGE).read_text()


def test_a_run_that_fails_ends_the_series_and_what_there_is_stays(system, tmp_path, monkeypatch):
    real = pipeline.run

    def run(plan, *others):
        if len(system.plans) == 2:
            raise NodeError("app-0 was not ready")
        return real(plan, *others)

    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(NodeError):
        call("baseline", "--out", tmp_path)
    assert len(saved(tmp_path)[0]["curves"][0]["steps"]) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["baseline", "--with-faults"], "makes no faults"),
        (["baseline", "--from", "0"], "above 0"),
        (["baseline", "--from", "20", "--to", "10"], "--from not above --to"),
        (["baseline", "--step", "1"], "factor of at least"),
        (["baseline", "--to", "5000"], "up to 2000"),
        (["basline"], "baseline"),
        (["sidecar_kill", "--duration", "3s"], "load.duration"),
        (["baseline", "--set", "load.rate=many"], "load.rate"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(system, tmp_path, arguments, told):
    with pytest.raises(UsageError, match=re.escape(told)):
        call(*arguments, "--out", tmp_path)
    assert system.plans == []


@pytest.fixture(name="hostile")
def _hostile():
    """A curve of each kind; what came from outside is hostile."""
    curve = Curve(faults=False)
    for rate in (5, 10, 20, 40, 80):
        changes = {"violated": (shop.EVIL,), "reasons": (shop.EVIL,)} if rate == 20 else {}
        curve = series.with_step(curve, builder.step(rate, capacity=30, code=int(rate == 20), **changes))
    return builder.capacity(curve, Curve(faults=True), target=shop.EVIL)


def test_the_page_has_every_run_and_loads_and_runs_nothing(hostile, tmp_path):
    html = drawing.write(hostile, tmp_path).read_text()
    assert "<script" not in html
    assert "script-src &#39;none&#39;" in html
    assert not re.search(r"""(?:src|href)=["']https?:""", html)
    assert html.count("/report.html") == 5
    assert html.count('<circle class="dot') == 5 * 2 + 5


def test_the_terminal_shows_each_run_the_knee_and_no_control_character(hostile, tmp_path):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(drawing.terminal(hostile, tmp_path))
    printed = console.export_text()
    assert re.search(r"40 <- knee +30.0", printed)
    assert re.search(r"^ +80 +30.0 ", printed, re.MULTILINE)
    assert "\x1b" not in printed


@pytest.mark.parametrize(("others", "told"), [(24.9, False), (126.0, True)])
def test_it_says_if_others_used_the_machine(others, told):
    machine = Machine(cores=2, cpu_percent=200, iowait_percent=0, others_percent=others)
    step = builder.step(5)
    busy = builder.step(10, measured=step.measured.model_copy(update={"machine": machine}))
    curve = series.with_step(series.with_step(Curve(faults=False), step), busy)
    assert ("capacity of what was left over" in " ".join(drawing.sentences(curve))) is told


def test_a_page_without_any_run_says_so(tmp_path):
    assert "No run has come to an end" in drawing.write(builder.capacity(Curve(faults=False)), tmp_path).read_text()
