"""`harness replay-code`: what it prints, and its exit code."""

import json
from pathlib import Path

import pytest

from harness import cli, rundir
from harness.errors import EvidenceError, Exit, UsageError
from harness.evidence import manifest, tables
from harness.evidence.schema import HISTORY, INSTANCES
from tests.builders import travel
from tests.builders.tutorial import plan

CODE = Path(travel.__file__).read_text()
TARGET = """
name: travel
app_id: travel
app: {command: [python, app.py], health: workers}
workflows:
  trip:
    start: {dapr: dapr}
    code: MODULE:trip
    body: {to: Rome}
    kinds: {trip: {ends: [completed]}}
"""


@pytest.fixture(name="replayed")
def _replayed(tmp_path, capsys, request):
    """`replayed(code, *options)`: what the command prints of a run with one history, and its exit code."""
    run = rundir.create(tmp_path / "runs", "trips", 1)
    run.save_plan(plan())
    rows = travel.trip_rows()
    tables.write(run.evidence, HISTORY, rows)
    tables.write(run.evidence, INSTANCES, [{"instance_id": "trip-1", "workflow": "trip", "history_length": len(rows)}])
    manifest.write(run)
    module = f"travel_{abs(hash(request.node.name))}"  # Python imports a module once

    def replay(code, *options, target=TARGET):
        (tmp_path / f"{module}.py").write_text(code)
        file = tmp_path / "target.yaml"
        file.write_text(target.replace("MODULE", module))
        code = cli.app(["replay-code", str(run.path), "--target", str(file), *options], standalone_mode=False)
        return capsys.readouterr().out, code

    replay.run = run
    return replay


def test_the_code_that_ran_is_the_same(replayed):
    assert replayed(CODE) == ("1 of 1 histories were replayed; the code orders something else in 0\n", Exit.HOLDS)


def test_a_difference_is_told_with_both_sides(replayed):
    told, code = replayed(CODE.replace('"book"', '"hold"'))
    assert code == Exit.VIOLATED
    assert told.splitlines() == [
        "1 of 1 histories were replayed; the code orders something else in 1",
        "",
        "trip, turn 0: the history has task 1 book; the code orders task 1 hold",
        "  1: trip-1",
        '  history   task 1 book: {"to": "Rome"}',
        '  code      task 1 hold: {"to": "Rome"}',
    ]


def test_each_history_is_a_line_of_json(replayed):
    told, code = replayed(CODE, "--json")
    assert code == Exit.HOLDS
    assert json.loads(told) == {
        "instance_id": "trip-1",
        "workflow": "trip",
        "answer": "same",
        "what": None,
        "turn": None,
        "saved": None,
        "ordered": None,
    }


def test_a_run_of_another_workflow_is_unknown_and_says_why(replayed):
    target = TARGET.replace("  trip:\n", "  tour:\n")
    told, code = replayed(CODE, target=target)
    assert code == Exit.UNKNOWN
    assert "0 of 1 histories were replayed\n" in told
    assert "not replayed: trip: target.yaml names no `code` of it\n  1: trip-1\n" in told


def test_a_target_without_code_says_how_to_name_it(replayed):
    with pytest.raises(UsageError, match=r"give each workflow in target\.yaml `code: module:function`"):
        replayed(CODE, target=TARGET.replace("    code: MODULE:trip\n", ""))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = (", "SyntaxError"),
        ("raise OSError('no database')", "OSError: no database"),
        ("", "has no attribute 'trip'"),
        ("trip = 3", "is no function"),
    ],
)
def test_code_that_cannot_be_imported_is_a_usage_error(replayed, code, said):
    with pytest.raises(UsageError, match=said):
        replayed(code)


def test_a_name_that_is_no_code_is_refused_with_its_line(replayed):
    with pytest.raises(UsageError, match=r"target\.yaml:8: workflows\.trip\.code"):
        replayed(CODE, target=TARGET.replace("MODULE:trip", "no code"))


def test_evidence_that_was_changed_is_not_replayed(replayed):
    (replayed.run.evidence / "history.parquet").write_bytes(b"")
    with pytest.raises(EvidenceError, match=r"not as the run left it: evidence/history\.parquet"):
        replayed(CODE)
