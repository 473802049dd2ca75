"""Series: what happened when, from literal evidence."""

import pytest
from harness_reports import evidence, series
from harness_reports.series import Missing

from tests.builders import shop
from tests.builders.evidence import write_evidence
from tests.builders.shop import LOAD_START_NS

PLAN = shop.plan()
NO_FAULTS = shop.verdict(faults=())


def ns(seconds):
    return LOAD_START_NS + round(seconds * 1e9)


def call(number, at, answered, outcome="ok", client="locust-1"):
    return {
        "op_id": f"{client}/{number}",
        "instance_id": f"i{number}",
        "client": client,
        "try": 1,
        "intended_ns": ns(at),
        "invoked_ns": ns(at + 0.01),
        "completed_ns": None if answered is None else ns(answered),
        "outcome": outcome,
    }


def instance(number, created, completed, outcome="shipped", status="COMPLETED"):
    return {
        "instance_id": f"i{number}",
        "workflow": "order_v1",
        "status": status,
        "outcome": outcome,
        "created_ns": ns(created),
        "completed_ns": None if completed is None else ns(completed),
    }


def read(folder, rows, verdict=NO_FAULTS):
    write_evidence(folder, rows)
    with evidence.open_evidence(folder) as opened:
        return series.read(opened, PLAN, verdict)


LOAD = {"phases": [{"phase": "load", "started_ns": ns(-1), "ended_ns": ns(3)}]}


def test_calls_are_counted_by_outcome_at_the_time_for_which_they_were_intended(tmp_path):
    calls = [
        call(0, 0.0, 0.1),
        call(1, 0.9, 2.5),
        call(2, 1.0, None, "unknown"),
        call(3, 2.2, 2.3, "fail"),
        call(4, 2.1, 2.2, client="canary"),
    ]
    made = read(tmp_path, {"operations": calls, **LOAD})
    assert made.axis == series.Axis(LOAD_START_NS, 1, 3)
    assert made.starts == {"fail": (0, 0, 1), "ok": (2, 0, 0), "unknown": (0, 1, 0)}


def test_latency_is_of_accepted_calls_from_their_intended_time_and_has_no_value_where_none_was_accepted(tmp_path):
    calls = [call(0, 0.0, 0.1), call(1, 0.5, 0.8), call(2, 1.0, 1.5, "unknown"), call(3, 2.0, 2.25)]
    made = read(tmp_path, {"operations": calls, **LOAD})
    assert made.latency["p50"] == pytest.approx((0.2, None, 0.25))
    assert made.latency["p99"] == pytest.approx((0.298, None, 0.25))


def test_ended_instances_are_told_by_what_the_target_says_their_outcome_means(tmp_path):
    ended = [
        instance(0, 0, 0.5),
        instance(1, 0, 1.5, "undone"),
        instance(2, 0, 1.6, None, "FAILED"),
        instance(3, 0, 1.7, "what?"),
        instance(4, 0, None, None, "RUNNING"),
    ]
    made = read(tmp_path, {"instances": ended, "operations": [call(0, 0, 0.1)], **LOAD})
    assert made.ended == {
        "compensated": (0, 1, 0),
        "completed": (1, 0, 0),
        "failed": (0, 1, 0),
        "undeclared": (0, 1, 0),
    }


def test_in_flight_counts_what_began_and_did_not_end_by_the_end_of_each_bin(tmp_path):
    flying = [instance(0, -0.5, 1.5), instance(1, 0.2, 0.4), instance(2, 0.5, None), instance(3, 2.9, 9.0)]
    made = read(tmp_path, {"instances": flying, "operations": [call(0, 0, 0.1)], **LOAD})
    assert made.in_flight == {"in flight": (2, 1, 2)}


def test_time_0_is_the_one_from_which_the_verdict_counts_its_faults(tmp_path):
    kill = {"step": 0, "fault": "kill", "node": "sidecar-0", "applied_ns": ns(106)}
    made = read(tmp_path, {"faults": [kill], "operations": [call(0, 0, 0.1)], **LOAD}, shop.verdict())
    assert made.axis.origin_ns == ns(100)


@pytest.mark.parametrize(("hours", "width"), [(0.1, 1), (1, 10), (24, 300), (24_000, 216_000)])
def test_a_long_run_has_wider_bins_and_never_more_than_400(tmp_path, hours, width):
    phases = [{"phase": "load", "started_ns": ns(0), "ended_ns": ns(hours * 3600)}]
    made = read(tmp_path, {"phases": phases, "operations": [call(0, 0, 0.1)]})
    assert made.axis.width == width
    assert made.axis.bins <= 400


def test_what_is_missing_says_so_and_leaves_the_rest_as_it_is(tmp_path):
    rows = {"operations": [call(0, 0, 0.1)], "instances": [instance(0, 0, 0.5)], **LOAD}
    write_evidence(tmp_path, rows)
    (tmp_path / "operations.parquet").unlink()
    (tmp_path / "instances.parquet").write_bytes(b"this is no Parquet")
    with evidence.open_evidence(tmp_path) as opened:
        made = series.read(opened, PLAN, NO_FAULTS)
    assert made.starts == made.latency == Missing("evidence/operations.parquet is missing")
    assert "evidence/instances.parquet cannot be read" in made.ended.reason


def test_no_evidence_at_all_still_gives_a_series(tmp_path):
    with evidence.open_evidence(tmp_path) as opened:
        made = series.read(opened, PLAN, shop.verdict())
    assert made.axis.bins == 1
    assert isinstance(made.in_flight, Missing)


def test_of_very_many_lines_the_small_ones_are_one(tmp_path):
    calls = [{**call(n, 0, 0.1), "outcome": f"outcome {n % 40}"} for n in range(100)]
    made = read(tmp_path, {"operations": calls, **LOAD})
    assert len(made.starts) == 13
    assert made.starts["all others"][0] == 100 - 12 * 3
