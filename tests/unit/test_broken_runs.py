"""Whatever is in a run directory: judging it ends with an answer or with a clear error, never with a traceback."""

import json
import os
import shutil
from pathlib import Path

import duckdb
import pytest
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness import pipeline
from harness.errors import HarnessError
from harness.evidence import schema, tables
from harness.model import Result
from harness.rundir import RunDir
from tests.builders import fuzz

EXAMPLES = int(os.environ.get("FUZZ", "40"))
"""How many broken inputs are tried. In CI there is time for a few."""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """What a command sets for its whole process is not set for the tests after this one."""
    monkeypatch.setattr(structlog, "configure", lambda **_: None)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")


@pytest.fixture(name="sound", scope="module")
def _sound(tmp_path_factory):
    return fuzz.make_run(tmp_path_factory.mktemp("sound") / "run")


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


SETTINGS = [
    "load.rate=[",
    "load.rate=" + "[" * 5_000 + "]" * 5_000,
    "load.rate=" + '{"a":' * 5_000 + "1" + "}" * 5_000,
    "a." * 5_000 + "a=1",
    "faults." + "9" * 5_000 + ".at=1s",
    "load.rate=" + "9" * 5_000,
    "load.rate=1e999",
    "load.rate=&a [*a, *a]",
    "load.rate=&a {<<: *a}",
    "claim=!!bool x",
    "claim=!!float ''",
    "claim=!!python/object/apply:os.system [ls]",
    "claim=\ud800",
    "claim=\x1b[2J",
    "[/x]=1",
]


@pytest.mark.parametrize(
    "setting", SETTINGS, ids=[setting[:20].encode("unicode_escape").decode() for setting in SETTINGS]
)
def test_a_setting_that_cannot_be_is_wrong_usage(setting):
    found = fuzz.ended(["plan", "sidecar_kill", "--set", setting])

    assert (found.code, "Traceback" in found.printed) == (64, False)


@pytest.mark.parametrize("command", ["check", "gate", "report", "selftest", "pack", "compare", "plan", "suite"])
@pytest.mark.parametrize("name", ["*", "[a]", "[/x]", "x" * 300, "\ud800"])
def test_a_name_is_a_name_and_no_pattern_or_markup(tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()

    found = fuzz.ended([command, name, *([name] if command == "compare" else [])])

    assert (found.code, "Traceback" in found.printed) == (64, False)


@pytest.fixture(name="base", scope="module")
def _base(tmp_path_factory):
    return fuzz.make_base(tmp_path_factory.mktemp("base"))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(number=st.integers(0, 2**32))
@example(number=468)  # a job without a time
@example(number=284221)  # endpoints.json that is nested too deep
def test_any_broken_input_ends_as_documented(base, number):
    """10,000 of them: `python -m tests.builders.fuzz 10000`."""
    found = fuzz.tried(base, number)

    assert found.code in fuzz.DOCUMENTED
    assert "a defect of the harness" not in found.printed
