"""Run directories: what is told of those that are there."""

import json

import pytest

from harness import rundir
from harness.errors import EvidenceError, UsageError
from tests.builders import shop


def test_who_asks_for_a_run_that_is_not_there_is_told_the_names_of_the_newest(tmp_path):
    for name in ("20260101T000000Z-a-1", "20260102T000000Z-a-1", "20260103T000000Z-b-1", "20260104T000000Z-b-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").touch()
    (tmp_path / rundir.LATEST).symlink_to("20260104T000000Z-b-2")

    with pytest.raises(UsageError) as told:
        rundir.find(tmp_path, "mine")
    assert str(told.value) == (
        'there is no run "mine"; the newest are: 20260102T000000Z-a-1, 20260103T000000Z-b-1, 20260104T000000Z-b-2'
    )


@pytest.mark.parametrize("version", [None, 2])
def test_a_verdict_of_another_version_is_told_and_how_to_judge_again(tmp_path, version):
    run = rundir.create(tmp_path, "demo", 7)
    run.save_verdict(shop.verdict())
    document = json.loads(run.verdict.read_text())
    del document["version"]
    run.verdict.write_text(json.dumps(document if version is None else {**document, "version": version}))

    with pytest.raises(EvidenceError, match=r"was not written by this version of the harness; run `harness check"):
        run.load_verdict()
