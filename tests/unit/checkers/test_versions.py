"""What the general invariants say of versions: none is changed on the way, and what the engine stalled says why."""

import pytest

from harness.checkers.judge import judge
from harness.model import Result
from tests.builders.tutorial import Rows, plan


def found(rows, tmp_path, name):
    """The finding of an invariant; None if it is not applicable."""
    verdict = judge("run", plan(), rows.write(tmp_path))
    return next((finding for finding in verdict.findings if finding.name == name), None)


def turns(rows, instance):
    return [row for row in rows.of["history"] if (row["instance_id"], row["event"]) == (instance, "workflowStarted")]


@pytest.fixture(name="rows")
def _rows():
    rows = Rows()
    rows.ended("a")
    rows.ended("b")
    return rows


def test_of_workflows_without_versions_nothing_is_said(rows, tmp_path):
    assert found(rows, tmp_path, "one_version") is None


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("first", "first", None),
        ("first", None, None),
        ("first", "second", "began as first, and the turn at position"),
        (None, "second", "began as no version, and the turn at position"),
    ],
)
def test_no_turn_has_another_version_than_the_first(rows, tmp_path, first, last, told):
    for row, version in zip(turns(rows, "a"), (first, last), strict=True):
        row["version"] = version

    finding = found(rows, tmp_path, "one_version")

    assert (finding.examined, finding.violations) == (1, 0 if told is None else 1)
    if told is not None:
        assert finding.witnesses[0].instance_id == "a"
        assert told in finding.witnesses[0].sentence


@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        ("NonDeterminismError: A previous execution called call_activity with name='quote_v1'", True),
        ("NonDeterministicOrchestratorException: replay", True),
        ("*errors.errorString: a previous execution called CallActivity for 'x' and sequence number 1", True),
        ("ValueError: determined to fail", False),
    ],
)
def test_the_error_of_an_sdk_that_the_code_was_changed_is_known_by_name(rows, tmp_path, error, is_told):
    rows.ended("c", status="FAILED")
    (end,) = [row for row in rows.of["history"] if (row["instance_id"], row["event"]) == ("c", "executionCompleted")]
    end["error"] = error

    finding = found(rows, tmp_path, "code_changed")

    assert (finding.examined, finding.violations) == (3, int(is_told))
    assert finding.result is (Result.VIOLATED if is_told else Result.HOLDS)


def test_what_is_stalled_to_the_end_is_stuck_and_says_why(rows, tmp_path):
    rows.ended("c", status="STALLED")
    rows.of["history"] = [
        row for row in rows.of["history"] if (row["instance_id"], row["event"]) != ("c", "executionCompleted")
    ]
    (instance,) = [row for row in rows.of["instances"] if row["instance_id"] == "c"]
    instance["completed_ns"] = None
    stalled = {"instance_id": "c", "event": "executionStalled", "position": 99, "event_id": -1, "at_ns": rows.tick()}
    rows.of["history"].append(stalled | {"error": "PATCH_MISMATCH: history has [a]"})

    finding = found(rows, tmp_path, "stuck")

    assert [witness.instance_id for witness in finding.witnesses] == ["c"]
    assert "is still STALLED" in finding.witnesses[0].sentence
    assert "and it was stalled: PATCH_MISMATCH: history has [a]" in finding.witnesses[0].sentence
