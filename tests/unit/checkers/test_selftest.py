"""The self-test catches every defect with the invariants as they are, and says so when one of them is blind."""

import json
import re

import pytest
from typer.testing import CliRunner

from harness import cli
from harness.checkers import defects, invariant, selftest
from harness.errors import EvidenceError
from harness.evidence import schema, tables
from harness.rundir import RunDir
from tests.builders.evidence import write_evidence
from tests.builders.literal import planned, sound


@pytest.fixture(name="run")
def _run(tmp_path):
    """A small sound run, with a start that got no answer."""
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.save_plan(planned())
    rows = sound()
    write_evidence(run.evidence, rows)
    return run


def test_every_defect_is_planted_and_caught_no_harmless_change_is_and_the_evidence_left_alone(run):
    before = {file.name: file.read_bytes() for file in run.evidence.iterdir()}

    done = CliRunner().invoke(cli.app, ["selftest", str(run.path)])

    assert done.exit_code == 0, done.output
    applicable = {name: of for name, of in invariant.load(invariant.GENERAL).items() if name != "one_version"}
    plants = sum(len(invariant.parse(text).plants) for text in applicable.values())
    count, harmless = len(defects.DEFECTS) + plants, len(defects.HARMLESS)
    assert f"{count} of {count} planted defects" in done.output
    assert f"0 of {harmless} harmless changes" in done.output
    assert {file.name: file.read_bytes() for file in run.evidence.iterdir()} == before
    assert len(json.loads(run.selftest.read_text())["defects"]) == count + harmless


def test_every_defect_is_named_by_an_invariant():
    catches = {name: invariant.parse(text).catches for name, text in invariant.load(invariant.GENERAL).items()}

    assert all(selftest.naming(defect, catches) for defect in defects.DEFECTS)
    assert not any(selftest.naming(change, catches) for change in defects.HARMLESS)


def only(monkeypatch, *names):
    for among in ("DEFECTS", "HARMLESS"):
        every = getattr(selftest, among)
        monkeypatch.setattr(selftest, among, {name: every[name] for name in every if name in names})


def test_a_defect_that_takes_a_value_from_another_instance_is_planted_only_where_there_is_one():
    """A load of workflows without an outcome, or of which none is compensated, has none of these values."""
    victims = r"\b(compensated|rejected|completing|rejecting|forward|compensation)\b"

    for name, defect in {**defects.DEFECTS, **defects.HARMLESS}.items():
        taken = {word for value in defect.new.values() for word in re.findall(victims, value)}
        assert taken <= set(re.findall(victims, defect.about)), name


def test_what_is_changed_is_a_start_of_the_plan_and_no_canary(run, monkeypatch):
    rows = sound()["operations"]
    for row in rows:
        if row["instance_id"] == "a":
            row["client"] = "canary"
    tables.write(run.evidence, schema.OPERATIONS, rows)
    only(monkeypatch, "kind_changed", "arrival_moved", "arrival_unplanned", "operation_deleted")

    found = [one for one in selftest.tried(run.load_plan(), run.evidence) if not one.defect.startswith("planted by")]

    assert len(found) == 4
    assert all(one.planted and set(one.caught) == set(one.expected) for one in found)


def test_a_blind_invariant_is_told(run, monkeypatch):
    only(monkeypatch, "forward_duplicated", "forward_deleted")
    texts = invariant.load(invariant.GENERAL)
    header = texts["duplicated"].partition("SELECT\n")[0]
    blind = {**texts, "duplicated": header + "SELECT instance_id, effect, 2 AS times FROM effects WHERE FALSE"}
    monkeypatch.setattr(invariant, "load", lambda folder: blind)

    found = {one.defect: one for one in selftest.tried(run.load_plan(), run.evidence)}

    assert found["forward_duplicated"].caught == ("record_keys",)
    assert found["forward_deleted"].caught == found["forward_deleted"].expected


def test_a_false_alarm_is_told(run, monkeypatch):
    only(monkeypatch, "forward_deleted", "attempt_repeated")
    texts = invariant.load(invariant.GENERAL)
    strict = texts["duplicated"].partition("SELECT\n")[0] + (
        "SELECT instance_id, task_id AS effect, count(*) AS times FROM attempts GROUP BY ALL HAVING count(*) > 1"
    )
    monkeypatch.setattr(invariant, "load", lambda folder: {**texts, "duplicated": strict})

    done = CliRunner().invoke(cli.app, ["selftest", str(run.path)])

    assert done.exit_code == 1
    assert "1 of 1 harmless changes raised an alarm" in done.output
    assert "duplicated (false alarm)" in done.output


def test_what_a_run_has_no_row_for_is_not_counted(run, monkeypatch):
    only(monkeypatch, "unknown_flipped_to_ok")
    rows = [row for row in sound()["operations"] if row["outcome"] != "unknown"]
    tables.write(run.evidence, schema.OPERATIONS, rows)

    found = next(one for one in selftest.tried(run.load_plan(), run.evidence) if one.defect == "unknown_flipped_to_ok")

    assert not found.planted
    assert found.caught == ()


def test_evidence_that_lacks_a_table_is_refused(run):
    tables.path(run.evidence, schema.EFFECTS).unlink()

    with pytest.raises(EvidenceError, match=r"effects\.parquet is missing"):
        list(selftest.tried(run.load_plan(), run.evidence))
