"""Annotations: the worst ten, and nothing from outside is a workflow command of its own."""

import re

import pytest
from harness_reports import annotations, reported

from harness.checkers.gate import Decision
from harness.errors import Exit, NodeError
from harness.model import Result, Witness
from tests.builders import shop
from tests.builders.hostile import HOSTILE
from tests.builders.shop import finding

THIN = shop.verdict(result=Result.UNKNOWN, reasons=("too thin",), lacking=("too thin",))
LOST = shop.verdict(
    (
        finding(
            "lost",
            Result.VIOLATED,
            violations=31,
            witnesses=(Witness(instance_id="a", sentence="a was accepted, and is gone.", row={}),),
        ),
    )
)


def parsed(line):
    """A line as the runner takes it (ActionCommand.TryParseV2 in actions/runner): name, properties, message."""
    assert line.startswith("::")
    info, _, message = line[2:].partition("::")
    name, _, rest = info.partition(" ")
    properties = dict(pair.split("=", 1) for pair in rest.split(","))
    for escaped, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        properties = {key: value.replace(escaped, sign) for key, value in properties.items()}
        message = message.replace(escaped, sign) if sign not in ":," else message
    return name, properties, message


def test_a_run_that_does_not_pass_is_an_error_with_its_witness():
    (line,) = annotations.lines([shop.reported(shop.verdict()), shop.reported(LOST, seed=8)])

    name, properties, message = parsed(line)
    assert (name, properties) == ("error", {"title": "VIOLATED: demo, seed 8"})
    assert message.splitlines() == [
        "A promise was broken: 1 of 1 invariant is violated.",
        "lost (31 rows): a was accepted, and is gone.",
    ]


def test_at_most_ten_the_worst_first_and_how_many_more():
    failed = [reported.failed(shop.plan(seed=seed), "processes", NodeError("no redis")) for seed in range(20, 26)]
    runs = [*(shop.reported(THIN, seed=seed) for seed in range(1, 8)), *failed, shop.reported(LOST)]

    found = [parsed(line) for line in annotations.lines(runs, ["stuck was met too often"])]

    assert [properties["title"] for _, properties, _ in found] == [
        "does not pass",
        "VIOLATED: demo, seed 7",
        *(f"NO VERDICT: demo, seed {seed}" for seed in range(20, 26)),
        "UNKNOWN: demo, seed 1",
        "6 more",
    ]
    assert found[2][2] == "no redis"
    assert found[8][2].splitlines()[1:] == ["too thin"]


def test_what_passes_is_not_annotated():
    assert annotations.lines([shop.reported(shop.verdict()), shop.reported(*shop.explained())]) == []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_from_outside_ends_a_value_or_begins_a_command(text):
    witness = Witness(instance_id=text, sentence=text, row={})
    verdict = shop.verdict((finding(text, Result.VIOLATED, violations=1, witnesses=(witness,)),), scenario=text)
    plan = shop.plan()
    plan = plan.model_copy(update={"scenario": plan.scenario.model_copy(update={"name": text})})
    run = reported.ReportedRun(plan, Decision(Exit.VIOLATED, (text,)), verdict=verdict)

    for line in annotations.lines([run], [text]):
        assert re.fullmatch(r"::error title=[^:,\r\n]*::[^\r\n]*", line)
        assert line.isprintable()
        name, properties, _ = parsed(line)
        assert (name, list(properties)) == ("error", ["title"])
