"""Aimed faults on real Dapr: they land where they were aimed at, and say so when they could not."""

import json

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture(name="finished", scope="module")
def _finished(of_module):
    """A run with a kill at each point, and with one at a point that no order of its mix reaches."""
    return of_module.run("tests/e2e/aimed_once.yaml")


def test_an_aimed_kill_lands_exactly_at_its_point(finished):
    faults = finished.verdict["faults"][:3]
    proofs = [fault["proof"] for fault in faults]
    assert [proof["point"] for proof in proofs] == ["before_effect", "after_effect", "after_return"], finished.out
    for fault, proof in zip(faults, proofs, strict=True):
        assert fault["felt_after"] is not None, proof
        assert fault["node"] == proof["announced_by"].replace("app", "sidecar")
        assert (proof["status"], proof["recorded"]) == (-9, False)
    assert [proof["attempt"] for proof in proofs] == ["begun", "begun", "returned"]
    assert [proof["effects"] for proof in proofs] == [0, 1, 1]
    steps = [json.loads(line) for line in (finished.run / "journal/points.jsonl").read_text().splitlines()]
    assert sum(row.get("why", "").startswith("landed on sidecar-") for row in steps) == 3


def test_a_point_that_is_never_reached_is_unknown(finished):
    told = "before_effect of release_stock_v1"
    assert any(told in reason and "did not come" in reason for reason in finished.verdict["reasons"]), finished.out
    assert finished.verdict["result"] != "HOLDS"
