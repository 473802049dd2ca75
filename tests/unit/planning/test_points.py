"""The points at which a fault can be aimed, where nobody announces them and where somebody does."""

import pytest

from harness.errors import UsageError
from harness.model import Activity, Aim, FaultEntry, Scenario, Step
from harness.planning import points
from tests.builders import tutorial

AROUND = ("before_body", "after_return")
HELD = ("before_body", "after_effect", "after_return")
ROW = {"instance_id": "value.id", "key": None}
SAVES = {"observed": "save", "matching": "*", "row": {**ROW, "effect": "'take'"}}
ANY = {"observed": "publish", "matching": "*", "row": {**ROW, "effect": "value.kind"}}
CALLS = {"calls": "bank", "path": "/mails", "row": {**ROW, "effect": "'mail'"}}
ACTIVITIES = {"take": {"effect": "take"}, "mail": {"effect": "mail"}, "think": {}}


def made(*ledgers, announces=False, steps=()):
    program = {"command": ["python", "bank.py"]}
    plan = tutorial.plan(
        {"activities": ACTIVITIES},
        services={"bank": program},
        effects=[{"forward": "take"}, {"forward": "mail"}],
        ledgers=list(ledgers),
        points=announces,
    )
    return plan.model_copy(update={"steps": steps})


@pytest.mark.parametrize(
    ("ledgers", "seen"),
    [
        ((), (AROUND, AROUND)),
        ((SAVES,), (HELD, AROUND)),
        ((SAVES, CALLS), (HELD, HELD)),
        ((ANY,), (HELD, HELD)),
        (({"prefix": "stock-", "field": "rows"},), (AROUND, AROUND)),
    ],
)
def test_after_an_effect_is_seen_where_the_effect_is_a_call_that_passes_the_harness(ledgers, seen):
    target = made(*ledgers).target
    activities = target.workflows["order"].activities

    assert (points.seen(target, activities["take"]), points.seen(target, activities["mail"])) == seen
    assert points.seen(target, activities["think"]) == AROUND


def test_an_application_that_announces_its_points_announces_all_that_are_inside_a_body():
    target = made(announces=True).target

    assert points.seen(target, Activity()) == ("before_body", "before_effect", "after_effect", "after_return")
    assert points.unseen(target, Activity(), "before_effect") is None


@pytest.mark.parametrize(
    ("activity", "point", "told"),
    [
        ("mail", "after_effect", r"effect mail is not a call that passes the harness .*at before_body, after_return"),
        ("think", "after_effect", "the activity has no `effect`"),
        ("take", "before_effect", r"announces no points .*aimed at before_body, after_effect, after_return"),
        ("takes", "after_effect", 'did you mean "take"'),
    ],
)
def test_a_point_that_nobody_sees_is_refused_with_what_is_missing(activity, point, told):
    plan = made(SAVES)
    at = {"activity": activity, "point": point}
    fault = FaultEntry.model_validate({"fault": "kill", "on": "app", "at": at, "for": 1})
    scenario = Scenario.model_validate(plan.scenario.model_dump(by_alias=True) | {"faults": [fault]})

    with pytest.raises(UsageError, match=told):
        points.refuse_unseen(scenario, plan.target)


def test_answers_are_held_only_of_calls_that_make_the_effects_at_which_faults_wait():
    def aimed(activity, point):
        aim = Aim(activity=activity, point=point, occurrence=1, own=True)
        return Step(step=0, fault="kill", nodes=("app-0",), at=0, hold=1, settings={}, aim=aim)

    def held(*steps, announces=False):
        plan = made(SAVES, CALLS, announces=announces, steps=steps)
        return [of.row.effect for of in plan.held_calls], plan.points(by_tap=True), plan.points(by_tap=False)

    assert held(aimed("mail", "after_effect")) == (["'mail'"], (), ())
    assert held(aimed("take", "after_effect"), aimed("mail", "after_effect"))[0] == ["'take'", "'mail'"]
    assert held(aimed("mail", "before_body")) == ([], ("mail:before_body",), ())
    assert held(aimed("mail", "after_effect"), announces=True) == ([], (), ("mail:after_effect",))
