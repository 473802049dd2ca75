"""Ends of any shape: outcomes that are no words, statuses, effects without compensation, ids that answers bring."""

import pytest

from harness.checkers.judge import judge
from harness.model import Result
from tests.builders.tutorial import EFFECTS, T0, Rows, plan

PROCESSED = {"outcome": "processed", "outcomes": {True: {"ends": "completed"}, "false": {"ends": "rejected"}}}


def judged(made, rows, tmp_path):
    return judge("run", made, rows.write(tmp_path))


def found(verdict, name):
    return next(finding for finding in verdict.findings if finding.name == name)


def violated(verdict):
    return [finding.name for finding in verdict.findings if finding.result is Result.VIOLATED]


def test_an_outcome_may_be_a_truth_value(tmp_path):
    rows = Rows()
    rows.ended("a", output={"processed": True}, outcome="true")
    rows.ended("b", output={"processed": False}, outcome="false")

    verdict = judged(plan(PROCESSED), rows, tmp_path)

    assert verdict.classes == {"completed": 1, "rejected": 1}
    assert violated(verdict) == []


def test_an_outcome_that_is_not_declared_is_no_contradiction_and_no_proof(tmp_path):
    rows = Rows()
    rows.ended("a", output={"processed": True}, outcome="true")
    rows.ended("b", output=[5], outcome=None)
    rows.ended("c", output={"processed": "perhaps"}, outcome="perhaps")

    verdict = judged(plan(PROCESSED), rows, tmp_path)

    assert (verdict.result, violated(verdict)) == (Result.UNKNOWN, [])
    assert verdict.classes == {"completed": 1, "undeclared": 2}
    sentences = [witness.sentence for witness in found(verdict, "record_declared").witnesses]
    assert any("order: perhaps is not in target.yaml" in sentence for sentence in sentences)
    assert any("none that could be found in [5]" in sentence for sentence in sentences)


def test_the_status_alone_may_say_how_an_instance_ended(tmp_path):
    rows = Rows()
    rows.ended("a", output=7)

    assert judged(plan(), rows, tmp_path).classes == {"completed": 1}


@pytest.mark.parametrize(
    ("statuses", "classes"),
    [({}, {"failed": 1}), ({"FAILED": {"ends": "rejected"}}, {"rejected": 1})],
)
def test_failed_is_an_end_only_where_the_target_says_so(tmp_path, statuses, classes):
    rows = Rows()
    rows.ended("a", status="FAILED")

    verdict = judged(plan({"statuses": statuses}), rows, tmp_path)

    assert verdict.classes == classes
    assert violated(verdict) == ([] if statuses else ["failed"])


def test_a_status_that_one_kind_allows_is_not_right_for_another(tmp_path):
    rows = Rows()
    rows.ended("a", status="FAILED")
    kinds = {"order": {"ends": ["completed"]}}

    verdict = judged(plan({"statuses": {"FAILED": {"ends": "rejected"}}, "kinds": kinds}), rows, tmp_path)

    assert violated(verdict) == ["expected_end"]


def with_effects(ends, *effects):
    return plan({"statuses": {"COMPLETED": {"ends": ends, "effects": list(effects)}}}, **EFFECTS)


def test_an_effect_without_a_compensation_may_stay_when_the_others_are_compensated(tmp_path):
    rows = Rows()
    rows.ended("a", effects=["take", "mail", "give_back"])

    verdict = judged(with_effects("compensated", "take"), rows, tmp_path)

    assert (verdict.classes, violated(verdict)) == ({"compensated": 1}, [])


def test_one_with_a_compensation_may_not(tmp_path):
    rows = Rows()
    rows.ended("a", effects=["take", "mail"])

    assert judged(with_effects("compensated", "take"), rows, tmp_path).classes == {"half_compensated": 1}


def test_one_without_a_compensation_may_not_stay_of_an_instance_that_was_rejected(tmp_path):
    rows = Rows()
    rows.ended("a", effects=["mail"])

    assert judged(with_effects("rejected"), rows, tmp_path).classes == {"contradiction": 1}


def test_an_instance_that_nobody_can_name_belongs_to_a_start_without_an_answer_if_there_is_one(tmp_path):
    by_answer = plan({"start": {"http": "/orders", "id": "id"}})
    rows = Rows()
    rows.ended("a")
    rows.call("order-000001", "unknown", None)
    rows.stored("b")

    verdict = judged(by_answer, rows, tmp_path / "one")
    assert (violated(verdict), verdict.classes) == ([], {"completed": 2, "never_started": 1})

    rows.stored("c")
    verdict = judged(by_answer, rows, tmp_path / "two")
    assert violated(verdict) == ["phantom"]
    assert verdict.classes["phantom"] == 2


CALLS = {
    "effects": [{"forward": "take", "compensation": "give_back"}, {"forward": "mail"}],
    "ledgers": [{"observed": "save", "matching": "*", "row": {"instance_id": "key", "effect": "value"}}],
}


def unanswered(instance, effect, kept=None):
    row = {"instance_id": instance, "effect": effect, "key": f"{instance}/{effect}", "source": "observed-0"}
    return row | {"called_ns": T0, "detail": "no answer came", "kept": kept}


def test_an_effect_of_which_nobody_knows_contradicts_nothing_and_proves_nothing(tmp_path):
    needs = {"statuses": {"COMPLETED": {"ends": "completed", "effects": ["take", "mail"]}}}
    rows = Rows()
    rows.ended("a", effects=["mail"])
    rows.of["unanswered"] = [unanswered("a", "take")]
    rows.of["effects"][0]["source"] = "observed-0"

    verdict = judged(plan(needs, **CALLS), rows, tmp_path)

    assert (verdict.result, violated(verdict)) == (Result.UNKNOWN, [])
    (witness,) = found(verdict, "open_effect").witnesses
    assert "a: whether take happened is not known" in witness.sentence

    rows.of["unanswered"] = [unanswered("a", "take", kept=False)]
    (tmp_path / "settled").mkdir()
    verdict = judged(plan(needs, **CALLS), rows, tmp_path / "settled")

    assert violated(verdict) == ["contradiction"]
    (note,) = verdict.notes
    assert note.endswith("got no answer; the ledger that settles them has 0 of them, so 1 did not happen")
