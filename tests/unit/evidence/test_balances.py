"""Balances: numbers in the state store that must add up."""

import json

import pytest

from harness.checkers.judge import judge
from harness.evidence import balances
from harness.model import Result
from tests.builders.tutorial import Rows, plan

STOCK = {"keys": ["tea"], "value": "units", "start": 10, "key": "item", "amount": "units", "moves": "down"}
ENDS = {"outcome": "@", "outcomes": {"done": {"ends": "completed"}, "no": {"ends": "rejected"}}}


@pytest.mark.parametrize(
    ("asked", "moved"),
    [
        ('{"item": "tea", "units": 2}', [-2.0]),
        ('{"item": "coffee", "units": 2}', []),
        ('{"item": "tea", "units": "two"}', []),
        ("no JSON", []),
        (None, []),
    ],
)
def test_what_an_instance_moves_is_said_by_its_input(asked, moved):
    events = [
        {"instance_id": "a", "event": "workflowStarted", "payload": None},
        {"instance_id": "a", "event": "executionStarted", "payload": asked},
    ]

    rows = list(balances.moves(plan(balances={"stock": STOCK}).target, events))

    assert [row["amount"] for row in rows] == moved
    assert all((row["instance_id"], row["balance"], row["key"]) == ("a", "stock", "tea") for row in rows)


def left(tmp_path, ended, *ends):
    """What the judge says if `ended` is left of ten, and instances that take one each ended so."""
    rows = Rows()
    for number, (status, outcome) in enumerate(ends):
        rows.ended(f"i{number}", status=status, output=outcome, outcome=outcome)
        rows.of["moves"].append({"instance_id": f"i{number}", "balance": "stock", "key": "tea", "amount": -1.0})
    rows.of["balances"].append({"balance": "stock", "key": "tea", "began": 10.0, "ended": float(ended)})
    verdict = judge("run", plan(ENDS, balances={"stock": STOCK}), rows.write(tmp_path))
    return next(finding for finding in verdict.findings if finding.name == "balances")


@pytest.mark.parametrize(
    ("ended", "result"),
    [(8, Result.HOLDS), (9, Result.VIOLATED), (7, Result.VIOLATED)],
)
def test_each_completed_instance_has_moved_it_once(tmp_path, ended, result):
    """One more is an update that was lost, one less is one that was made twice; a rejected one moves nothing."""
    done = ("COMPLETED", "done")

    assert left(tmp_path, ended, done, done, ("COMPLETED", "no")).result is result


@pytest.mark.parametrize(("ended", "result"), [(9, Result.HOLDS), (8, Result.HOLDS), (7, Result.VIOLATED)])
def test_one_of_which_the_end_is_not_decided_may_have_moved_it_or_not(tmp_path, ended, result):
    assert left(tmp_path, ended, ("COMPLETED", "done"), ("FAILED", None)).result is result


def test_the_sentence_says_what_is_missing(tmp_path):
    (witness,) = left(tmp_path, 9, ("COMPLETED", "done"), ("COMPLETED", "done")).witnesses

    assert witness.sentence.startswith("stock of tea was 10.0 and is 9.0; 2 completed instances moved it by -2.0, ")
    assert json.dumps(witness.row)
