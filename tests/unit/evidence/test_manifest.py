"""What a run left is told from what was made of it later."""

import shutil
import subprocess

import pytest

from harness.checkers.judge import judge
from harness.evidence import manifest
from harness.rundir import RunDir
from tests.builders import shop

OWN = """\
-- claim: Nothing is wrong.
-- layer: app
-- examined: SELECT 2 + 2
-- witness: {instance_id}
SELECT instance_id FROM instances WHERE FALSE ORDER BY instance_id
"""


@pytest.fixture(name="run")
def _run(tmp_path):
    run = RunDir(tmp_path / "run")
    shop.evidence(20).write(run.evidence)
    run.save_plan(shop.plan())
    manifest.write(run)
    return run


def test_what_a_run_left_is_as_it_left_it_and_coreutils_agree(run):
    assert manifest.modified(run) == ()
    subprocess.run(["sha256sum", "--check", "--strict", run.sums.name], cwd=run.path, check=True, capture_output=True)


def test_one_byte_is_enough(run):
    with (run.evidence / "effects.parquet").open("r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))

    assert manifest.modified(run) == ("evidence/effects.parquet",)


def test_evidence_of_another_run_is_told(run, tmp_path):
    other = RunDir(tmp_path / "other")
    shop.evidence(21).write(other.evidence)
    shutil.copy(other.evidence / "operations.parquet", run.evidence)
    run.save_plan(shop.plan(seed=9))

    assert manifest.modified(run) == ("evidence/operations.parquet", "plan.json")


def test_a_table_that_the_run_did_not_leave_is_told(run):
    shutil.copy(run.evidence / "effects.parquet", run.evidence / "more.parquet")

    assert manifest.modified(run) == ("evidence/more.parquet",)


def test_a_missing_table_is_for_the_verdict_to_say(run):
    (run.evidence / "effects.parquet").unlink()

    assert manifest.modified(run) == ()
    assert "evidence/effects.parquet is missing" in judge("run", run.load_plan(), run.evidence).reasons


def test_the_invariants_that_a_target_had_are_kept_and_judged_by(run):
    run.keep_invariants({"own": OWN})
    manifest.write(run)

    findings = judge("run", run.load_plan(), run.evidence, of_target=run.invariants).findings
    (run.invariants / "own.sql").write_text(OWN.replace("2 + 2", "0"))

    assert {f.name: f.examined for f in findings if f.origin == "target"} == {"own": 4}
    assert manifest.modified(run) == ("invariants/own.sql",)
    (run.invariants / "own.sql").unlink()
    assert manifest.modified(run) == ("invariants/own.sql",), "what is not asked any more is not seen to be missing"


def test_without_a_manifest_nothing_can_be_told(run):
    run.sums.unlink()

    assert manifest.modified(run) == ("SHA256SUMS",)


def test_a_verdict_on_modified_evidence_says_so_and_never_holds(run):
    verdict = judge("run", run.load_plan(), run.evidence, ["evidence/effects.parquet"])

    assert "evidence/effects.parquet is not as the run left it" in verdict.reasons
    assert verdict.result != "HOLDS"


def test_a_manifest_that_is_no_text_vouches_for_nothing(run):
    run.sums.write_bytes(b"\xff")

    assert manifest.modified(run) == (run.sums.name,)
