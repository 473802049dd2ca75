"""
A suite that is killed in the middle, and gone on with, comes to the same as one that was not. Its runs are of a target
that shares nothing with the reference one, and they are judged from its target.yaml alone.
"""

import json
import shutil
import subprocess

import pytest

from harness.errors import Exit
from tests.builders import lines
from tests.builders.command import BIN, ROOT, Finished, left, until

pytestmark = pytest.mark.e2e

SUITE = f"""\
claim: A killed sidecar loses no payment, with either seed.
budget: 5m
gate: {{known: allow}}
runs:
  - {{scenario: {ROOT}/tests/targets/payments_sidecar_kill.yaml, seeds: 2}}
"""


def ran(folder):
    """What the suite in this folder has run so far."""
    return [each for file in folder.glob("*-suite-mine/suite.json") for each in json.loads(file.read_text())["ran"]]


@pytest.fixture(name="killed", scope="module")
def _killed(tmp_path_factory):
    """
    The folder of a suite that SIGKILL ended in the middle of its second run, whose fault was in force. Nothing was left
    of it after five seconds.
    """
    folder = tmp_path_factory.mktemp("suite").resolve()
    (folder / "mine.yaml").write_text(SUITE)
    with subprocess.Popen(
        [BIN / "harness", "suite", folder / "mine.yaml", "--out", folder],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            until(lambda: ran(folder), 120)
            (first,), (suite,) = ran(folder), folder.glob("*-suite-mine")

            def is_felt():
                second = (suite / "latest").resolve()
                rows = lines.read(second / "journal/faults.jsonl") if second.name != first["run"] else ()
                return any(row["event"] == "felt" for row in rows)

            until(is_felt, 60)
            assert len(left(folder)) >= 6
        finally:
            process.kill()
    until(lambda: not left(folder), 5)
    return folder


def test_a_run_of_it_holds_and_is_judged_again_to_the_same_bytes(harness, killed, tmp_path):
    (first,) = ran(killed)
    (suite,) = killed.glob("*-suite-mine")
    finished = Finished(first["code"], str(first), suite, name=first["run"], known_allowed=True)
    before = (finished.run / "verdict.json").read_bytes()

    harness("check", finished.run, check=finished.code)

    assert (finished.run / "verdict.json").read_bytes() == before
    assert finished.holds(), finished.out
    assert {"completed", "compensated"} <= finished.verdict["classes"].keys()
    assert finished.verdict["attempts"] > 0, "the target writes none itself: the tap saw them"
    assert all(fault["felt_after"] is not None for fault in finished.verdict["faults"])

    shutil.copytree(finished.run, copy := tmp_path / "copy")
    (copy / "evidence/effects.parquet").unlink()
    harness("check", copy, check=2)


def test_a_suite_that_is_killed_goes_on_where_it_was(harness, killed):
    resume = ("suite", killed / "mine.yaml", "--resume", "--out", killed)
    (before,) = ran(killed)

    done = harness(*resume)

    after = ran(killed)
    assert after[0] == before, "it is not run again"
    assert [each["case"]["seed"] for each in after] == [1, 2]
    assert done.code == max(each["code"] for each in after), done.out
    (folder,) = killed.glob("*-suite-mine")
    assert {"report.html", "junit.xml", "summary.md"} <= {each.name for each in folder.iterdir()}
    again = harness(*resume)
    assert again.code == Exit.USAGE, "it has ended, and an old answer is not given again"
