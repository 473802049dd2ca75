"""Whatever is in a run directory: judging it ends with an answer or with a clear error, never with a traceback."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import pipeline
from harness.checkers import judge
from harness.errors import HarnessError
from harness.evidence import schema, tables
from harness.model import Result
from harness.rundir import RunDir
from tests.builders import literal
from tests.builders.record_lies import fault

EXAMPLES = int(os.environ.get("FUZZ", "12"))
"""How many broken runs are tried. In CI there is time for a few."""

HOSTILE = ["", "[/x]", "\x1b[2J", "é" * 300, "[" * 5_000, '{"a": "\\ud800"}', "'; DROP TABLE x", "~1", "NaN", "\x00"]
NUMBERS = [None, 0, -1, 2**31 - 1, -(2**31)]


@pytest.fixture(name="sound", scope="module")
def _sound(tmp_path_factory):
    """A run with a fault and a sample, so that every table has rows."""
    run = RunDir(tmp_path_factory.mktemp("sound") / "run")
    run.path.mkdir()
    run.save_plan(literal.planned())
    rows = literal.sound()
    fault(rows)
    rows["samples"].append({"at_ns": literal.T0, "node": "app-0", "metric": "cpu_percent", "value": 1.0})
    rows["jobs"].append(literal.job("a"))
    for table in schema.TABLES:
        tables.write(run.evidence, table, rows[table.name])
    return run


def broken(run, folder, table, column, value):
    """A copy of the run in which a column of a table has this value everywhere."""
    copy = RunDir(Path(shutil.copytree(run.path, folder / "run")))
    file = str(tables.path(copy.evidence, table))
    with duckdb.connect() as connection:
        rows = connection.read_parquet(file)
        new = duckdb.ConstantExpression(value).cast(table.types[column]).alias(column)
        rows.select(*(new if name == column else duckdb.ColumnExpression(name) for name in rows.columns)).create("made")
        connection.table("made").write_parquet(file)
    return copy


def judged(run):
    return pipeline.judge_again(run, run.load_plan(), ()).result


CASES = [
    ("faults", "node", ""),
    ("faults", "node", "n" * 200),
    ("faults", "fault", None),
    ("faults", "step", None),
    ("faults", "proof", "[" * 100_000 + "]" * 100_000),
    ("faults", "proof", '{"a": "\\ud800"}'),
    ("operations", "intended_ns", None),
    ("operations", "intended_ns", 2**62),
    ("history", "position", None),
    ("effects", "attributes", "{"),
]


@pytest.mark.parametrize(("name", "column", "value"), CASES)
def test_a_run_with_broken_rows_is_judged_and_never_holds(sound, tmp_path, name, column, value):
    table = next(table for table in schema.TABLES if table.name == name)

    assert judged(broken(sound, tmp_path, table, column, value)) is not Result.HOLDS


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan["steps"].append(STEP | {"at": 1e300}),
        lambda plan: plan["steps"].append(STEP | {"hold": 1e300}),
        lambda plan: plan["target"]["workflows"]["order_v1"]["start"].update(accepted=[2**40]),
        lambda plan: plan["target"]["retries"]["quote_v1"].update(attempts=2**60),
    ],
)
def test_a_plan_beyond_all_bounds_is_refused(sound, tmp_path, change):
    copy = RunDir(Path(shutil.copytree(sound.path, tmp_path / "run")))
    plan = json.loads(copy.plan.read_text())
    change(plan)
    copy.plan.write_text(json.dumps(plan))

    with pytest.raises(HarnessError, match=r"plan\.json"):
        judged(copy)


STEP = {"step": 0, "fault": "kill", "nodes": ["sidecar-0"], "at": 1.0, "hold": 1.0, "settings": {}, "aim": None}


def test_a_file_of_sql_that_is_no_text_is_no_invariant(sound, tmp_path):
    copy = RunDir(Path(shutil.copytree(sound.path, tmp_path / "run")))
    copy.invariants.mkdir(exist_ok=True)
    (copy.invariants / "latin.sql").write_bytes(b"-- claim: \xe9\n")

    assert judged(copy) is not Result.HOLDS


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_value_in_any_column_gives_a_verdict(sound, data):
    table = data.draw(st.sampled_from(schema.TABLES))
    column = data.draw(st.sampled_from(table.columns))
    values = HOSTILE if column.type == "VARCHAR" else NUMBERS if column.type != "BOOLEAN" else [None, True, False]
    value = data.draw(st.sampled_from([None, *values]))

    with tempfile.TemporaryDirectory() as folder:
        copy = broken(sound, Path(folder), table, column.name, value)
        verdict = judge.judge("run", copy.load_plan(), copy.evidence)

    assert verdict.model_dump_json()
