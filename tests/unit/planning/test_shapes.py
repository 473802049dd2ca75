"""The rate of a load over time: when starts are due."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.model import Load
from harness.planning import scenario, shapes

LOADS = {
    "flat": {"rate": 10, "duration": 60},
    "ramp": {"rate": 10, "duration": 60, "shape": {"ramp": {"to": 40}}},
    "ramp down to nothing": {"rate": 40, "duration": 60, "shape": {"ramp": {"to": 0, "until": 30}}},
    "steps": {"rate": 10, "duration": 60, "shape": {"steps": {"by": 10, "every": 25}}},
    "spike": {"rate": 10, "duration": 60, "shape": {"spike": {"to": 100, "at": 20, "for": 5}}},
    "wave": {"rate": 10, "duration": 60, "shape": {"wave": {"to": 30, "every": 20}}},
    "burst": {"rate": 0, "duration": 60, "shape": {"burst": {"size": 100, "every": 25}}},
    "replay": {"rate": 10, "duration": 60, "shape": {"replay": {"file": "a.csv", "times": [0, 1.5, 59, 61]}}},
}
EXPECTED = {
    "flat": 600,
    "ramp": 1500,
    "ramp down to nothing": 600,
    "steps": 10 * 25 + 20 * 25 + 30 * 10,
    "spike": 10 * 55 + 100 * 5,
    "wave": 1200,
    "burst": 200,
    "replay": 3,
}


def due(of, seed=1, **changes):
    load = Load.model_validate({**of, **changes})
    return list(shapes.times(load, random.Random(seed)))


def within(times, begin, end):
    return sum(begin <= at < end for at in times)


@pytest.mark.parametrize("name", LOADS)
def test_regular_starts_are_as_many_as_the_area_under_the_rate(name):
    times = due(LOADS[name], arrivals="constant")

    assert shapes.expected(Load.model_validate(LOADS[name])) == pytest.approx(EXPECTED[name])
    assert len(times) == pytest.approx(EXPECTED[name], abs=1)
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 60


@pytest.mark.parametrize("name", LOADS)
def test_random_starts_are_decided_by_the_seed_and_on_average_as_many(name):
    assert due(LOADS[name], 7) == due(LOADS[name], 7)
    mean = sum(len(due(LOADS[name], seed)) for seed in range(40)) / 40
    assert mean == pytest.approx(EXPECTED[name], rel=0.02)


def test_each_shape_has_its_rate_at_its_time():
    regular = {name: due(of, arrivals="constant") for name, of in LOADS.items()}

    assert within(regular["ramp"], 55, 60) == pytest.approx(5 * 38.75, abs=1)
    assert within(regular["ramp down to nothing"], 30, 60) == 0
    assert within(regular["steps"], 25, 50) == pytest.approx(500, abs=1)
    assert within(regular["spike"], 20, 25) == pytest.approx(500, abs=1)
    assert within(regular["spike"], 10, 20) == pytest.approx(100, abs=1)
    assert within(regular["wave"], 9.5, 10.5) == pytest.approx(30, abs=1)
    assert within(regular["wave"], 19.5, 20.5) == pytest.approx(10, abs=1)
    assert [at for at in regular["burst"] if at < 30] == [25.0] * 100
    assert regular["replay"] == [0, 1.5, 59]


def test_a_flat_load_has_the_gaps_of_a_poisson_process():
    rng, at, gaps = random.Random(3), 0.0, []
    while (at := at + rng.expovariate(10)) < 60:
        gaps.append(at)

    assert due(LOADS["flat"], 3) == gaps


@given(
    rate=st.floats(0, 200),
    to=st.floats(0, 200),
    duration=st.floats(0.1, 50),
    which=st.sampled_from(["ramp", "wave", "spike"]),
    seed=st.integers(0, 5),
)
def test_every_start_lies_in_the_load_and_in_order(rate, to, duration, which, seed):
    more = {"ramp": {}, "wave": {"every": 7}, "spike": {"at": 3, "for": 4}}[which]
    times = due({"rate": rate, "duration": duration, "shape": {which: {"to": to, **more}}}, seed)

    assert all(0 <= a <= b < duration for a, b in itertools.pairwise([0.0, *times]))


def test_a_load_without_an_end_goes_on_at_the_rate_of_its_end():
    load = Load.model_validate({**LOADS["ramp"], "arrivals": "constant"})
    endless = shapes.times(load, random.Random(1), endless=True)
    times = list(itertools.takewhile(lambda at: at < 100, endless))

    assert within(times, 60, 100) == pytest.approx(40 * 40, abs=1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("flat", "10 starts/s"),
        ("ramp", "10 starts/s, ramp to 40 until the end"),
        ("steps", "10 starts/s, +10 after each 25 s"),
        ("spike", "10 starts/s, spike of 100 at 20 s for 5 s"),
        ("wave", "10 starts/s, wave to 30 with a period of 20 s"),
        ("burst", "0 starts/s, and 100 at once after each 25 s"),
        ("replay", "10 starts/s, none by the rate, 4 at the times of a.csv"),
    ],
)
def test_a_load_is_told_in_words(name, told):
    assert Load.model_validate(LOADS[name]).pace == told


SCENARIO = """claim: A load with a shape is a load.
load:
  rate: 1
  duration: 10s
  shape: {replay: times.csv}
"""


def test_times_are_read_from_a_file_beside_the_scenario(tmp_path):
    (tmp_path / "a.yaml").write_text(SCENARIO)
    (tmp_path / "times.csv").write_text("seconds,kind\n3,x\n1.5,y\n\n")

    assert scenario.load(tmp_path / "a.yaml").load.shape.replay.times == (1.5, 3)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"1\nsoon\n", 'line 2: "soon" is not a time in seconds'),
        (b"1\n" * 500_001, "File too large"),
        (b"\xff\xfe", "cannot be replayed"),
        (b"", "shape.replay"),
        (b"-1\n", "shape.replay"),
        (b"nan\n", "shape.replay"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_told_with_the_line_that_names_it(tmp_path, content, told):
    (tmp_path / "a.yaml").write_text(SCENARIO)
    if content is not None:
        (tmp_path / "times.csv").write_bytes(content)

    with pytest.raises(UsageError, match=r"a\.yaml:5: ") as refused:
        scenario.load(tmp_path / "a.yaml")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("{}", "a shape is one of ramp, steps, spike, wave, burst, replay, not 0 of them"),
        ("{ramp: {to: 5}, burst: {size: 1, every: 1s}}", "not 2 of them"),
        ("{ramp: {to: 2001}}", "2000"),
        ("{wave: {to: 5, every: 0s}}", "0.1"),
    ],
)
def test_a_shape_that_is_none_is_refused(tmp_path, shape, told):
    (tmp_path / "a.yaml").write_text(SCENARIO.replace("{replay: times.csv}", shape))

    with pytest.raises(UsageError, match=r"a\.yaml:5: ") as refused:
        scenario.load(tmp_path / "a.yaml")
    assert told in str(refused.value)


@pytest.mark.parametrize("shape", ["{wave: {to: 5, every: 100ms}}", "{burst: {size: 9, every: 100ms}}"])
def test_a_shape_that_repeats_without_measure_is_refused_at_once(tmp_path, shape):
    (tmp_path / "a.yaml").write_text(SCENARIO.replace("{replay: times.csv}", shape).replace("10s", "1001s"))

    with pytest.raises(UsageError, match=r"a\.yaml:2: .*more than 10,000 times"):
        scenario.load(tmp_path / "a.yaml")
