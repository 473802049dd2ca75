"""Every column is guarded: what names a change of it, and what is free, for a reason that is written beside it."""

import pytest
from typer.testing import CliRunner

from harness import cli
from harness.checkers import columns, invariant
from harness.evidence import schema
from harness.rundir import RunDir
from tests.builders.evidence import write_evidence
from tests.builders.literal import sound


@pytest.fixture(name="run")
def _run(tmp_path, planned):
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.save_plan(planned)
    write_evidence(run.evidence, sound())
    return run


def of(run, name):
    return [each for each in columns.changes(run.evidence) if each.table is not None and each.table.name == name]


def tried(run, made):
    return list(columns.tried(run.load_plan(), run.evidence, invariant.load(invariant.GENERAL), made))


def test_every_table_and_column_is_changed_but_where_that_changes_nothing(run):
    made = list(columns.changes(run.evidence))

    with_rows = {
        table.name: {column.name for column in table.columns} for table in schema.TABLES if sound()[table.name]
    }
    assert {each.table.name for each in made if each.table} == set(with_rows)
    assert {each.column for each in made if each.table is schema.PHASES} >= with_rows["phases"] - {"detail"}
    assert [each.name for each in made if each.table is None] == ["instance gone", "instances exchanged"]


@pytest.mark.parametrize("name", ["phases", "journals", "workers", "shares"])
def test_of_a_table_nothing_is_free_without_a_reason(run, name):
    before = {file.name: file.read_bytes() for file in run.evidence.iterdir()}

    cells = tried(run, of(run, name))

    assert [cell for cell in cells if cell.named is None and cell.free is None] == []
    assert sum(cell.named is not None for cell in cells) > len(cells) / 2
    assert {file.name: file.read_bytes() for file in run.evidence.iterdir()} == before


def test_an_instance_that_is_gone_everywhere_is_named(run):
    made = [each for each in columns.changes(run.evidence) if each.table is None]

    assert {cell.change: cell.named is not None for cell in tried(run, made)} == {
        "instance gone": True,
        "instances exchanged": True,
    }


def test_what_no_invariant_names_and_no_reason_excuses_is_told(run, monkeypatch):
    made = [each for each in of(run, "phases") if each.column == "started_ns" and each.name == "more"][:1]
    monkeypatch.setattr(columns, "changes", lambda _: iter(made))
    blind = {name: text for name, text in invariant.load(invariant.GENERAL).items() if name != "record_phases"}
    monkeypatch.setattr(invariant, "load", lambda _: blind)

    done = CliRunner().invoke(cli.app, ["selftest", "--columns", str(run.path)])

    assert done.exit_code == 1, done.output
    assert "free without a reason: phases.started_ns more" in done.output
    assert "1 changes: 0 named, 0 free with a reason, 1 free without" in done.output
    assert "1 of them contradict what happened; 0.0% of these are named" in done.output


def test_the_matrix_says_what_names_each_change(run, monkeypatch):
    made = [each for each in of(run, "phases") if each.column == "phase"]
    monkeypatch.setattr(columns, "changes", lambda _: iter(made))

    done = CliRunner().invoke(cli.app, ["selftest", "--columns", str(run.path)])

    assert done.exit_code == 0, done.output
    assert f"{len(made)} changes: {len(made)} named, 0 free" in done.output
    assert "record_phases" in done.output
