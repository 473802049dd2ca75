"""The reference target on real Dapr: it holds, and each planted defect is found by the invariant that names it."""

import shutil

import duckdb
import pytest

from harness.checkers.judge import judge
from harness.model import Plan, Result

pytestmark = pytest.mark.e2e

SHORT = "tests/e2e/short_kill.yaml"


def test_it_holds_and_exercises_every_branch(harness):
    finished = harness.run(SHORT, "--set", "checks.determinism=1.0")

    assert finished.holds(), finished.out
    assert {"completed", "compensated", "rejected"} <= finished.verdict["classes"].keys()
    assert finished.verdict["operations"]["ok"] > finished.verdict["operations"]["unknown"], "answers are understood"
    assert finished.finding("nondeterministic")["examined"] > 500
    assert finished.finding("record_attempts")["examined"] >= 2 * finished.verdict["attempts"] > 0
    assert all(fault["felt_after"] is not None for fault in finished.verdict["faults"])

    # A start that got no answer, made one that was accepted: the client's own record does not bear that out.
    plan = Plan.model_validate_json((finished.run / "plan.json").read_bytes())
    changed(finished.run / "evidence", "operations", "outcome = 'unknown'", replaced("outcome", "'ok'"))
    verdict = judge("a run", plan, finished.run / "evidence")
    assert verdict.result is not Result.HOLDS
    assert any("record_client" in reason for reason in verdict.reasons), verdict.reasons


DELETED = "SELECT * FROM numbered WHERE file_row_number <> {chosen}"
DUPLICATED = "SELECT * FROM numbered UNION ALL SELECT * FROM numbered WHERE file_row_number = {chosen}"
EFFECTS = ("reserve", "release", "ship", "cancel")


def replaced(column, value):
    return f"SELECT * REPLACE (if(file_row_number = {{chosen}}, {value}, {column}) AS {column}) FROM numbered"


ELSEWHERE = replaced("instance_id", "(SELECT max(instance_id) FROM numbered)")
EARLIER = replaced("at_ns", "at_ns - 30000000000")
CHANGES = [
    *(("effects", f"effect = '{effect}'", DELETED, None) for effect in EFFECTS),
    *(("effects", f"effect = '{effect}'", DUPLICATED, "duplicated") for effect in EFFECTS),
    ("effects", "effect = 'ship'", EARLIER, "effect_in_body"),
    ("effects", "effect = 'ship'", ELSEWHERE, "contradiction"),
    ("history", "position = 3", DELETED, "history_whole"),
    ("history", "position = 3", DUPLICATED, "history_whole"),
    ("history", "event = 'taskCompleted'", EARLIER, "history_clock"),
    ("history", "position = 3", ELSEWHERE, "history_whole"),
]


def changed(evidence, table, about, change):
    """Write the table of a folder of evidence anew, with the first row that `about` is true of changed."""
    file = evidence / f"{table}.parquet"
    with duckdb.connect() as db:
        db.read_parquet(str(file), file_row_number=True).create_view("numbered")
        query = change.format(chosen=f"(SELECT min(file_row_number) FROM numbered WHERE {about})")
        db.sql(f"CREATE TABLE anew AS SELECT * EXCLUDE (file_row_number) FROM ({query})")
        db.table("anew").write_parquet(str(file))


def test_evidence_that_is_changed_by_hand_is_never_judged_to_hold(harness):
    finished = harness.run("baseline", "--duration", "8s", "--set", "checks.minimum={instances: 50}", check=0)
    plan = Plan.model_validate_json((finished.run / "plan.json").read_bytes())
    replayed = harness("replay-code", finished.run, check=0)  # while its evidence is as the run left it
    assert "histories were replayed; the code orders something else in 0\n" in replayed.out
    copy = finished.runs / "copy"
    shutil.copytree(finished.run, copy)
    for table, about, change, name in CHANGES:
        changed(copy / "evidence", table, about, change)
        verdict = judge("a run", plan, copy / "evidence")
        violated = {finding.name for finding in verdict.findings if finding.result is Result.VIOLATED}
        assert verdict.result is Result.VIOLATED, (about, change)
        assert name is None or name in violated, (about, change, violated)
        shutil.copy(finished.run / f"evidence/{table}.parquet", copy / "evidence")
    changed(copy / "evidence", "effects", "effect = 'ship'", DELETED)
    assert "evidence/effects.parquet" in harness("check", copy, check=70).out
    harness("check", copy, "--modified", check=1)
    for table in (finished.run / "evidence").glob("*.parquet"):
        if table.stem not in ("balances", "moves"):  # of this target they have no rows, and are asked for nothing
            hidden = table.rename(finished.runs / table.name)
            assert judge("a run", plan, table.parent).result is Result.UNKNOWN, table.stem
            hidden.rename(table)
    (finished.run / "evidence/effects.parquet").unlink()
    harness("check", finished.run, check=2)


@pytest.mark.parametrize(
    ("defect", "invariant", "duration"),
    [  # double_ship is in test_capacity.py
        ("skip_release", "half_compensated", "10s"),
        ("early_ack", "lost", "10s"),
        ("lost_update", "contradiction", "18s"),  # two orders must meet
    ],
)
def test_a_planted_defect_is_found(harness, defect, invariant, duration):
    settings = ("--duration", duration, "--set", "checks.settle=15s", "--set", "checks.minimum={instances: 40}")
    finished = harness.run(SHORT, "--defect", defect, *settings, check=1)

    assert finished.names_what_violates(invariant)


def test_no_load_is_unknown(harness):
    finished = harness.run("baseline", "--rate", "0", "--duration", "2s", check=2)

    assert finished.verdict["result"] == "UNKNOWN"
    assert finished.verdict["reasons"]
