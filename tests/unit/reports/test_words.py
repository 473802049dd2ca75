"""Words: the same sentences, numbers and times in every report."""

import pytest
from harness_reports import words

from harness.model import Result
from tests.builders import shop


def test_a_known_finding_is_told_with_what_it_explains_and_where_upstream_speaks_of_it():
    found, decision = shop.explained()

    assert (
        words.headline(found)
        == "A promise was broken: 1 of 2 invariants is violated, and known findings explain all of it."
    )
    assert words.known(found.known[0]) == (
        "result_discarded explains 2 rows, shown by 2 instances: An activity whose first result is discarded is never "
        "executed again (dapr/dapr#10490, mended in 1.19.0)"
    )
    assert words.gate(decision) == "Passes: every violation is explained by a known finding"
    assert words.gate(shop.DECISION) is None


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 ms"),
        (0.00042, "0.42 ms"),
        (0.0123, "12.3 ms"),
        (0.9999, "1,000 ms"),
        (2.1, "2.1 s"),
        (95.34, "95.3 s"),
        (1234.5, "1,234 s"),
        (None, "–"),  # noqa: RUF001 - the sign for nothing
    ],
)
def test_a_length_of_time_has_its_unit_and_three_digits(seconds, told):
    assert words.took(seconds) == told


def test_the_command_that_repeats_a_run_names_what_differs_from_the_defaults():
    plan = shop.plan()
    assert words.repeat(plan) == "harness run demo --seed 7"
    other = shop.plan(defect="double_ship", dapr_version="1.17.0")
    assert words.repeat(other) == "harness run demo --seed 7 --defect double_ship --dapr-version 1.17.0"
    assert words.repeat(plan, "compose") == "harness run demo --seed 7 --backend compose"


def test_a_name_that_a_shell_would_take_apart_is_quoted_in_that_command():
    scenario = shop.plan().scenario.model_copy(update={"name": "mine; rm -rf ~"})
    assert words.repeat(shop.plan(scenario=scenario.model_dump(by_alias=True))) == (
        "harness run 'mine; rm -rf ~' --seed 7"
    )


def test_what_cannot_be_seen_is_shown_and_does_nothing():
    assert (
        words.printable("a\x1b[31m\tb\n\u202ec\x00") == "a\N{REPLACEMENT CHARACTER}[31m b \N{REPLACEMENT CHARACTER}c�"
    )


def test_a_text_that_is_cut_says_so_and_is_no_longer_than_asked():
    assert words.shortened("one  two\nthree", 20) == "one two three"
    assert words.shortened("one two three", 9) == "one two…"


def test_every_verdict_is_told_in_a_sentence_with_its_numbers():
    assert words.headline(shop.verdict()) == (
        "Every promise that was examined was kept, by what clients were told and what the engine stored: "
        "10 invariants over 600 instances."
    )
    one = shop.verdict((shop.finding("lost", Result.VIOLATED, violations=3), shop.finding("stuck")))
    assert words.headline(one) == "A promise was broken: 1 of 2 invariants is violated."
    thin = shop.verdict(result=Result.UNKNOWN)
    assert words.headline(thin) == "This run cannot tell whether the promises were kept: 10 of 10 invariants held."


def test_violated_findings_come_before_unknown_ones_and_those_before_the_rest():
    found = [Result.HOLDS, Result.UNKNOWN, Result.VIOLATED, Result.HOLDS]
    verdict = shop.verdict(tuple(shop.finding(f"i{n}", result) for n, result in enumerate(found)))
    assert [finding.name for finding in words.findings(verdict)] == ["i2", "i1", "i0", "i3"]


def test_end_classes_keep_their_order_and_unknown_ones_come_last():
    assert words.in_order(["zombie", "lost", "completed", "refused"]) == ["completed", "refused", "lost", "zombie"]
    assert words.end_class("zombie").tone == "unknown"


def test_a_fault_that_nobody_felt_is_not_counted_as_felt():
    kill, *others = shop.fault_findings()
    verdict = shop.verdict(faults=(kill.model_copy(update={"felt_after": None}), *others))
    assert words.faults_felt(verdict) == "3 of 4 felt"
    assert words.faults_felt(shop.verdict(faults=())) == "no faults"
