"""The order in two versions: its code in the SDK's own executor, and the invariant that judges it."""

import json

import pytest
from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow._durabletask.internal import history_events_pb2

from harness.checkers import invariant, plants
from harness.checkers.database import open_database
from harness.checkers.examining import examine
from harness.checkers.telling import Telling
from harness.evidence import schema, tables
from harness.planning import target
from harness.planning.request import Request
from harness.replaying.code import Code
from harness.runtime import shipped
from target import versions
from target.versions import CONFIRM, CONFIRMED, PATCHED, QUOTES_FIRST, RELEASES, V1, V2, VERSIONED
from target.workflows import QUOTE, RELEASE, RESERVE

NAME = "as_versioned"
TARGET = target.load(shipped.TARGET)
TEXT = invariant.load(TARGET.invariants)[NAME]
T0 = 1_790_000_000 * 1_000_000_000
ORDER = {"order_id": "x", "kind": "plain", "sku": "sku-00", "quantity": 1}
QUOTES = [QUOTE, QUOTE, QUOTE]


def began(name, version=None, patches=()):
    """The events with which an order begins, as the engine has saved them."""
    turn, start = history_events_pb2.HistoryEvent(eventId=-1), history_events_pb2.HistoryEvent(eventId=-1)
    turn.workflowStarted.SetInParent()
    if version is not None:
        turn.workflowStarted.version.name = version
    turn.workflowStarted.version.patches.extend(patches)
    start.executionStarted.name = name
    start.executionStarted.input.value = json.dumps(ORDER)
    return [turn, start]


def ordered(release, name, version=None, patches=(), *, new=False):
    """What the code of a release orders first, where it replays the beginning of an order, or, if new, runs it."""
    named, patched = RELEASES[release]
    code = Code({VERSIONED: named, PATCHED: patched})
    events = began(name, version, patches)
    actions = code.orders_patched("x", [], events)[0] if new else code.orders("x", [], events)
    return [action.scheduleTask.name or action.WhichOneof("workflowActionType") for action in actions]


def test_a_new_order_runs_as_the_latest_version_that_its_release_has():
    assert ordered("v1", VERSIONED, new=True) == [RESERVE]
    assert ordered("v2", VERSIONED, new=True) == QUOTES


def test_an_order_goes_on_as_the_version_with_which_it_began():
    assert ordered("v2", VERSIONED, V1) == [RESERVE]
    assert ordered("v2", VERSIONED, V2) == QUOTES


def test_a_release_that_lacks_the_version_says_so():
    assert ordered("v1", VERSIONED, V2) == ["workflowVersionNotAvailable"]


def test_a_patch_is_applied_to_new_orders_and_to_those_that_have_it():
    assert ordered("v2", PATCHED, new=True) == QUOTES
    assert ordered("v2", PATCHED, patches=[QUOTES_FIRST]) == QUOTES
    assert ordered("v2", PATCHED) == ordered("v1", PATCHED) == [RESERVE]


@pytest.mark.parametrize(("name", "version"), [(VERSIONED, V1), (PATCHED, None)])
def test_the_bad_release_orders_something_else_under_the_same_name(name, version):
    assert ordered("v1", name, version) == [RESERVE]
    assert ordered("v1_changed", name, version) == QUOTES


def test_the_description_starts_each_release_and_names_its_code():
    assert {name: of.env for name, of in TARGET.app.versions.items()} == {
        release: {"APP_VERSION": release} for release in RELEASES
    }
    assert TARGET.workflows[VERSIONED].code == {V1: "target.versions:order_v1", V2: "target.versions:order_v2"}
    assert TARGET.workflows[PATCHED].code == "target.versions:patched_order"


def test_a_release_that_there_is_not_is_refused(monkeypatch):
    monkeypatch.setenv("APP_VERSION", "v9")

    with pytest.raises(KeyError, match="v9"):
        versions.register(WorkflowRuntime())


class Rows:
    """The rows of orders that have ended."""

    def __init__(self):
        self.of = {table.name: [] for table in schema.TABLES}

    def ended(self, instance, workflow, tasks, told, outcome="completed", turns=({},)):
        """`turns`: what `history` says of the version of each turn; the tasks come after the first."""
        rows = [("workflowStarted", {"patches": None} | turn) for turn in turns]
        rows[1:1] = [("taskScheduled", {"name": name, "task_id": number}) for number, name in enumerate(tasks, 1)]
        for position, (kind, others) in enumerate(rows):
            row = {"instance_id": instance, "position": position, "event_id": -1, "event": kind, "at_ns": T0}
            self.of["history"].append(row | others)
        output = json.dumps({"outcome": outcome, **told})
        row = {"instance_id": instance, "workflow": workflow, "status": "COMPLETED", "generation": 1}
        self.of["instances"].append(row | {"outcome": outcome, "output": output, "created_ns": T0, "completed_ns": T0})

    def judged(self, folder):
        for table in schema.TABLES:
            tables.write(folder, table, self.of[table.name])
        with open_database(Request("rolling_upgrade").plan(1), folder, None) as database:
            return examine(database, Telling(T0), NAME, TEXT, "target")


BOTH = ({"patches": json.dumps([QUOTES_FIRST])}, {"patches": json.dumps([CONFIRMED])})


@pytest.fixture(name="sound")
def _sound():
    rows = Rows()
    rows.ended("a", VERSIONED, [RESERVE, *QUOTES], {"version": V1}, turns=[{"version": V1}] * 2)
    rows.ended("b", VERSIONED, [*QUOTES, RESERVE, CONFIRM], {"version": V2}, turns=[{"version": V2}])
    rows.ended("c", VERSIONED, [*QUOTES, RESERVE, RELEASE], {"version": V2}, "compensated", [{"version": V2}])
    rows.ended("d", PATCHED, [RESERVE, *QUOTES], {"patches": []})
    rows.ended("e", PATCHED, [*QUOTES, RESERVE, CONFIRM], {"patches": [QUOTES_FIRST, CONFIRMED]}, turns=BOTH)
    rows.ended("f", PATCHED, [RESERVE, *QUOTES, CONFIRM], {"patches": [CONFIRMED]}, turns=({}, BOTH[1]))
    return rows


def test_each_version_and_each_set_of_patches_has_its_own_order(sound, tmp_path):
    found = sound.judged(tmp_path)

    assert (found.violations, found.examined, found.reason) == (0, 6, None)


@pytest.mark.parametrize(
    ("workflow", "tasks", "told", "outcome", "turns", "said"),
    [
        (VERSIONED, [RESERVE, *QUOTES], {"version": V2}, "completed", [{"version": V2}], "order of the other version"),
        (VERSIONED, [*QUOTES, RESERVE], {"version": V1}, "completed", [{"version": V1}], "order of the other version"),
        (VERSIONED, [RESERVE], {"version": V1}, "completed", [{"version": V2}], "the engine has it as order_v2"),
        (VERSIONED, [RESERVE], {"version": V1}, "completed", [{}], "the engine has it as no version"),
        (VERSIONED, [RESERVE], {"version": "v3"}, "completed", [{"version": "v3"}], "there is no such version"),
        (VERSIONED, [RESERVE], {}, "completed", [{}], "there is no such version"),
        (VERSIONED, [*QUOTES, RESERVE], {"version": V2}, "completed", [{"version": V2}], "it was not confirmed"),
        (VERSIONED, [RESERVE, CONFIRM], {"version": V1}, "completed", [{"version": V1}], "only the second version"),
        (VERSIONED, [*QUOTES, CONFIRM], {"version": V2}, "rejected", [{"version": V2}], "and was not shipped"),
        (PATCHED, [*QUOTES, RESERVE], {"patches": []}, "completed", [{}], "order of the other version"),
        (PATCHED, [RESERVE], {"patches": [CONFIRMED]}, "completed", [{}], "the engine has the patches none"),
        (PATCHED, [RESERVE], {"patches": [CONFIRMED]}, "completed", [BOTH[1]], "it was not confirmed"),
    ],
)
def test_what_does_not_agree_is_told(sound, tmp_path, workflow, tasks, told, outcome, turns, said):
    sound.ended("x", workflow, tasks, told, outcome, turns)

    found = sound.judged(tmp_path)

    assert [witness.instance_id for witness in found.witnesses] == ["x"]
    assert said in found.witnesses[0].sentence


def test_what_the_invariant_plants_itself_is_caught_by_it(sound, tmp_path):
    for number, plant in enumerate(invariant.parse(TEXT).plants):
        folder = tmp_path / str(number)
        folder.mkdir()
        sound.judged(folder)
        assert plants.make(plant, folder, folder)
        with open_database(Request("rolling_upgrade").plan(1), folder, None) as database:
            assert examine(database, Telling(T0), NAME, TEXT, "target").violations > 0, plant.sql
