"""Two sets of runs: what is better, worse, no different, or not told; and what is refused."""

import json
import random
from pathlib import Path

import pytest

from harness.comparing import sets
from harness.comparing.compare import compare
from harness.comparing.figures import Figures, Latency, Recovery
from harness.comparing.result import Change
from harness.errors import Exit, UsageError
from harness.model import FaultEntry, Result
from harness.names import Store
from tests.builders import runs, shop

NAMES = ("base", "candidate")
RESAMPLES = 100
RUNS = 10


def drawn(dice, first=1, number=RUNS, **changes):
    return [runs.chance(seed, dice, **changes) for seed in range(first, first + number)]


def slower(of, part):
    return [run.model_copy(update={"throughput": run.throughput * (1 - part)}) for run in of]


def compared(base, candidate):
    return compare(runs.found(base), runs.found(candidate, "candidate"), NAMES)


def measure(comparison, name):
    return next(each for told in comparison.scenarios for each in told.measures if each.name == name)


def test_a_loss_is_worse_with_its_interval_and_its_method():
    dice = random.Random(1)

    found = compared(drawn(dice), slower(drawn(dice, 101), 0.15))

    loss = measure(found, "throughput")
    assert loss.change is Change.WORSE
    assert loss.low < -0.15 < loss.high < 0
    assert loss.method == "Welch's t test"
    assert found.exit_code is Exit.VIOLATED


def test_a_gain_is_better_and_no_reason_to_fail():
    dice = random.Random(1)

    found = compared(slower(drawn(dice, 101), 0.15), drawn(dice))

    assert measure(found, "throughput").change is Change.BETTER
    assert found.exit_code is Exit.HOLDS


def test_less_time_is_better_and_more_is_worse():
    dice = random.Random(1)
    late = Latency(median=0.8, p99=2.0)
    recoveries = (Recovery(step=0, fault="kill", role="sidecar", seconds=9.0),)

    found = compared(drawn(dice), drawn(dice, start=late, recoveries=recoveries))
    back = compared(drawn(dice, start=late, recoveries=recoveries), drawn(dice))

    for name in ("start_median", "recovery_kill_sidecar"):
        assert measure(found, name).change is Change.WORSE, name
        assert measure(back, name).change is Change.BETTER, name


def test_no_difference_is_said_only_if_one_that_matters_is_ruled_out():
    dice = random.Random(2)

    many = measure(compared(drawn(dice, number=80), drawn(dice, 101, number=80)), "throughput")
    few = measure(compared(drawn(dice, number=4), drawn(dice, 101, number=4)), "throughput")

    assert many.change is Change.NO_DIFFERENCE
    assert -many.margin <= many.low <= many.high <= many.margin
    assert few.change is Change.NOT_ENOUGH
    assert few.needed > 4


def test_two_single_runs_are_not_enough_for_anything():
    found = compared([runs.figures(1)], [runs.figures(2, throughput=1.0, result=Result.VIOLATED)])

    assert {each.change for told in found.scenarios for each in told.measures} == {Change.NOT_ENOUGH}
    assert found.exit_code is Exit.UNKNOWN
    assert measure(found, "throughput").effect == pytest.approx(-14 / 15)
    assert "fewer than 3" in measure(found, "throughput").notes[-1]


def test_the_same_seeds_are_compared_pair_by_pair():
    """Seeds differ by far more than the two sides do."""
    dice = random.Random(3)
    base = [runs.figures(seed, throughput=3.0 * seed) for seed in range(1, 9)]
    candidate = [run.model_copy(update={"throughput": run.throughput * dice.uniform(0.84, 0.86)}) for run in base]
    others = [run.model_copy(update={"seed": run.seed + 100}) for run in candidate]

    paired, unpaired = compared(base, candidate), compared(base, others)

    assert (paired.scenarios[0].paired, unpaired.scenarios[0].paired) == (True, False)
    assert measure(paired, "throughput").change is Change.WORSE
    assert measure(paired, "throughput").method == "paired t test"
    assert measure(unpaired, "throughput").change is Change.NOT_ENOUGH


def test_more_violated_runs_are_worse():
    base = [runs.figures(seed) for seed in range(12)]
    broken = [runs.figures(seed, result=Result.VIOLATED, violated=30) for seed in range(12)]

    found = compared(base, broken)

    assert measure(found, "violated_runs").change is Change.WORSE
    assert measure(found, "violated_instances").change is Change.WORSE
    assert measure(found, "violated_instances").effect == 30 / 600


def test_what_cannot_tell_is_left_out_and_counted():
    base = [runs.figures(seed) for seed in range(5)]
    unknown = [runs.figures(seed, result=Result.UNKNOWN, throughput=1.0) for seed in range(2)]
    rest = [runs.figures(seed) for seed in range(2, 5)]

    (told,) = compared(base, [*unknown, *rest]).scenarios

    assert told.candidate.left_out == ("run-0", "run-1")
    assert told.candidate.results == {Result.HOLDS: 3, Result.UNKNOWN: 2}
    assert "2 of 5 runs of the candidate are UNKNOWN or were interrupted, and are left out." in told.notes
    assert measure(compared(base, [*unknown, *rest]), "throughput").candidate.values == (15.0,) * 3


def recovering(seed, dice, *times):
    """A run with a kill for each time; a time below 0 was watched in vain for so long."""
    return runs.chance(
        seed,
        dice,
        recoveries=tuple(
            Recovery(
                step=step,
                fault="kill",
                role="redis",
                seconds=time if time > 0 else None,
                watched=None if time > 0 else -time,
            )
            for step, time in enumerate(times)
        ),
    )


def test_a_recovery_that_was_not_seen_is_not_dropped():
    """Up to the shortest time that one was watched in vain, all are known; each step of the plan for itself."""
    dice = random.Random(4)
    base = [recovering(seed, dice, 2 + dice.random(), 2.5) for seed in range(8)]
    candidate = [
        *(recovering(seed, dice, -8.0, 12 + dice.random()) for seed in range(10, 14)),
        *(recovering(seed, dice, 9 + dice.random(), 12) for seed in range(20, 24)),
    ]

    told = measure(compared(base, candidate), "recovery_kill_redis")

    assert told.change is Change.WORSE
    assert told.title == "recovery, kill redis, at least"
    assert max(told.candidate.values) < (8 + 13) / 2
    assert told.candidate.values[-1] == (8 + 12) / 2
    assert "Recoveries seen: 16 of 16 and 12 of 16." in told.notes[0]
    assert "step 0 up to 8 s" in told.notes[0]


def test_recoveries_of_which_nothing_is_known_are_told():
    unknown = (Recovery(step=0, fault="kill", role="redis", seconds=None),)

    told = measure(
        compared([runs.figures(seed, recoveries=unknown) for seed in range(5)], [runs.figures(9)]),
        "recovery_kill_redis",
    )

    assert told.change is Change.NOT_ENOUGH
    assert "Of 5 of 5 faults nothing about the recovery is known; they are left out." in told.notes


def test_no_recovery_at_all_is_not_called_no_difference():
    never = (Recovery(step=0, fault="kill", role="redis", seconds=None, watched=5.0),)

    told = measure(compared(*[[runs.figures(seed, recoveries=never) for seed in range(9)]] * 2), "recovery_kill_redis")

    assert told.change is Change.NOT_ENOUGH


def test_a_throughput_of_0_is_told_as_a_difference():
    dice = random.Random(5)

    told = measure(compared(drawn(dice), drawn(dice, 101, throughput=0.0)), "throughput")

    assert told.change is Change.WORSE
    assert told.scale == "difference"
    assert told.candidate.mean == 0


def test_a_side_that_accepts_fewer_starts_is_worse_and_its_latencies_are_told_to_flatter():
    dice = random.Random(6)
    fast = Latency(median=0.01, p99=0.1)
    few = [runs.chance(seed, dice, accepted=0.2 + dice.random() / 10, start=fast) for seed in range(101, 111)]

    found = compared(drawn(dice), few)

    assert measure(found, "accepted_starts").change is Change.WORSE
    assert measure(found, "start_median").change is Change.BETTER
    assert any("so they flatter the side that accepted fewer" in note for note in found.scenarios[0].notes)
    assert not any("flatter" in note for note in compared(drawn(dice), drawn(dice, 101)).scenarios[0].notes)


def test_values_that_are_the_same_in_every_run_are_no_difference():
    told = measure(compared(*[[runs.figures(seed, repeated_attempts=0) for seed in range(5)]] * 2), "repeated_attempts")

    assert (told.change, told.low, told.p) == (Change.NO_DIFFERENCE, None, None)


def test_plans_that_differ_are_refused_with_what_differs():
    other = shop.plan()
    load = other.scenario.load.model_copy(update={"rate": 50.0})
    other = other.model_copy(update={"scenario": other.scenario.model_copy(update={"load": load})})

    with pytest.raises(UsageError, match=r"their plans differ: load\.rate 15\.0 and 50\.0"):
        compare(runs.found([runs.figures(1)]), runs.found([runs.figures(2)], "candidate", other), NAMES)


@pytest.mark.parametrize("names", [("store", "store"), ("redis", "postgres"), ("redis", "store")])
def test_two_stores_can_be_compared_and_a_store_is_the_same_by_any_name(names):
    first, second = (on_store(name, store) for name, store in zip(names, ("redis", "postgres"), strict=True))

    assert sets.differences(first, second) == []
    base = runs.found([runs.figures(1)], "base", first)
    told = compare(base, runs.found([runs.figures(2)], "candidate", second), NAMES)
    assert "state store redis and postgres" in told.scenarios[0].notes[0]


def on_store(name, store):
    made = shop.plan()
    topology = made.scenario.topology.model_copy(update={"store": Store(store)})
    fault = FaultEntry.model_validate({"fault": "latency", "on": f"sidecar-*->{name}", "at": 1, "for": 1})
    scenario = made.scenario.model_copy(update={"topology": topology, "faults": (fault,)})
    return made.model_copy(update={"scenario": scenario})


def test_a_side_that_mixes_what_could_be_compared_is_refused():
    mixed = [runs.figures(1), runs.figures(2, dapr_version="1.17.0")]

    with pytest.raises(UsageError, match=r"the candidate mixes runs of demo with Dapr 1\.18\.2 .* and 1\.17\.0"):
        compared([runs.figures(1)], mixed)


def test_a_run_on_both_sides_is_refused():
    same = runs.found([runs.figures(1)])

    with pytest.raises(UsageError, match="a run cannot be on both sides: run-1"):
        compare(same, same, NAMES)


def test_sets_without_a_scenario_in_common_are_refused():
    with pytest.raises(UsageError, match="the base has demo, the candidate no judged runs"):
        compare(runs.found([runs.figures(1)]), runs.found([]), NAMES)


def test_a_scenario_of_one_side_is_named_and_left_out():
    other = shop.plan()
    other = other.model_copy(update={"scenario": other.scenario.model_copy(update={"name": "storm"})})
    base = runs.found([runs.figures(1)])
    more = runs.found([runs.figures(2)], plan=other)

    found = compare(
        sets.Found((*base.runs, *more.runs), ("one is broken",)), runs.found([runs.figures(3)], "candidate"), NAMES
    )

    assert [told.scenario for told in found.scenarios] == ["demo"]
    assert (found.only_base, found.only_candidate, found.unusable) == (("storm",), (), ("one is broken",))


@pytest.mark.parametrize(
    ("defect", "told"),
    [
        (None, "The sets differ in one thing that a run records: Dapr 1.18.2 and 1.17.0."),
        ("lost", "several things, so none of them alone explains a change: Dapr 1.18.2 and 1.17.0; planted defect"),
    ],
)
def test_it_is_told_in_what_the_sets_differ(defect, told):
    other = [runs.figures(2, dapr_version="1.17.0", defect=defect)]

    assert told in compared([runs.figures(1)], other).scenarios[0].notes[0]


def test_a_loss_of_15_percent_is_found_and_equal_sets_raise_no_alarm():
    """
    The figures of real runs of sidecar_kill (Dapr 1.18.2, 8 starts a second for 40 s, a seed each), drawn with
    replacement: RUNS on each side. Their throughput differs by 5 % from run to run, as that of Poisson arrivals.
    """
    saved = json.loads((Path(__file__).parent / "sidecar_kill.json").read_text())
    pool = [Figures.model_validate(each) for each in saved]
    dice = random.Random(18)
    found = alarms = 0
    for _ in range(RESAMPLES):
        base, candidate = dice.choices(pool, k=RUNS), dice.choices(pool, k=RUNS)
        alarms += compared(base, candidate).change in (Change.WORSE, Change.BETTER)
        loss = measure(compared(base, slower(candidate, 0.15)), "throughput")
        found += loss.change is Change.WORSE

    assert found >= 95
    assert alarms <= 1
