"""Two short runs at growing rates, and one with a planted defect, on the real system."""

import json

import jsonschema
import pytest

from harness.capacity import result
from harness.errors import Exit
from tests.builders.command import Finished

pytestmark = pytest.mark.e2e

SHORT = ("--without-faults", "--duration", "8s")


def test_throughput_follows_rates_that_the_system_can_do(harness, tmp_path):
    done = harness("capacity", "sidecar_kill", *SHORT, "--from", 3, "--to", 6, "--out", tmp_path)

    assert done.code == Exit.UNKNOWN, "it kept up with every rate, so there is no knee\n" + done.out
    (folder,) = tmp_path.glob("*-capacity-sidecar_kill")
    told = json.loads((folder / "capacity.json").read_text())
    jsonschema.validate(told, result.schema())
    (curve,) = told["curves"]
    assert [step["rate"] for step in curve["steps"]] == [3, 6]
    for step in curve["steps"]:
        of = step["measured"]
        assert step["result"] == "HOLDS", step
        assert (folder / step["run"] / "report.html").is_file()
        assert of["throughput"] == pytest.approx(of["offered"], abs=10 / 6)
        assert 0 < of["end"]["p50"] <= of["end"]["p99"] < 60
        assert {"app-0", "sidecar-0", "sidecar-0.tap", "scheduler-0", "redis", "harness", "generator"} <= {
            used["name"] for used in of["used"]
        }
        assert of["machine"]["cpu_percent"] > 0
    assert "its capacity is higher" in done.out


def test_a_system_that_breaks_a_promise_has_no_capacity_and_the_invariant_that_names_its_defect_finds_it(
    harness, tmp_path
):
    asked = ("--from", 4, "--runs", 1, "--defect", "double_ship", "--out", tmp_path)
    done = harness("capacity", "baseline", *SHORT, *asked, check=Exit.VIOLATED)
    assert "VIOLATED at 4 starts/s" in done.out
    (folder,) = tmp_path.glob("*-capacity-baseline")
    assert Finished(done.code, done.out, folder).names_what_violates("duplicated")
