"""Releases that are deployed under load, on real Dapr: a good one holds, a bad one is found by name."""

import json

import pytest

from harness.errors import Exit
from tests.builders.command import ROOT

pytestmark = pytest.mark.e2e

UPGRADE = "tests/e2e/short_upgrade.yaml"
TARGET = ROOT / "target/target.yaml"
CHANGED = (
    ('order_v1: "target.versions:order_v1"', 'order_v1: "target.versions:order_v2"'),
    ('code: "target.versions:patched_order"', 'code: "target.versions:order_v2"'),
)


@pytest.fixture(name="changed")
def _changed(tmp_path):
    """The description of the same target, with the code of order_v1 edited in place."""
    text = TARGET.read_text().replace("workdir: ..", f"workdir: {ROOT}")
    for old, new in CHANGED:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "target.yaml"
    file.write_text(text)
    return file


def test_an_upgrade_holds_and_replaying_finds_a_change_in_place_before_it_is_deployed(harness, changed):
    finished = harness.run(UPGRADE)

    assert finished.holds(), finished.out
    assert {fault["fault"] for fault in finished.verdict["faults"]} == {"upgrade"}
    assert all(fault["felt_after"] is not None for fault in finished.verdict["faults"])
    assert finished.finding("one_version")["examined"] > 20
    assert finished.finding("as_versioned")["examined"] > 60

    harness("replay-code", finished.run, check=Exit.HOLDS)
    told = harness("replay-code", finished.run, "--target", changed, "--json", check=Exit.VIOLATED)
    first = [json.loads(line) for line in told.out.splitlines() if '"turn": 0' in line]
    assert {"the history has task 1 reserve_stock_v1; the code orders task 1 quote_v1"} == {
        row["what"] for row in first
    }
    assert {row["workflow"] for row in first} == {"versioned_order", "patched_order"}


def test_code_that_was_changed_under_the_same_name_is_found_by_name(harness):
    finished = harness.run(UPGRADE, "--set", "faults.0.to=v1_changed", check=Exit.VIOLATED)

    finding = finished.finding("code_changed")
    assert finding["result"] == "VIOLATED"
    assert "NonDeterminismError" in finding["witnesses"][0]["sentence"]
    assert all(fault["felt_after"] is not None for fault in finished.verdict["faults"])
