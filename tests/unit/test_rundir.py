"""Run directories: what is told of those that are there."""

import pytest

from harness import rundir
from harness.errors import UsageError


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
