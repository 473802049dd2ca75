"""What the tap recorded, and the attempts that are made of it where an application writes none of its own."""

import pytest

from harness.checkers import invariant
from harness.checkers.database import open_database
from harness.checkers.examining import examine
from harness.checkers.telling import Telling
from harness.evidence import conversation
from tests.builders.evidence import write_evidence
from tests.builders.literal import sound

TEXT = invariant.load(invariant.GENERAL)["record_tap"]


@pytest.fixture(name="found")
def _found(planned, tmp_path):
    """`found(change, by_file)` -> the finding on a sound run after `change` of its deliveries."""

    def found(change, *, by_file=False):
        rows = sound()
        if not by_file:
            rows["attempts"] = list(conversation.attempts(rows["deliveries"]))
        change(rows["deliveries"])
        write_evidence(tmp_path, rows)
        plan = planned.model_copy(update={"target": planned.target.model_copy(update={"attempts": by_file})})
        with open_database(plan, tmp_path, None) as database:
            return examine(database, Telling(0), "record_tap", TEXT, "general")

    return found


def test_attempts_that_are_made_of_the_deliveries_say_the_same(found):
    finding = found(lambda deliveries: None)

    assert (finding.result, finding.violations) == ("HOLDS", 0)
    assert finding.examined > 0


@pytest.mark.parametrize(
    "change",
    [
        lambda deliveries: deliveries[0].update(instance_id="b"),
        lambda deliveries: deliveries[0].update(task_id=7),
        lambda deliveries: deliveries[0].update(activity="quote_v1"),
        lambda deliveries: deliveries[0].update(delivered_ns=deliveries[0]["delivered_ns"] - 1),
        lambda deliveries: deliveries.pop(),
    ],
    ids=["instance", "task", "activity", "time", "gone"],
)
def test_a_delivery_of_which_the_attempts_say_something_else_is_named(found, change):
    finding = found(change)

    assert finding.violations > 0
    assert "the attempts, which are made of the deliveries, say something else" in finding.witnesses[0].sentence


def test_an_answer_that_comes_after_its_stream_has_ended_is_one(found):
    def cut(deliveries):
        deliveries[0]["cut_ns"] = deliveries[0]["completed_ns"] - 1

    assert found(cut).result == "HOLDS"


def test_an_answer_cannot_be_cut_off_after_it_came(found):
    def cut(deliveries):
        deliveries[0]["cut_ns"] = deliveries[0]["completed_ns"] + 1

    assert "cut off before its answer" in found(cut).witnesses[0].sentence


def test_attempts_of_the_application_itself_are_not_made_of_deliveries(found):
    assert found(lambda deliveries: None, by_file=True).result == "HOLDS"
