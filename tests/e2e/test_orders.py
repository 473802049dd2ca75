"""The reference target on real Dapr: it holds, and each planted defect is found by the invariant that names it."""

import shutil

import duckdb
import pytest

from harness.checkers.judge import judge
from harness.model import Plan, Result

pytestmark = pytest.mark.e2e

SHORT = "tests/e2e/short_kill.yaml"


def test_it_holds_and_exercises_every_branch(harness):
    finished = harness.run(SHORT)

    assert finished.holds(), finished.out
    assert {"completed", "compensated", "rejected"} <= finished.verdict["classes"].keys()
    assert all(fault["felt_after"] is not None for fault in finished.verdict["faults"])


CHANGES = {
    "deleted": "SELECT * FROM numbered WHERE file_row_number <> {chosen}",
    "duplicated": "SELECT * FROM numbered UNION ALL SELECT * FROM numbered WHERE file_row_number = {chosen}",
}


def test_evidence_that_is_changed_by_hand_is_never_judged_to_hold(harness):
    finished = harness.run("baseline", "--duration", "12s", "--set", "checks.minimum={instances: 50}", check=0)
    original = finished.run / "evidence/effects.parquet"
    plan = Plan.model_validate_json((finished.run / "plan.json").read_bytes())
    for name, change in CHANGES.items():
        copy = finished.runs / name
        shutil.copytree(finished.run, copy)
        for effect in ("reserve", "release", "ship", "cancel"):
            chosen = f"(SELECT min(file_row_number) FROM numbered WHERE effect = '{effect}')"
            with duckdb.connect() as db:
                db.read_parquet(str(original), file_row_number=True).create_view("numbered")
                changed = db.sql(f"SELECT * EXCLUDE (file_row_number) FROM ({change.format(chosen=chosen)})")
                changed.write_parquet(str(copy / "evidence/effects.parquet"))
            assert judge("a run", plan, copy / "evidence").result is Result.VIOLATED, f"{effect} {name}"
        assert "evidence/effects.parquet" in harness("check", copy, check=70).out
        harness("check", copy, "--modified", check=1)
    for table in (finished.run / "evidence").glob("*.parquet"):
        if table.stem != "samples":  # readings for the charts: nothing is judged by them
            hidden = table.rename(finished.runs / table.name)
            assert judge("a run", plan, table.parent).result is Result.UNKNOWN, table.stem
            hidden.rename(table)
    original.unlink()
    harness("check", finished.run, check=2)


@pytest.mark.parametrize(
    ("defect", "invariant"),
    [
        ("double_ship", "duplicated"),
        ("skip_release", "half_compensated"),
        ("early_ack", "lost"),
        ("lost_update", "contradiction"),
    ],
)
def test_a_planted_defect_is_found(harness, defect, invariant):
    finished = harness.run(SHORT, "--defect", defect, "--set", "checks.settle=25s", check=1)

    found = finished.finding(invariant)
    assert found["result"] == "VIOLATED"
    witness = found["witnesses"][0]
    assert witness["instance_id"] in witness["sentence"]
    assert witness["row"]


def test_no_load_is_unknown(harness):
    finished = harness.run("baseline", "--rate", "0", "--duration", "2s", check=2)

    assert finished.verdict["result"] == "UNKNOWN"
    assert finished.verdict["reasons"]
