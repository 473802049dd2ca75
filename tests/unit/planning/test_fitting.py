"""A named scenario names faults and a rate; where it is silent, the target says the rest."""

import hashlib
import re

import pytest

from harness.errors import UsageError
from harness.load.arrivals import schedule
from harness.planning import scenario, suite, target
from harness.planning.request import Request

PLAIN = """
name: plain
app_id: plain
app: {command: [python, app.py], health: workers}
workflows:
  order:
    start: {dapr: dapr}
    body: {item: "{item}"}
    kinds:
      tea: {vary: {item: [tea]}, ends: [completed], weight: 3}
      none: {vary: {item: [nothing]}, ends: [rejected], ends_without_services: [completed]}
    minimum: {completed: 5}
"""


@pytest.fixture(name="plain")
def _plain(tmp_path):
    file = tmp_path / "target.yaml"
    file.write_text(PLAIN)
    return file


NAMED = {name: scenario.load(scenario.find(name)) for name in scenario.names()}
OF_REFERENCE = [name for name, each in NAMED.items() if "" not in each.load.shares]


@pytest.mark.parametrize(
    "name", [name for name in NAMED if name not in OF_REFERENCE and not name.startswith("provider_")]
)
def test_every_scenario_that_the_topology_can_serve_fits_any_target(plain, name):
    made = Request(name, plain).plan(7)

    assert (made.scenario.load.workflow, made.scenario.load.mix) == ("order", {"tea": 3, "none": 1})
    if made.scenario.load.asked:  # what clients ask for is the same with any target
        assert made.scenario.checks.minimum.classes.keys() == {"completed", "terminated", "purged"}
    else:
        assert made.scenario.checks.minimum.classes == {"completed": 5}
    assert made.steps or name in ("baseline", "client_retries", "determinism", "operations")
    assert not any("provider" in node for step in made.steps for node in step.nodes)


@pytest.mark.parametrize("name", OF_REFERENCE)
def test_a_scenario_that_names_workflows_fits_the_target_that_has_them_and_is_refused_for_another(plain, name):
    made = Request(name).plan(7)

    assert set(made.scenario.load.shares) <= set(made.target.workflows)
    with pytest.raises(UsageError, match=rf"{name}\.yaml:\d+: load\.workflows?.*: target plain has no workflow"):
        Request(name, plain).plan(7)


def test_the_suite_of_a_release_and_that_of_each_night_have_every_scenario():
    for name in ("release", "nightly"):
        assert {run.scenario for run in suite.load(suite.find(name)).runs} == NAMED.keys()


def test_a_scenario_about_a_service_that_is_not_there_is_refused(plain):
    with pytest.raises(UsageError, match='nothing is called "provider"'):
        Request("provider_outage", plain).plan(7)


def test_services_is_every_service_whatever_its_name():
    hit = {node for step in Request("storm").plan(2).steps for node in step.nodes}

    assert "provider-0" in hit
    ends = Request("everything_restarts").plan(7).scenario.checks.ends
    assert ends == dict.fromkeys(("plain", "scarce", "flaky", "lost_answer"), ("compensated",))


def test_where_services_may_be_away_the_target_says_how_its_kinds_may_end(plain):
    assert Request("storm", plain).plan(7).scenario.checks.ends == {"none": ("completed",)}
    assert Request("sidecar_kill", plain).plan(7).scenario.checks.ends == {}


def test_what_the_scenario_says_counts(plain):
    settings = ("load.mix={none: 1}", "checks.minimum.classes={rejected: 9}")

    made = Request("baseline", plain, settings=settings).plan(7)

    assert made.scenario.load.mix == {"none": 1}
    assert made.scenario.checks.minimum.classes == {"rejected": 9}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            '"{item}"',
            '"{itme}"',
            "8: {itme} is filled in by nothing: kind tea does not `vary` it; did you mean",
        ),
        ("none: {vary: {item: [nothing]}, ", "none: {", "8: {item} is filled in by nothing: kind none does not"),
    ],
)
def test_a_placeholder_that_nothing_fills_in_is_refused(plain, old, new, told):
    plain.write_text(PLAIN.replace(old, new))

    with pytest.raises(UsageError, match=re.escape(told)):
        target.load(plain)


def test_an_empty_prefix_is_refused(plain):
    effects = "effects: [{forward: take}]\nledgers: [{prefix: '', field: rows}]\n"
    plain.write_text(PLAIN + "    statuses: {COMPLETED: {ends: completed}}\n" + effects)

    with pytest.raises(UsageError, match="an empty prefix takes in every document of the store, also the engine's own"):
        target.load(plain)


BESIDE = PLAIN.replace(
    "    minimum: {completed: 5}\n",
    """    minimum: {completed: 5}
  parcel:
    start: {http: /parcels}
    body: {id: "{id}"}
    kinds:
      small: {ends: [completed], weight: 2}
      none: {ends: [completed]}
    minimum: {completed: 2, rejected: 1}
""",
)
SEVERAL = """
claim: Two workflows at a time, each with its own share.
load:
  rate: 50
  duration: 20s
  workflows:
    order: {weight: 3}
    parcel: {mix: {small: 1}}
checks: {minimum: {classes: target}}
"""


@pytest.fixture(name="several")
def _several(tmp_path):
    (tmp_path / "target.yaml").write_text(BESIDE)
    file = tmp_path / "several.yaml"
    file.write_text(SEVERAL)
    return file


def test_a_load_of_several_workflows_has_each_with_its_share(several):
    made = Request(str(several), several.with_name("target.yaml")).plan(7)
    starts = list(schedule(made.scenario.load, made.workflows, 7))
    of_orders = [start for start in starts if start.workflow == "order"]

    assert len(of_orders) / len(starts) == pytest.approx(0.75, abs=0.05)
    assert {start.kind for start in of_orders} == {"tea", "none"}
    assert {start.kind for start in starts if start.workflow == "parcel"} == {"small"}
    assert made.scenario.load.started == "order (3 of 4) and parcel (1 of 4)"
    assert made.scenario.checks.minimum.classes == {"completed": 7, "rejected": 1}
    assert starts == list(schedule(made.scenario.load, made.workflows, 7))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "parcel:",
            "parsel:",
            '8: load.workflows.parsel: target plain has no workflow "parsel"; did you mean "parcel"?',
        ),
        ("{small: 1}", "{smal: 1}", '8: load.workflows.parcel.mix.smal: "smal" is not a kind of parcel'),
        ("weight: 3", "weight: 0", "7: load.workflows.order.weight: "),
        ("  rate: 50", "  workflow: order\n  rate: 50", "3: load: `workflows` says which workflows are started"),
        (
            "checks: {",
            "checks: {ends: {tee: [completed]}, ",
            '9: checks.ends.tee: "tee" is not a kind of order or parcel',
        ),
        (
            "checks: {",
            "checks: {services_away: true, ",
            "8: load.workflows.parcel: another workflow of this load has a",
        ),
    ],
)
def test_what_a_target_does_not_have_is_refused_with_its_line(several, old, new, told):
    several.write_text(SEVERAL.replace(old, new))

    with pytest.raises(UsageError, match=re.escape(f"{several}:{told}")):
        Request(str(several), several.with_name("target.yaml")).plan(7)


def test_the_plan_of_a_load_of_one_workflow_is_what_it_was_before_there_could_be_several():
    """The digest is of the schedule that the release before made."""
    made = Request("baseline").plan(7)
    starts = schedule(made.scenario.load, made.workflows, 7)
    told = repr([(each.number, each.at, each.instance_id, each.kind, each.body) for each in starts])

    assert hashlib.sha256(told.encode()).hexdigest().startswith("9062b0757062e91d")


WAITING = (
    ("start: {dapr: dapr}", "start: {dapr: dapr}\n    events: {nod: {number: '{number}', of: '{id}'}}"),
    (
        "order: {weight: 3}",
        "order: {requests: [{operation: raiseEvent, event: nod, share: 0.5, again: 0.2, after: [0s, 3s]}]}",
    ),
)


@pytest.fixture(name="waiting")
def _waiting(several):
    """A load of whose instances clients ask something after their start."""
    described = several.with_name("target.yaml")
    described.write_text(BESIDE.replace(*WAITING[0], 1))
    several.write_text(SEVERAL.replace(*WAITING[1]))
    return several


def test_the_seed_decides_which_instances_get_a_request_and_when(waiting):
    made = Request(str(waiting), waiting.with_name("target.yaml")).plan(7)
    starts = list(schedule(made.scenario.load, made.workflows, 7))
    orders = [start for start in starts if start.workflow == "order"]
    asked = [start for start in orders if start.requests]
    twice = [start for start in asked if len(start.requests) == 2]

    assert not any(start.requests for start in starts if start.workflow == "parcel")
    assert len(asked) / len(orders) == pytest.approx(0.5, abs=0.06)
    assert len(twice) / len(asked) == pytest.approx(0.2, abs=0.06)
    assert {round(due.at - start.at, 6) for start in asked for due in start.requests} == {0, 3}
    assert all([due.number for due in start.requests] == [1, 2] for start in twice)
    assert all(start.requests[0].at <= start.requests[1].at for start in twice)
    assert twice[0].requests[1].payload == f'{{"number": 2, "of": "{twice[0].instance_id}"}}'
    assert made.scenario.load.longest_after == 3
    assert starts == list(schedule(made.scenario.load, made.workflows, 7))


def test_each_pause_is_followed_by_a_resume(waiting):
    pauses = "{operation: pause, share: 0.5, again: 0.3, after: [0s, 2s], resume_after: [3s]}"
    load = f"load: {{rate: 20, duration: 30s, requests: [{pauses}]}}"
    waiting.write_text(re.sub(r"load:.*", load, waiting.read_text(), flags=re.DOTALL))
    made = Request(str(waiting), waiting.with_name("target.yaml")).plan(7)
    starts = [each for each in schedule(made.scenario.load, made.workflows, 7) if each.requests]

    assert made.scenario.load.longest_after == 5
    assert {start.workflow for start in starts} == {made.scenario.load.workflow}
    for start in starts:
        pauses = [due.at for due in start.requests if due.operation == "pause"]
        resumes = [due.at for due in start.requests if due.operation == "resume"]
        assert resumes == pytest.approx([at + 3 for at in pauses])
        assert len(start.requests) == len(pauses) + len(resumes)
        assert {(due.event, due.payload) for due in start.requests} == {(None, None)}
    assert {len(start.requests) for start in starts} == {2, 4}


def test_requests_change_no_start(waiting):
    made = Request(str(waiting), waiting.with_name("target.yaml")).plan(7)
    none = {name: share.model_copy(update={"requests": ()}) for name, share in made.scenario.load.workflows.items()}
    without = made.scenario.load.model_copy(update={"workflows": none})

    def starts(load):
        return [(each.at, each.instance_id, each.body) for each in schedule(load, made.workflows, 7)]

    assert starts(made.scenario.load) == starts(without)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("event: nod", "event: not", '7: load.workflows.order.requests.0.event: order has no event "not"'),
        ("raiseEvent", "raise", "7: load.workflows.order.requests.0.operation: "),
        (
            "operation: raiseEvent, event: nod",
            "operation: raiseEvent",
            "7: load.workflows.order.requests.0: raiseEvent needs",
        ),
        ("raiseEvent", "terminate", "7: load.workflows.order.requests.0: event is for raiseEvent alone"),
        ("raiseEvent, event: nod", "pause", "7: load.workflows.order.requests.0: pause needs resume_after"),
        (
            "raiseEvent, event: nod",
            "purge, resume_after: [1s]",
            "7: load.workflows.order.requests.0: resume_after is for pause alone",
        ),
        ("share: 0.5", "share: 0", "7: load.workflows.order.requests.0.share: "),
        ("after: [0s, 3s]", "after: []", "7: load.workflows.order.requests.0.after: "),
    ],
)
def test_a_request_that_cannot_be_made_is_refused_with_its_line(waiting, old, new, told):
    waiting.write_text(waiting.read_text().replace(old, new))

    with pytest.raises(UsageError, match=re.escape(f"{waiting}:{told}")):
        Request(str(waiting), waiting.with_name("target.yaml")).plan(7)


def test_nobody_can_be_asked_whose_id_no_plan_knows(waiting):
    described = waiting.with_name("target.yaml")
    described.write_text(described.read_text().replace("start: {dapr: dapr}", "start: {http: /orders, id: id}", 1))

    with pytest.raises(UsageError, match="order chooses its ids itself, so no plan can name whom to ask"):
        Request(str(waiting), described).plan(7)
