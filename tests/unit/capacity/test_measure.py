"""What one run shows of the capacity of its system, from evidence that is written down here."""

import pytest

from harness.capacity import measure
from harness.capacity.result import Machine, Measured, Percentiles, Used
from harness.rundir import RunDir
from tests.builders import shop
from tests.builders.evidence import write_evidence

T0 = shop.LOAD_START_NS


def ns(seconds):
    return T0 + round(seconds * 1e9)


def call(instance, due, answered, outcome="ok", sent=0.0, client="locust-1"):
    return {
        "op_id": instance,
        "instance_id": instance,
        "workflow": "order_v1",
        "kind": "plain",
        "client": client,
        "node": "app-0",
        "try": 1,
        "intended_ns": ns(due),
        "invoked_ns": ns(due + sent),
        "completed_ns": ns(answered),
        "outcome": outcome,
    }


def ended(instance, at):
    return {"instance_id": instance, "workflow": "order_v1", "created_ns": ns(0), "completed_ns": ns(at)}


def sample(node, metric, value, at=20.0):
    return {"at_ns": ns(at), "node": node, "metric": metric, "value": value}


@pytest.fixture(name="rows")
def _rows():
    """40 s of load, of which the first 5 s are not measured: of seven starts, five are due in the window."""
    return {
        "operations": [
            call("canary", -9, -8, client="canary"),
            call("first", 0, 0.5),
            call("early", 4, 4.5),
            call("a", 10, 10.5, sent=0.002),
            call("b", 20, 20.5, sent=0.3),
            call("c", 30, 40, "unknown"),
            call("d", 31, 31.1, "fail"),
            call("e", 39, 39.1),
        ],
        "instances": [
            ended("canary", -7),
            ended("first", 2),
            ended("early", 6),
            ended("a", 12),
            ended("b", 21),
            ended("e", 45),
        ],
        "phases": [
            {"phase": phase, "started_ns": ns(begin), "ended_ns": ns(end)}
            for phase, begin, end in (("up", -9, 0), ("load", 0, 40), ("heal", 40, 41), ("settle", 41, 60))
        ],
        "samples": [
            sample("app-0", "cpu_percent", 100.0, at=1.0),
            sample("app-0", "cpu_percent", 40.0),
            sample("app-0", "cpu_percent", 60.0, at=21.0),
            sample("redis", "cpu_percent", 20.0),
            sample("app-0", "rss_bytes", 5.0),
            sample("engine", "in_flight", 7.0),
            sample("machine", "cores", 2.0),
            sample("machine", "cpu_percent", 150.0),
            sample("machine", "iowait_percent", 3.0),
            sample("app-0", "cpu_percent", 100.0, at=50.0),
        ],
    }


@pytest.fixture(name="read")
def _read(tmp_path, rows):
    def read():
        run = RunDir(tmp_path / "run")
        write_evidence(run.evidence, rows)
        return measure.read(run, shop.plan())

    return read


def test_throughput_is_what_ended_between_warm_up_and_the_end_of_the_load(read):
    told = read()
    assert told.offered == pytest.approx(5 / 35)
    assert told.throughput == pytest.approx(3 / 35), "also what was due before, and not what ended after the load"
    assert told.behind == 2


def test_latency_counts_from_when_starts_were_due_and_what_never_ended_is_infinitely_slow(read):
    assert read().end == Percentiles(p50=2.0, p99=None), "of 1, 2, 6 s and never; the refused start is left out"


def test_a_start_without_a_clear_answer_is_unanswered_and_a_refused_one_is_not(read):
    assert read().unanswered == 1 / 5


def test_how_late_the_generator_sent_is_told(read):
    assert read().late == pytest.approx(0.3)


def test_cpu_is_the_mean_over_the_same_time_the_busiest_first(read):
    told = read()
    assert told.used == (Used(name="app-0", cpu_percent=50.0), Used(name="redis", cpu_percent=20.0))
    assert told.machine == Machine(cores=2, cpu_percent=150.0, iowait_percent=3.0, others_percent=80.0)


def test_samples_of_a_run_before_the_machine_was_measured_are_enough_for_its_nodes(read, rows):
    rows["samples"] = [row for row in rows["samples"] if row["node"] != "machine"]
    told = read()
    assert (told.used[0].name, told.machine) == ("app-0", None)


def test_missing_evidence_is_not_told_and_does_not_look_as_if_the_system_kept_up_or_not(read, tmp_path, rows):
    read()
    run = RunDir(tmp_path / "run")
    for table in ("instances", "samples"):
        (run.evidence / f"{table}.parquet").unlink()
    told = measure.read(run, shop.plan())
    assert (told.throughput, told.end, told.used, told.machine) == (None, None, (), None)
    assert measure.saturated(told) == ()


def test_nothing_due_is_not_told(read, rows):
    rows["operations"] = rows["operations"][:1]
    assert read().throughput is None


def test_a_short_load_has_a_shorter_warm_up():
    assert [measure.warm_up(seconds) for seconds in (8, 20, 40)] == [2, 5, 5]


def measured(**changes):
    told = {
        "offered": 40.0,
        "throughput": 40.0,
        "behind": 0,
        "end": Percentiles(p50=1.0, p99=2.0),
        "unanswered": 0.0,
        "late": 0.001,
        "used": (Used(name="scheduler-0", cpu_percent=60.0), Used(name="app-0", cpu_percent=50.0)),
        "machine": Machine(cores=2, cpu_percent=120.0, iowait_percent=8.0, others_percent=3.0),
    }
    return Measured(**{**told, **changes})


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, 0),
        ({"throughput": 36.1, "behind": 58}, 0),
        ({"throughput": 35.9, "behind": 61}, 1),
        ({"offered": 2.0, "throughput": 1.7, "behind": 9}, 0),
        ({"offered": 2.0, "throughput": 1.7, "behind": 10}, 1),
        ({"unanswered": 0.05}, 0),
        ({"unanswered": 0.06}, 1),
        ({"unanswered": 0.5, "throughput": 10.0, "behind": 400}, 2),
        ({"throughput": 45.0, "behind": -70}, 0),
    ],
)
def test_it_does_not_keep_up_if_less_than_nine_of_ten_end_or_starts_stay_unanswered(changes, number):
    assert len(measure.saturated(measured(**changes))) == number


NOTHING = (
    "nothing was full: the wait is elsewhere (a disk, a lock, a limit of concurrent work); the busiest were "
    "scheduler-0 60 %, app-0 50 % of one core; cores waited for a disk for 8 % of one core"
)
BUSY = (Used(name="app-0", cpu_percent=70.0), Used(name="redis", cpu_percent=30.0))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {},
            NOTHING,
        ),
        ({"used": (Used(name="redis", cpu_percent=96.0),)}, "redis, the store, used 96 % of a core"),
        ({"used": (Used(name="scheduler-0", cpu_percent=90.0),)}, "scheduler-0 used 90 % of a core"),
        (
            {"used": (Used(name="generator", cpu_percent=99.0),)},
            "the generator, which is the harness and not the system, used 99 % of a core",
        ),
        (
            {"used": (Used(name="sidecar-0.tap", cpu_percent=93.0),)},
            "sidecar-0.tap, which is the harness and not the system, used 93 % of a core",
        ),
        (
            {"used": BUSY, "machine": Machine(cores=2, cpu_percent=190, iowait_percent=0, others_percent=84)},
            "the machine: its 2 cores were 95 % busy (app-0 70 %, redis 30 %, not of this run 84 % of one core)",
        ),
        (
            {
                "used": (Used(name="app-0", cpu_percent=97.0), *BUSY[1:]),
                "machine": Machine(cores=2, cpu_percent=181, iowait_percent=0, others_percent=4),
            },
            "the machine: its 2 cores were 90 % busy (app-0 97 %, redis 30 % of one core); app-0 used 97 % of a core",
        ),
        ({"used": (), "machine": None}, "not told: there are no samples of this time"),
    ],
)
def test_what_was_full_is_named(changes, told):
    assert measure.exhausted(measured(**changes)) == told
