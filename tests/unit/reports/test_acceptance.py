"""What is true, what could be judged, and what is accepted: three things, never mixed up."""

import pytest
from harness_reports import acceptance

from harness.checkers.gate import Decision
from harness.errors import Exit
from harness.model import INTERRUPTED, Gate, Planted, Result, SelfTest
from tests.builders import shop
from tests.builders.shop import finding


def of(verdict, code=Exit.HOLDS, *, gate=None, selftest=None):
    plan = shop.plan()
    if gate is not None:
        plan = plan.model_copy(update={"scenario": plan.scenario.model_copy(update={"gate": gate})})
    return acceptance.of(plan, verdict, Decision(code), selftest)


def tones(three):
    return three.true.tone, three.judged.tone, three.accepted.tone


BROKEN = finding("lost", Result.VIOLATED, violations=1)


@pytest.mark.parametrize(
    ("verdict", "code", "told", "differ"),
    [
        (shop.verdict(), Exit.HOLDS, ("holds", "holds", "holds"), False),
        (shop.verdict(missed_levels=("slow",)), Exit.GATE_MISSED, ("holds", "holds", "unknown"), True),
        (shop.verdict((BROKEN,)), Exit.VIOLATED, ("violated", "holds", "violated"), False),
        (shop.explained()[0], Exit.HOLDS, ("violated", "holds", "holds"), True),
        (
            shop.verdict(result=Result.UNKNOWN, lacking=("a fault was not felt",)),
            Exit.UNKNOWN,
            ("unknown", "unknown", "unknown"),
            False,
        ),
        (
            shop.verdict((BROKEN, finding("stuck", Result.UNKNOWN, reason="no"))),
            Exit.VIOLATED,
            ("violated", "unknown", "violated"),
            False,
        ),
        (shop.verdict(modified=("evidence/effects.parquet",)), Exit.UNKNOWN, ("holds", "unknown", "unknown"), True),
    ],
)
def test_each_of_the_three_has_a_tone_of_its_own(verdict, code, told, differ):
    three = of(verdict, code)
    assert tones(three) == told
    assert three.differ is differ


def test_every_reason_stands_in_one_place():
    reasons = (
        "lost is violated 1 times: What was accepted exists.",
        "stuck cannot be told: no",
        "a fault was not felt",
    )
    three = of(shop.verdict((BROKEN,), reasons=reasons, lacking=reasons[2:]), Exit.VIOLATED)
    assert three.true.more == reasons[:1]
    assert three.judged.more == (reasons[2], reasons[1])


def test_service_levels_are_told_whether_they_are_met_or_missed_or_not_asked_for():
    asked = Gate(recovery=3.0)
    assert of(shop.verdict()).accepted.more == ("The scenario's gate asks for no service level.",)
    assert of(shop.verdict(), gate=asked).accepted.more == ("Every service level of the gate was met: recovery.",)
    missed = of(shop.verdict(missed_levels=("recovery: 9 s",)), Exit.GATE_MISSED, gate=asked)
    assert missed.accepted.more == ("Service level missed: recovery: 9 s",)
    assert missed.accepted.sentence == "It does not pass: a service level was missed. Exit code 3."


def test_an_interrupted_run_is_told_with_the_code_that_it_ended_with():
    lacking = (f"the load phase was cut short: {INTERRUPTED}",)
    assert "exit code 130" in of(shop.verdict(result=Result.UNKNOWN, lacking=lacking), Exit.UNKNOWN).accepted.more[-1]


def test_the_score_of_planted_defects_belongs_to_what_could_be_judged():
    planted = Planted(defect="x", table="effects", expected=("lost",), planted=True, caught=("lost",))
    told = of(shop.verdict(), selftest=SelfTest(defects=(planted,))).judged.more
    assert told[0].startswith("Self-test of the checker: of 1 defect planted in copies of this evidence, 1 were caught")
