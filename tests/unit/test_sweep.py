"""The sweep: every crash point a cell, resumable, and honest about what was not exercised."""

import io
import re

import pytest
from harness_reports import sweep as drawing
from rich.console import Console

from harness import cli, names, pipeline, sweep
from harness.errors import LeftError, NodeError, UsageError
from harness.model import FaultFinding, ObservedLedger, Result
from harness.planning import plan, target
from harness.rundir import RunDir
from harness.runtime import shipped
from harness.sweep import Cell, Outcome, Ran
from tests.builders import shop


@pytest.fixture(name="described", scope="module")
def _described():
    return target.load(shipped.TARGET)


@pytest.fixture(name="made")
def _made(described):
    return sweep.matrix(described, "order_v1", seed=1, dapr_version="1.18.2")


def verdict(result, *, landed=True):
    fault = FaultFinding(
        step=0,
        fault="kill",
        node="app-0",
        at=4.0,
        felt_after=0.1,
        healed_at=6.0,
        in_flight=3,
        recovery=None,
        proof={"point": "after_effect"},
    )
    reasons = () if result is Result.HOLDS else ("something is wrong",)
    return shop.verdict().model_copy(
        update={"result": result, "reasons": reasons, "faults": (fault,) if landed else (), "findings": ()}
    )


def ran(result=Result.HOLDS, *, landed=True, interrupted=False):
    return Ran(verdict(result, landed=landed), "20260101T000000Z-cell-1", interrupted)


def test_every_activity_has_a_cell_for_each_point_and_fault(made):
    assert len(made.cells) == 5 * 4 * 4
    assert made.cells[0] == Cell(activity="reserve_stock_v1", point="before_body", fault="kill app")


def test_the_points_are_those_that_a_tap_sees_or_the_target_announces(described):
    alone = described.model_copy(update={"points": False})

    def points(target):
        cells = sweep.matrix(target, "order_v1", seed=1, dapr_version="1.18.2").cells
        return list(dict.fromkeys(cell.point for cell in cells))

    assert points(alone) == ["before_body", "after_return"]
    assert points(described) == ["before_body", "before_effect", "after_effect", "after_return"]


def after_effects(target):
    """A target that announces nothing, and one of whose two effects is a call."""
    row = {"instance_id": "value.id", "effect": "'ship'", "key": None}
    calls = ObservedLedger.model_validate({"observed": "publish", "matching": "*", "row": row})
    return target.model_copy(update={"points": False, "ledgers": (calls,)})


def test_after_an_effect_that_is_a_call_there_are_cells_and_elsewhere_it_is_said_what_is_missing(described, tmp_path):
    made = sweep.matrix(after_effects(described), "order_v1", seed=1, dapr_version="1.18.2")

    assert {cell.activity for cell in made.cells if cell.point == "after_effect"} == {"register_shipment_v1"}
    assert len(made.cells) == (5 * 2 + 1) * 4
    assert [each.activity for each in made.unseen] == ["reserve_stock_v1", "cancel_shipment_v1", "release_stock_v1"]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(drawing.terminal(made, tmp_path))
    printed = console.export_text()
    assert re.search(r"reserve_stock_v1\s+before_body( +\S+){4} *\n +after_effect +not seen +not seen", printed)
    told = "not seen: after_effect of reserve_stock_v1: target orders announces no points"
    assert told in " ".join(printed.split())
    drawing.write(made, tmp_path)
    assert (tmp_path / "sweep.html").read_text().count('colspan="4" class="faint">not seen<') == 3


def test_every_cell_has_a_plan_that_aims_at_the_step_s_own_replica(made, described):
    for cell in made.cells:
        read = sweep.scenario(made, described, shipped.TARGET, cell)
        planned = plan.make(read, described, seed=1, dapr_version="1.18.2")
        again = plan.make(
            sweep.scenario(made, described, shipped.TARGET, cell), described, seed=1, dapr_version="1.18.2"
        )

        (step,) = planned.steps
        assert planned == again
        assert (step.aim.activity, step.aim.point, step.aim.own) == (cell.activity, cell.point, True)
        assert {names.replica(node) for node in step.nodes} == {"app-0", "app-1"}


@pytest.mark.parametrize(
    ("result", "landed", "outcome"),
    [
        (Result.HOLDS, True, Outcome.HOLDS),
        (Result.VIOLATED, True, Outcome.VIOLATED),
        (Result.VIOLATED, False, Outcome.VIOLATED),
        (Result.UNKNOWN, True, Outcome.UNKNOWN),
        (Result.UNKNOWN, False, Outcome.NOT_EXERCISED),
    ],
)
def test_a_cell_whose_fault_never_landed_is_not_exercised(made, result, landed, outcome):
    assert sweep.judged(made.cells[0], ran(result, landed=landed), 1.0).outcome is outcome


def test_what_came_to_no_verdict_is_run_again(made):
    for cell, outcome in zip(made.cells, Outcome, strict=False):
        made = made.with_(sweep.Judged(cell=cell, outcome=outcome, took=1))

    again = sweep.todo(made, None)

    assert made.cells[0] not in again
    assert made.cells[1] not in again
    assert {*made.cells[2:4]} <= {*again}
    assert {cell.activity for cell in sweep.todo(made, "quote_v1")} == {"quote_v1"}


def test_a_matrix_is_gone_on_with_and_only_with_the_same(made, tmp_path):
    file = tmp_path / drawing.DATA
    assert sweep.resumed(made, file) == made
    known = made.with_(sweep.Judged(cell=made.cells[0], outcome=Outcome.HOLDS, took=1))
    drawing.write(known, tmp_path)

    assert sweep.resumed(made, file) == known
    with pytest.raises(UsageError, match="of another release of Dapr"):
        sweep.resumed(made.model_copy(update={"dapr_version": "1.17.0"}), file)


def test_a_run_that_fails_is_unknown_and_the_sweep_goes_on(made):
    def run(cell):
        if cell == made.cells[0]:
            raise NodeError("app-0 was not ready")
        return ran()

    *_, (end, _) = sweep.go(made, made.cells[:2], run)

    assert [one.outcome for one in end.judged] == [Outcome.UNKNOWN, Outcome.HOLDS]
    assert end.judged[0].reasons == ("the run failed: app-0 was not ready",)


def test_a_cell_that_was_cut_short_is_not_judged(made):
    steps = sweep.go(made, made.cells[:2], lambda cell: ran(interrupted=cell == made.cells[1]))

    end, _ = next(steps)
    with pytest.raises(LeftError):
        next(steps)
    assert len(end.judged) == 1


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([Outcome.HOLDS] * 80, 0),
        ([Outcome.HOLDS] * 79, 2),
        ([Outcome.NOT_EXERCISED] + [Outcome.HOLDS] * 79, 2),
        ([Outcome.UNKNOWN, Outcome.VIOLATED], 1),
    ],
)
def test_the_exit_code_is_the_worst_of_the_cells(made, outcomes, code):
    for cell, outcome in zip(made.cells, outcomes, strict=False):
        made = made.with_(sweep.Judged(cell=cell, outcome=outcome, took=1))

    assert sweep.exit_code(made, None) == code


def test_a_workflow_or_an_activity_that_is_not_there_is_told(made, described):
    with pytest.raises(UsageError, match='no workflow "order_v2"; did you mean "order_v1"'):
        sweep.matrix(described, "order_v2", seed=1, dapr_version="1.18.2")
    with pytest.raises(UsageError, match='did you mean "quote_v1"'):
        sweep.todo(made, "quote")


@pytest.fixture(name="mixed")
def _mixed(made):
    """One cell of each outcome, the others not run; what came from outside is hostile."""
    for cell, outcome in zip(made.cells, Outcome, strict=False):
        told = sweep.Judged(
            cell=cell,
            outcome=outcome,
            reasons=(shop.EVIL,),
            violated=("stuck",) if outcome is Outcome.VIOLATED else (),
            run="20260101T000000Z-cell-1",
            took=41.5,
            node="app-0",
            proof={"instance_id": shop.EVIL},
        )
        made = made.with_(told)
    return made


def test_the_page_shows_every_cell_and_loads_and_runs_nothing(mixed, tmp_path):
    drawing.write(mixed, tmp_path)
    html = (tmp_path / "sweep.html").read_text()

    assert "<script" not in html
    assert "script-src &#39;none&#39;" in html
    assert not re.search(r"""(?:src|href)=["']https?:""", html)
    assert html.count("not run</span>") == 76
    assert 'class="mark not-exercised"' in html
    assert 'href="20260101T000000Z-cell-1/report.html"' in html


def test_the_terminal_shows_the_matrix_and_what_does_not_hold(mixed, tmp_path):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(drawing.terminal(mixed, tmp_path))
    printed = console.export_text()

    assert re.search(r"reserve_stock_v1\s+before_body +✓ HOLDS +✗ VIOLATED +\? UNKNOWN +○ NOT EXERCISED", printed)
    assert printed.index("✗ VIOLATED  kill sidecar") < printed.index("? UNKNOWN  pause sidecar")
    assert "HOLDS 1, VIOLATED 1, UNKNOWN 1, NOT EXERCISED 1, not run 76" in printed
    assert "\x1b[31m" not in printed


def test_the_command_runs_each_cell_once_and_goes_on_where_it_was_left(monkeypatch, capsys, tmp_path):
    ran_plans = []

    def one(made, runs, place, console):
        ran_plans.append(made)
        result = Result.UNKNOWN if len(ran_plans) == 2 else Result.HOLDS
        return pipeline.Done(0, verdict(result), RunDir(runs / made.scenario.name))

    monkeypatch.setattr(pipeline, "run", one)

    def call():
        arguments = ["sweep", "order_v1", "--activity", "quote_v1", "--out", str(tmp_path)]
        code = cli.app(arguments, standalone_mode=False)
        return code, capsys.readouterr().out

    code, printed = call()
    assert (code, len(ran_plans)) == (2, 16)
    assert "HOLDS 15, UNKNOWN 1, not run 64" in printed
    code, printed = call()
    assert (code, len(ran_plans)) == (0, 17)
    assert ran_plans[16] == ran_plans[1]
    assert "1 cell to run" in printed
    assert (tmp_path / "sweep-order_v1-1" / "sweep.html").is_file()
