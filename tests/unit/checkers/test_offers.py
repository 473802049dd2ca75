"""Applicable, examined and judged are three things."""

import re

import pytest

from harness.checkers import invariant, offers, planned
from harness.checkers.judge import judge
from harness.model import Activity, Result
from tests.builders.tutorial import EFFECTS, MS, Rows, plan

TAKES = {"statuses": {"COMPLETED": {"ends": "completed", "effects": ["take"]}}}


def unchanged(count=3):
    """The evidence of an application that never heard of us."""
    rows = Rows()
    for number in range(count):
        rows.ended(f"i{number}")
    return rows


@pytest.fixture(name="judged")
def _judged(tmp_path, monkeypatch):
    """Judges such rows as those of a run whose plan has just these starts."""

    def judged(rows, of):
        monkeypatch.setattr(planned, "schedule", lambda *_: rows.arrivals())
        return judge("run", of, rows.write(tmp_path))

    return judged


def left(verdict):
    return {name for each in verdict.not_applicable for name in each.invariants}


def test_an_application_that_was_left_unchanged_can_hold(judged):
    verdict = judged(unchanged(), plan())

    assert (verdict.result, verdict.reasons) == (Result.HOLDS, ())
    assert verdict.rests_on == ("what clients were told", "what the engine stored")
    assert left(verdict) == {
        name for name, text in invariant.load(invariant.GENERAL).items() if invariant.parse(text).needs
    } - {"retried_too_often"}
    (together,) = [each for each in verdict.not_applicable if "body_ran" in each.invariants]
    assert together.invariants == ("body_ran", "body_scheduled", "record_bodies", "result_after_body")
    assert (together.lacking, "a run with the tap" in together.give) == ("which activities ran", True)


def test_every_invariant_is_judged_or_not_applicable_and_never_both(tmp_path):
    verdict = judge("run", plan(), unchanged().write(tmp_path))

    judged = {finding.name for finding in verdict.findings}
    assert judged & left(verdict) == set()
    assert judged | left(verdict) == invariant.load(invariant.GENERAL).keys()


@pytest.mark.parametrize(
    ("declared", "name"),
    [({"attempts": True}, "body_ran"), (EFFECTS | {"workflows": {}}, "duplicated")],
)
def test_what_a_target_offers_and_the_run_lacks_is_unknown(tmp_path, declared, name):
    declared = {field: value for field, value in declared.items() if field != "workflows"}
    verdict = judge("run", plan(**declared), unchanged().write(tmp_path))

    (found,) = [finding for finding in verdict.findings if finding.name == name]
    assert (found.result, found.reason) == (Result.UNKNOWN, "there was nothing to examine")
    assert verdict.result is not Result.HOLDS


def test_attempts_that_are_there_are_judged_though_nobody_declared_them(judged):
    rows = unchanged(1)
    body = {"instance_id": "i0", "activity": "take", "task_id": 0, "attempt_id": "1", "node": "app-0"}
    task = next(row for row in rows.of["history"] if row["event"] == "taskScheduled")
    rows.of["attempts"].append(
        body | {"started_ns": task["at_ns"], "ended_ns": task["at_ns"] + MS // 2, "outcome": "ok"}
    )

    verdict = judged(rows, plan())

    assert verdict.result is Result.HOLDS, verdict.reasons
    assert verdict.rests_on[-1] == "which activities ran"
    assert not {"body_ran", "result_after_body"} & left(verdict)


def test_what_contradicts_a_claim_counts_though_it_is_not_applicable(tmp_path):
    """Nothing is hidden by what a target.yaml leaves out."""
    rows = unchanged(1)
    rows.of["operations"][0]["workflow"] = "another"

    verdict = judge("run", plan(), rows.write(tmp_path))

    assert "contradiction" not in left(verdict)
    assert next(finding for finding in verdict.findings if finding.name == "contradiction").result is Result.VIOLATED


def test_one_effect_without_compensation_leaves_out_what_needs_two(judged):
    rows = Rows()
    rows.ended("a", effects=["take"])
    one = {**EFFECTS, "effects": [{"forward": "take"}]}

    verdict = judged(rows, plan(TAKES, **one))

    assert verdict.result is Result.HOLDS, verdict.reasons
    assert {"half_compensated", "over_compensated", "misordered"} <= left(verdict)
    assert {"duplicated", "late_effect", "contradiction"} <= {finding.name for finding in verdict.findings}


BARE = {**EFFECTS, "ledgers": [{**EFFECTS["ledgers"][0], "row": {"at": None, "key": None}}]}
NEED_TIMES = {"effect_in_body", "effect_of_activity", "late_effect", "misordered"}


def bare(*instances):
    """Instances whose effects have neither a time nor a key."""
    rows = Rows()
    for instance, effects in instances:
        rows.ended(instance, effects=effects)
    for row in rows.of["effects"]:
        row |= {"at_ns": None, "key": None}
    return rows


def test_a_ledger_without_times_and_keys_judges_what_needs_none(judged):
    rows = bare(("a", ["take"]), ("b", ["take"]))

    verdict = judged(rows, plan(TAKES, **BARE, attempts=False))

    assert verdict.result is Result.HOLDS, verdict.reasons
    assert left(verdict) >= NEED_TIMES
    (together,) = [each for each in verdict.not_applicable if "late_effect" in each.invariants]
    assert (together.lacking, "row: {at: ...}" in together.give) == ("when effects were committed", True)
    assert {"duplicated", "record_ledgers", "contradiction"} <= {finding.name for finding in verdict.findings}


def test_a_duplicate_is_one_without_times_and_keys(judged):
    verdict = judged(bare(("a", ["take", "take"]), ("b", ["take"])), plan(TAKES, **BARE))

    violated = {finding.name: finding for finding in verdict.findings if finding.result is Result.VIOLATED}
    assert violated.keys() == {"duplicated"}
    assert "take at a time unknown" in violated["duplicated"].witnesses[0].sentence


def test_what_a_ledger_promises_and_lacks_is_told(judged):
    verdict = judged(bare(("a", ["take"])), plan(TAKES, **EFFECTS))

    found = next(finding for finding in verdict.findings if finding.name == "record_ledgers")
    assert found.result is Result.UNKNOWN
    assert "stock-tea: the effect at 0 has no time" in found.witnesses[0].sentence


def test_one_ledger_without_times_leaves_order_open_and_calls_nothing_misordered(judged):
    rows = Rows()
    rows.ended("a", effects=["mail", "take"])
    rows.effect("b", "take")
    both = {"statuses": {"COMPLETED": {"ends": "completed", "effects": ["take", "mail"]}}}
    rows.of["effects"].pop()
    mixed = {**EFFECTS, "ledgers": [*EFFECTS["ledgers"], {"prefix": "mail-", "field": "rows", "row": {"at": None}}]}

    assert judged(rows, plan(both, **EFFECTS)).classes == {"misordered": 1}
    assert judged(rows, plan(both, **mixed)).classes == {"completed": 1}


def test_an_sdk_without_call_ids_leaves_out_how_activities_are_tried_again(judged):
    rows = unchanged()
    for row in rows.of["history"]:
        row["call_id"] = None

    verdict = judged(rows, plan(retries={"take": {"attempts": 3}}))

    assert verdict.result is Result.HOLDS, verdict.reasons
    assert {"retried_too_often", "retry_wait"} <= left(verdict)


def test_call_ids_that_the_tap_saw_and_the_history_lacks_are_missing_and_not_unoffered(judged):
    rows = unchanged()
    for row in rows.of["history"]:
        row["call_id"] = None
    for number, task in enumerate(row for row in rows.of["history"] if row["event"] == "taskScheduled"):
        delivery = {"instance_id": task["instance_id"], "activity": "take", "task_id": 0, "node": "app-0"}
        delivery |= {"execution_id": f"e{number}", "attempt_id": f"app-0#{number}", "outcome": "ok"}
        rows.of["deliveries"].append(
            delivery | {"delivered_ns": task["at_ns"] + 1, "completed_ns": task["at_ns"] + MS // 2}
        )
    tapped = plan(retries={"take": {"attempts": 3}}).model_copy(update={"tap": True})

    verdict = judged(rows, tapped)

    assert not {"retried_too_often", "retry_wait"} & left(verdict)
    found = next(finding for finding in verdict.findings if finding.name == "retried_too_often")
    assert found.result is Result.UNKNOWN


def test_the_evidence_that_an_invariant_needs_is_evidence_that_can_be_offered():
    text = "-- claim: c\n-- examined: SELECT 1\n-- witness: w\n-- needs: luck\nSELECT 1"

    with pytest.raises(ValueError, match=re.escape(f"needs names evidence: {', '.join(offers.OFFERS)}; not 'luck'")):
        invariant.parse(text)


ABOUT = "-- claim: c\n-- workflows: {}\n-- examined: SELECT 0\n-- witness: {{instance_id}}.\n{}"
NO_ROW = "SELECT instance_id FROM instances WHERE FALSE"
A_ROW = "SELECT instance_id FROM instances ORDER BY instance_id LIMIT 1"


@pytest.mark.parametrize(
    ("workflows", "query", "told"),
    [
        ("other", NO_ROW, "instances of other"),
        ("other, another", NO_ROW, "instances of other or another"),
        ("other, order", NO_ROW, None),
        ("child", NO_ROW, None),
        ("other", A_ROW, None),
    ],
)
def test_what_is_about_other_workflows_is_not_applicable_and_still_not_hidden(tmp_path, workflows, query, told):
    """It examined nothing: where it is applicable, it is UNKNOWN."""
    rows = unchanged()
    rows.stored("i0-child", workflow="child", parent_id="i0", root_id="i0")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/about.sql").write_text(ABOUT.format(workflows, query))

    verdict = judge("run", plan(), rows.write(tmp_path), drafts=tmp_path / "own")

    lacking = {each.lacking: each.give for each in verdict.not_applicable if "about" in each.invariants}
    found = [finding.result for finding in verdict.findings if finding.name == "about"]
    if told is None:
        assert (lacking, found) == ({}, [Result.VIOLATED if query == A_ROW else Result.UNKNOWN])
    else:
        names = told.removeprefix("instances of ")
        assert (lacking, found) == ({told: f"a load that starts {names} (`load` in the scenario)"}, [])


def other_workflow(**about):
    """A plan that starts `order`, for a target that also has the workflow `other`."""
    made = plan(**EFFECTS)
    (order,) = made.target.workflows.values()
    other = order.model_copy(update=about)
    target = made.target.model_copy(update={"workflows": {**made.target.workflows, "other": other}})
    return made.model_copy(update={"target": target})


def test_effects_that_only_another_workflow_has_are_not_applicable_unless_there_are_some(judged):
    having = {"activities": {"take": Activity(effect="take")}}
    rows = unchanged()
    rows.effect("i0", "take")

    assert {"duplicated", "half_compensated", "misordered"} <= left(judged(unchanged(), other_workflow(**having)))
    assert "duplicated" not in left(judged(unchanged(), other_workflow()))
    assert "duplicated" not in left(judged(rows, other_workflow(**having)))


def test_a_workflow_that_only_waits_has_no_activities_to_judge(judged):
    rows = unchanged()
    for row in rows.of["history"]:
        if row["event"].startswith("task"):
            row["event"] = row["event"].replace("taskScheduled", "timerCreated").replace("taskCompleted", "timerFired")
            row |= {"name": None, "payload": None, "call_id": None, "fire_at_ns": row["at_ns"]}

    tapped = plan().model_copy(update={"tap": True})
    verdict = judged(rows, tapped)

    assert {"body_ran", "body_scheduled", "record_tap", "result_after_body"} <= left(verdict)
    assert "which activities ran" not in verdict.rests_on
    assert "body_ran" not in left(judged(unchanged(), tapped))
