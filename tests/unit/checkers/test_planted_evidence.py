"""
Every invariant can fail: lies planted in a small literal run, each caught by the invariants that name it.
"""

import functools
import shutil

import pytest

from harness.checkers import invariant, plants
from harness.checkers.examining import examine
from harness.checkers.judge import judge
from harness.checkers.telling import Telling
from harness.evidence import schema, tables
from harness.evidence.columns import Table
from harness.planning import target
from harness.runtime import shipped
from tests.builders import literal
from tests.builders.literal import change, sound
from tests.builders.record_lies import RECORD_LIES, fault

LIES = literal.LIES | RECORD_LIES

REFERENCE = target.load(shipped.TARGET)
OF_TARGET = {
    name: text
    for name, text in invariant.load(REFERENCE.invariants).items()
    if not (about := invariant.parse(text).workflows) or "order_v1" in about  # the run has orders alone
}
TEXTS = invariant.load(invariant.GENERAL) | OF_TARGET
PAIRS = [
    (name, lie) for name, text in TEXTS.items() for lie in invariant.parse(text).catches if lie not in REFERENCE.defects
]
PLANTS = [(name, plant) for name, text in TEXTS.items() for plant in invariant.parse(text).plants]


@pytest.fixture(name="planted", scope="module")
def _planted(truth, tmp_path_factory):
    """Lie (or None) -> the evidence of the run with that lie."""

    @functools.cache
    def of(lie):
        true, rows = sound(), sound()
        LIES.get(lie, lambda _: None)(rows)
        folder = tmp_path_factory.mktemp("lie") / "evidence"
        shutil.copytree(truth, folder)
        for table in schema.TABLES:
            if rows[table.name] != true[table.name]:
                tables.write(folder, table, rows[table.name])
        return folder

    return of


@pytest.fixture(name="judged", scope="module")
def _judged(planned, planted):
    """Lie (or None) -> the verdict on the run with that lie; each is judged once."""
    return functools.cache(lambda lie: judge("run", planned, planted(lie)))


def test_a_sound_run_holds(judged):
    verdict = judged(None)

    assert [(f.name, f.result, f.reason) for f in verdict.findings if f.result != "HOLDS"] == []


def test_an_sdk_may_send_an_empty_text_where_a_function_returns_nothing(truth, planned, tmp_path):
    rows = sound()["history"]
    nothing = [row for row in rows if row["event"] == "taskCompleted" and row["payload"] == "null"]
    assert nothing
    for row in nothing:
        row["payload"] = ""  # as JavaScript's does
    shutil.copytree(truth, tmp_path / "evidence")
    tables.write(tmp_path / "evidence", schema.HISTORY, rows)

    verdict = judge("run", planned, tmp_path / "evidence")

    assert [(f.name, f.result, f.reason) for f in verdict.findings if f.result != "HOLDS"] == []
    assert verdict.reasons == ()
    expected = {"completed": 2, "compensated": 2, "rejected": 3, "terminated": 2, "purged": 1, "never_started": 1}
    assert verdict.classes == expected


def test_a_task_whose_only_execution_was_forgotten_is_the_engines_doing(judged):
    layers = {
        lie: [
            witness.row["layer"]
            for finding in judged(lie).findings
            for witness in finding.witnesses
            if finding.name == "stuck"
        ]
        for lie in ("task_forgotten", "end_undone")
    }

    assert layers == {"task_forgotten": ["engine"], "end_undone": ["not decided"]}


@pytest.mark.parametrize(("name", "lie"), PAIRS, ids=[f"{name}-{lie}" for name, lie in PAIRS])
def test_a_lie_is_caught_by_the_invariant_that_names_it(told, name, lie):
    with told(LIES[lie]) as database:
        found = examine(database, Telling(0), name, TEXTS[name], "general")

    assert found.result != "HOLDS"
    assert found.violations > 0, found.reason


@pytest.mark.parametrize(("name", "plant"), PLANTS, ids=[f"{name}-{plant.table.name}" for name, plant in PLANTS])
def test_what_an_invariant_plants_itself_is_caught_by_it(truth, copy, name, plant):
    assert plants.make(plant, truth, copy.folder)
    with copy.changed([plant.table]):
        found = examine(copy.database, Telling(0), name, TEXTS[name], "general")

    assert found.violations > 0, found.reason


@pytest.mark.parametrize(
    ("proof", "violations"),
    [('{"reason": "provider-0 wrote nothing in 5 s"}', 0), ("{}", 1), (None, 1)],
    ids=["it says why", "it does not say why", "nothing is told"],
)
def test_a_fault_that_could_not_be_applied_says_why_and_may_be_healed_all_the_same(told, proof, violations):
    with told(lambda rows: fault(rows, applied_ns=None, felt_ns=None, proof=proof)) as database:
        found = examine(database, Telling(0), "record_faults", TEXTS["record_faults"], "general")

    assert found.violations == violations, found.reason


def test_every_lie_is_named_by_some_invariant_and_every_invariant_can_fail():
    assert {lie for _, lie in PAIRS} == set(LIES)
    assert {name for name, _ in PAIRS} | {name for name, _ in PLANTS} == set(TEXTS)


def test_the_same_evidence_gives_the_same_bytes(planned, truth):
    first, second = (judge("run", planned, truth).model_dump_json() for _ in range(2))

    assert first == second


@pytest.mark.parametrize("table", [t for t in schema.TABLES if t.name != "samples"], ids=lambda table: table.name)
def test_evidence_that_is_missing_is_unknown(planned, truth, tmp_path, table):
    shutil.copytree(truth, tmp_path, dirs_exist_ok=True)
    tables.path(tmp_path, table).unlink()

    verdict = judge("run", planned, tmp_path)

    assert verdict.result == "UNKNOWN"
    assert any(f"evidence/{table.name}.parquet is missing" in reason for reason in verdict.reasons)


def test_a_column_that_came_later_is_null_in_older_files(planned, truth, tmp_path):
    shutil.copytree(truth, tmp_path, dirs_exist_ok=True)
    older = Table("history", "", tuple(column for column in schema.HISTORY.columns if not column.later))
    tables.write(tmp_path, older, [{name: row.get(name) for name in older.types} for row in sound()["history"]])

    findings = {finding.name: finding.result for finding in judge("run", planned, tmp_path).findings}

    assert findings["history_tasks"] == "HOLDS"


def test_evidence_that_is_no_parquet_is_unknown(planned, truth, tmp_path):
    shutil.copytree(truth, tmp_path, dirs_exist_ok=True)
    (tmp_path / "effects.parquet").write_bytes(b"no such thing")

    assert judge("run", planned, tmp_path).result == "UNKNOWN"


def test_a_scenario_can_let_a_kind_end_in_more_ways(planned, truth):
    """Every refused order is compensated; where its kind may only complete, that is told."""
    narrow = planned.target.model_dump()
    narrow["workflows"]["order_v1"]["kinds"]["refused"]["ends"] = ["completed"]
    checks = {"settle": 60, "ends": {"refused": ["compensated"]}}

    def found(**scenario_changes):
        made = planned.model_copy(
            update={
                "target": type(planned.target).model_validate(narrow),
                "scenario": planned.scenario.model_copy(update=scenario_changes),
            }
        )
        return next(f for f in judge("run", made, truth).findings if f.name == "expected_end")

    assert found().result == "VIOLATED"
    assert found(checks=type(planned.scenario.checks).model_validate(checks)).result == "HOLDS"


@pytest.mark.parametrize("phase", ["load", "settle"])
def test_a_run_that_was_given_up_is_unknown_and_says_why(planned, truth, tmp_path, phase):
    """Cut short in the settle phase, nothing can be called stuck."""
    shutil.copytree(truth, tmp_path, dirs_exist_ok=True)
    rows = sound()["phases"]
    one = next(row for row in rows if row["phase"] == phase)
    one["detail"] = "the disk has 120 MB left"
    tables.write(tmp_path, schema.PHASES, rows)

    verdict = judge("run", planned, tmp_path)

    assert verdict.result == "UNKNOWN"
    assert f"the {phase} phase was cut short: the disk has 120 MB left" in verdict.reasons
    stuck = next(finding for finding in verdict.findings if finding.name == "stuck")
    assert stuck.result == ("UNKNOWN" if phase == "settle" else "HOLDS")


def test_the_choice_of_an_earlier_generation_cannot_be_judged(planned, truth, tmp_path):
    """Its answers went with its history."""
    shutil.copytree(truth, tmp_path, dirs_exist_ok=True)
    rows = sound()
    change(rows, "effects", {"attributes": '{"provider": "heron", "price": 700, "quantity": 2}'}, key="a/ship")
    change(rows, "instances", {"generation": 2}, instance_id="a")
    for table in (schema.EFFECTS, schema.INSTANCES):
        tables.write(tmp_path, table, rows[table.name])

    findings = {finding.name: finding.violations for finding in judge("run", planned, tmp_path).findings}

    assert findings["wrong_choice"] == 0
    assert findings["ran_again"] == 1


def test_a_task_that_the_history_has_twice_is_no_stock_that_was_not_reserved(told):
    """As where a paused instance orders again; that is told by others."""

    def ordered_again(rows):
        ordered = literal.one(rows, "history", instance_id="a", event="taskScheduled", name="reserve_stock_v1")
        rows["history"].append({**ordered, "position": 99})

    with told(ordered_again) as database:
        truly = examine(database, Telling(0), "told_truly", TEXTS["told_truly"], "target")
        twice = examine(database, Telling(0), "history_ids", TEXTS["history_ids"], "general")

    assert (truly.violations, twice.violations) == (0, 1)
