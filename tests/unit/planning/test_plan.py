"""Plans: chosen by the seed, the same in every process, and made without touching anything."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from harness import names
from harness.errors import UsageError
from harness.model import Activity, ClientRequest, FaultEntry, Gate, HttpStart, Load, Nemesis
from harness.planning import plan, scenario, target
from harness.runtime import shipped

PAYMENTS = "tests/targets/payments_sidecar_kill.yaml"


@pytest.fixture(name="read")
def _read(request):
    file = request.config.rootpath / PAYMENTS
    made = scenario.load(file)
    return made, target.load(made.target)


def make(read, *faults, seed=1, **others):
    steps = tuple(FaultEntry.model_validate({"at": 1, "for": 1, **fault}) for fault in faults)
    return plan.make(read[0].model_copy(update={"faults": steps}), read[1], seed=seed, dapr_version="1.18.2", **others)


def test_nodes_and_links_are_named_after_their_roles(read):
    made = make(read)

    assert made.nodes == ("redis", "placement-0", "scheduler-0", "sidecar-0", "sidecar-1", "app-0", "app-1")
    assert made.links == (
        "sidecars->scheduler-0",
        *("sidecar-0->redis", "sidecar-0->placement-0", "app-0->sidecar-0", "client->app-0", "client->sidecar-0"),
        *("sidecar-1->redis", "sidecar-1->placement-0", "app-1->sidecar-1", "client->app-1", "client->sidecar-1"),
    )


def test_clients_reach_the_sidecars_where_they_ask_something_after_the_start(read):
    made, described = read
    pay = described.workflows["payment_v1"].model_copy(update={"start": HttpStart(http="/pay")})
    by_http = described.model_copy(update={"workflows": {"payment_v1": pay}})
    terminate = made.load.model_copy(update={"requests": (ClientRequest(operation="terminate"),)})

    assert not any("client->sidecar" in link for link in make((made, by_http)).links)
    asked = make((made.model_copy(update={"load": terminate}), by_http))
    assert {"client->sidecar-0", "client->sidecar-1"} <= set(asked.links)


@pytest.mark.parametrize(
    ("on", "pick", "expected"),
    [
        ("sidecar", "all", ("sidecar-0", "sidecar-1")),
        ("sidecar-1", "one", ("sidecar-1",)),
        ("app-*", 2, ("app-0", "app-1")),
        ("redis", "one", ("redis",)),
        (["redis", "app-1"], "all", ("redis", "app-1")),
        (["sidecar", "sidecar-0"], "all", ("sidecar-0", "sidecar-1")),
    ],
)
def test_a_fault_names_a_role_a_node_or_a_pattern(read, on, pick, expected):
    assert expected == make(read, {"fault": "kill", "on": on, "pick": pick}).steps[0].nodes


def test_a_partition_is_a_set_of_links(read):
    on = ["sidecar-0->*", "app-1->sidecar-1"]
    made = make(read, {"fault": "timeout", "on": on, "pick": "all", "settings": {"stream": "both"}})

    assert made.steps[0].nodes == ("sidecar-0->redis", "sidecar-0->placement-0", "app-1->sidecar-1")


def test_a_link_fault_chooses_among_links(read):
    made = make(
        read, {"fault": "latency", "on": "sidecar->redis", "pick": "all", "settings": {"latency": 0.1, "jitter": 0}}
    )

    assert made.steps[0].nodes == ("sidecar-0->redis", "sidecar-1->redis")


def test_steps_are_in_order_of_time_and_numbered(read):
    made = make(read, {"fault": "kill", "on": "app", "at": 5}, {"fault": "kill", "on": "sidecar", "at": 2})

    assert [(step.step, step.at) for step in made.steps] == [(0, 2.0), (1, 5.0)]


def test_seeds_choose_different_targets(read):
    chosen = {make(read, {"fault": "kill", "on": "sidecar"}, seed=seed).steps[0].nodes for seed in range(20)}

    assert {("sidecar-0",), ("sidecar-1",)} == chosen


def test_what_one_entry_picks_does_not_change_the_others(read):
    other = {"fault": "kill", "on": "app", "at": 3}
    for seed in range(10):
        one = make(read, {"fault": "kill", "on": "sidecar"}, other, seed=seed)
        both = make(read, {"fault": "kill", "on": "sidecar", "pick": "all"}, other, seed=seed)

        assert one.steps[1].nodes == both.steps[1].nodes


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"fault": "kill", "on": "sidcar"}, 'nothing is called "sidcar"; did you mean "sidecar"'),
        ({"fault": "kill", "on": "sidecar-0->redis"}, "nothing is called"),
        ({"fault": "kill", "on": ["sidecar", "rediss"]}, 'nothing is called "rediss"; did you mean "redis"'),
        ({"fault": "kill", "on": "sidecar", "pick": 3}, 'pick 3 of "sidecar", but there are only 2'),
    ],
)
def test_a_fault_that_fits_no_node_is_refused(read, fault, told):
    with pytest.raises(UsageError, match=told):
        make(read, fault)


def test_only_a_service_that_can_misbehave_is_told_to(read):
    fault = {"fault": "misbehave", "on": "provider", "settings": {"errors": 0.5}}
    with pytest.raises(UsageError, match='nothing is called "provider"'):
        make(read, fault)

    reference = target.load(shipped.TARGET)
    made = scenario.load(scenario.find("baseline"))
    assert make((made, reference), fault).steps[0].nodes == ("provider-0",)


def test_an_unknown_defect_is_refused(read):
    with pytest.raises(UsageError, match='no defect "blind"; did you mean "blind_hold"'):
        make(read, defect="blind")


def test_an_unknown_kind_is_refused(read):
    load = read[0].load.model_copy(update={"mix": {"god": 1}})
    with pytest.raises(UsageError, match='"god" is not a kind of payment_v1; did you mean "good"'):
        make((read[0].model_copy(update={"load": load}), read[1]))


def test_ends_of_an_unknown_kind_are_refused(read):
    checks = read[0].checks.model_copy(update={"ends": {"god": ("completed",)}})
    with pytest.raises(UsageError, match=r'checks\.ends\.god: "god" is not a kind'):
        make((read[0].model_copy(update={"checks": checks}), read[1]))


_WATCHED = """
import json, sys
seen = []
touching = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn")
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith(touching) else None)
from harness.cli import main
sys.argv = ["harness", "plan", sys.argv[1], "--seed", "7", "--json"]
try:
    main()
finally:
    print(json.dumps(seen), file=sys.stderr)
"""


@pytest.mark.parametrize("name", [PAYMENTS, "scenarios/storm.yaml"])
def test_the_same_seed_gives_the_same_bytes_in_two_processes_that_touch_nothing(pytestconfig, name):
    """`harness plan` opens no socket and starts no process; an audit hook watches it."""
    answers = [
        subprocess.run(
            [sys.executable, "-c", _WATCHED, str(pytestconfig.rootpath / name)],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": hashseed},
        )
        for hashseed in ("1", "2")
    ]

    assert answers[0].stdout == answers[1].stdout
    assert json.loads(answers[0].stdout)["seed"] == 7
    assert [json.loads(answer.stderr.splitlines()[-1]) for answer in answers] == [[], []]


def times(made):
    return [(step.at, step.nodes) for step in made.steps]


def test_a_fault_can_repeat_until_the_load_ends_or_so_many_times(read):
    """The load takes 12 s."""
    on = {"fault": "kill", "on": "redis"}
    assert [at for at, _ in times(make(read, {**on, "every": 4}))] == [1, 5, 9]
    assert [at for at, _ in times(make(read, {**on, "every": 4, "times": 2}))] == [1, 5]


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"at": 3}, r"kill at 3 s \(step 1\) would hit redis while kill at 2 s \(step 0\) holds it until 4 s"),
        ({"at": 2}, r"kill at 2 s \(step 1\) would hit redis while kill at 2 s \(step 0\) holds it"),
        ({"at": 1, "for": 1.5}, r"kill at 2 s \(step 1\) would hit redis while kill at 1 s \(step 0\) holds it"),
    ],
)
def test_the_same_fault_twice_on_one_node_at_a_time_is_refused(read, second, told):
    with pytest.raises(UsageError, match=told):
        make(read, {"fault": "kill", "on": "redis", "at": 2, "for": 2}, {"fault": "kill", "on": "redis", **second})


def test_a_restart_twice_at_the_same_moment_is_refused(read):
    with pytest.raises(UsageError, match="would hit redis"):
        make(read, *[{"fault": "kill", "on": "redis", "at": 2, "for": 0}] * 2)


def test_faults_one_after_the_other_or_of_two_kinds_or_of_two_nodes_are_not_refused(read):
    kill = {"fault": "kill", "on": "redis", "at": 2, "for": 2}

    assert len(make(read, kill, {**kill, "at": 4}, {**kill, "fault": "stop"}, {**kill, "on": "app-0"}).steps) == 4


def test_a_repeated_fault_that_comes_again_before_it_is_healed_is_refused(read):
    with pytest.raises(UsageError, match=r"pause at 3 s .* while pause at 1 s"):
        make(read, {"fault": "pause", "on": "app", "pick": "all", "for": 3, "every": 2})


@pytest.mark.parametrize("times", [{}, {"times": 1_000_000_000}])
def test_more_steps_than_a_run_can_take_are_refused_before_they_are_made(read, times, monkeypatch):
    made = []
    monkeypatch.setattr(plan, "_step", lambda *_: made.append(1))
    with pytest.raises(UsageError, match="more than 2,000 steps"):
        make(read, {"fault": "kill", "on": "redis", "for": 0, "every": 0.001, **times})
    assert len(made) == 2001


def test_the_nemesis_s_steps_are_counted_too(read):
    kill = [{"fault": "kill", "on": "redis", "for": 0}]
    with pytest.raises(UsageError, match="more than 2,000 steps"):
        nemesis(read, interval=0.001, rest=0, faults=kill)


def test_a_fault_or_the_nemesis_can_be_a_phase_of_the_load(read):
    made = make(read, {"fault": "kill", "on": "redis", "every": 2, "until": 6, "at_jitter": 1})

    assert len(made.steps) == 3
    assert all(step.at <= 6 for step in made.steps)
    assert all(3 <= step.at <= 7 for step in nemesis(read, after=3, until=7).steps)


@pytest.mark.parametrize("until", [{"until": 8}, {"until": 0.5, "every": 1}])
def test_a_phase_that_could_hold_nothing_else_is_refused(until):
    with pytest.raises(ValidationError, match="until is for a fault that is repeated"):
        FaultEntry.model_validate({"fault": "kill", "on": "redis", "at": 1, "for": 1, **until})


def test_a_nemesis_without_any_time_is_refused():
    with pytest.raises(ValidationError, match="until 2 s leaves no time after 3 s"):
        Nemesis.model_validate({"interval": 1, "until": 2, "faults": [{"fault": "kill", "on": "redis", "for": 1}]})


def test_a_staggered_fault_hits_one_node_after_the_other(read):
    made = make(read, {"fault": "kill", "on": "app", "pick": "all", "stagger": 3})

    assert times(made) == [(1, ("app-0",)), (4, ("app-1",))]


def test_jitter_moves_times_by_the_seed_and_not_further_than_it_says(read):
    moved = {
        make(read, {"fault": "kill", "on": "redis", "at": 5, "at_jitter": 2}, seed=s).steps[0].at for s in range(30)
    }

    assert len(moved) > 20
    assert all(3 <= at <= 7 for at in moved)


def nemesis(read, seed=1, **settings):
    faults = [
        {"fault": "kill", "on": "sidecar", "for": 2, "weight": 3},
        {"fault": "pause", "on": "app", "for": 1},
        {"fault": "kill", "on": "redis", "for": 1},
    ]
    made = Nemesis.model_validate({"interval": 0.5, "after": 1, "faults": faults, **settings})
    return make((read[0].model_copy(update={"nemesis": made}), read[1]), seed=seed)


def overlaps(steps):
    """For each step, how many are in force when it begins, itself included, and whether they share a node."""
    for step in steps:
        others = [other for other in steps if other.at <= step.at < other.at + other.hold]
        nodes = [node for other in others for node in other.nodes]
        yield len(others), len(nodes) != len(set(nodes))


def test_the_nemesis_is_decided_by_the_seed(read):
    assert nemesis(read) == nemesis(read)
    assert times(nemesis(read)) != times(nemesis(read, seed=2))


@pytest.mark.parametrize("seed", range(10))
def test_the_nemesis_lets_a_node_rest(read, seed):
    ends = {}
    for step in nemesis(read, seed, at_once=3, rest=1.5).steps:
        for node in step.nodes:
            assert step.at >= ends.get(node, -100) + 1.499
            ends[node] = step.at + step.hold


@pytest.mark.parametrize("seed", range(10))
def test_the_nemesis_never_exceeds_its_limit_and_never_hits_a_node_twice_at_once(read, seed):
    found = list(overlaps(nemesis(read, seed, at_once=2).steps))

    assert max(count for count, _ in found) == 2
    assert not any(shared for _, shared in found)


@pytest.mark.parametrize("seed", range(10))
def test_the_nemesis_disturbs_no_link_whose_end_another_fault_holds_nor_hits_the_end_of_a_disturbed_one(read, seed):
    faults = [
        {"fault": "kill", "on": ["sidecar", "redis"], "for": 2},
        {"fault": "reset", "on": ["sidecar-*->redis", "app-*->sidecar-*"], "for": 2},
    ]
    steps = nemesis(read, seed, at_once=4, rest=0.5, faults=faults).steps

    assert {step.fault for step in steps} == {"kill", "reset"}
    for kill in (step for step in steps if step.fault == "kill"):
        for reset in (step for step in steps if step.fault == "reset"):
            if kill.at < reset.at + reset.hold + 0.499 and reset.at < kill.at + kill.hold + 0.499:
                assert kill.nodes[0] not in reset.nodes[0].split("->")


def test_in_every_storm_a_start_is_answered_again_before_the_load_ends():
    """Nothing is for some twenty seconds after the scheduler is back (docs/findings.md, 3)."""
    reference = target.load(shipped.TARGET)
    storm = scenario.load(scenario.find("storm"))
    for seed in range(1, 201):
        made = plan.make(storm, reference, seed=seed, dapr_version="1.18.2")
        healed = [step.at + step.hold + (23 if "scheduler-0" in step.nodes else 0) for step in made.steps]
        assert max(healed) <= storm.load.duration - 5


AT = {"activity": "hold_v1", "point": "after_effect"}


@pytest.fixture(name="aimable")
def _aimable(read):
    read_scenario, described = read
    name = read_scenario.load.workflow
    workflow = described.workflows[name].model_copy(update={"activities": {"hold_v1": Activity()}})
    return read_scenario, described.model_copy(update={"workflows": {name: workflow}, "points": True})


def test_an_aimed_fault_waits_for_a_step_and_the_run_decides_which_replica(aimable):
    (step,) = make(
        aimable, {"fault": "kill", "on": "sidecar", "pick": "own", "at": {**AT, "occurrence": 3, "after": "2s"}}
    ).steps

    assert (step.at, step.nodes) == (2.0, ("sidecar-0", "sidecar-1"))
    assert str(step.aim) == "after_effect of hold_v1, instance 3"
    assert step.aim.own


def test_the_seed_decides_which_instance_an_aimed_fault_waits_for(aimable):
    fault = {"fault": "kill", "on": "app", "at": AT, "every": 0.1, "times": 8}

    def wanted(seed):
        return [step.aim.occurrence for step in make(aimable, fault, seed=seed).steps]

    assert wanted(1) == wanted(1)
    assert wanted(1) != wanted(2)


def test_an_activity_that_is_not_there_is_told_with_the_nearest(aimable):
    with pytest.raises(UsageError, match='did you mean "hold_v1"'):
        make(aimable, {"fault": "kill", "on": "app", "at": {**AT, "activity": "hold"}})


def test_a_point_that_only_the_application_could_announce_is_refused_if_it_announces_none(aimable):
    read_scenario, described = aimable
    silent = read_scenario, described.model_copy(update={"points": False})

    def aimed(target, point):
        return make(target, {"fault": "kill", "on": "app", "at": {**AT, "point": point}})

    with pytest.raises(UsageError, match=r"nobody sees after_effect of hold_v1.*before_body, after_return"):
        aimed(silent, "after_effect")
    assert aimed(silent, "before_body").points(by_tap=True) == ("hold_v1:before_body",)
    assert aimed(silent, "after_return").points(by_tap=True) == ("hold_v1:after_return",)
    assert aimed(aimable, "before_body").points(by_tap=True) == ("hold_v1:before_body",)
    assert aimed(aimable, "after_return").points(by_tap=True) == ()
    assert aimed(aimable, "after_return").points(by_tap=False) == ("hold_v1:after_return",)


def test_what_serves_all_replicas_is_nobody_s_own(aimable):
    with pytest.raises(UsageError, match="redis is not of one replica"):
        make(aimable, {"fault": "kill", "on": "redis", "pick": "own", "at": AT})


@pytest.mark.parametrize(
    ("fault", "told"), [({"at": 1, "pick": "own"}, "pick: own"), ({"at": AT, "stagger": 1}, "stagger")]
)
def test_what_goes_only_with_one_kind_of_moment_is_refused(fault, told):
    with pytest.raises(ValidationError, match=told):
        FaultEntry.model_validate({"fault": "kill", "on": "app", "for": 1, **fault})


@pytest.mark.parametrize(
    ("name", "replica"),
    [
        ("app-0", "app-0"),
        ("sidecar-1->redis", "app-1"),
        ("client->app-1", "app-1"),
        ("app-0->provider-0", "app-0"),
        ("provider-0", None),
    ],
)
def test_a_node_or_link_is_of_one_replica_or_of_none(name, replica):
    assert names.replica(name) == replica


def gated(read, *faults):
    scenario = read[0].model_copy(update={"gate": Gate(recovery=10.0)})
    return make((scenario, read[1]), *faults)


def test_a_recovery_that_no_run_can_show_is_refused(read):
    """The recovery from a fault is seen only before the next one begins."""
    apart = ({"fault": "kill", "on": "sidecar", "at": 2, "for": 3}, {"fault": "kill", "on": "redis", "at": 5, "for": 1})
    during = ({**apart[0], "for": 4}, apart[1])

    assert len(gated(read, *apart).steps) == 2
    assert len(make(read, *during).steps) == 2
    with pytest.raises(UsageError, match=r"kill at 5 s comes while kill \(2 s to 6 s\) is in force"):
        gated(read, *during)


@pytest.mark.parametrize(
    ("load", "told"),
    [
        ({"mix": {"good": 0}}, "at least one kind needs a weight above 0"),
        ({"shape": {"steps": {"by": 100, "every": 1}}, "duration": 60}, "the rate rises to 5915 starts/s"),
        ({"shape": {"ramp": {"to": 2000}}, "duration": 2000}, "about 2,015,000 starts"),
        (
            {"rate": 0, "shape": {"burst": {"size": 10_000, "every": 0.1}}, "duration": 60},
            "starts; the most of one run",
        ),
    ],
)
def test_a_load_that_no_run_can_send_is_refused(read, load, told):
    read_scenario, described = read
    changed = Load.model_validate({**read_scenario.load.model_dump(by_alias=True), **load})

    with pytest.raises(UsageError, match=told):
        make((read_scenario.model_copy(update={"load": changed}), described))
