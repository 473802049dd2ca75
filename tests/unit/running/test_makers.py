"""Whose effect a call was: by its own words, by target.yaml, and by what the taps saw under way."""

import pytest

from harness.running.makers import Makers
from harness.tap.answers import Answer
from tests.builders import tutorial

ACTIVITIES = {"take": {"effect": "take"}, "send": {"effect": "mail"}, "think": {}}


class Kept:
    """The effects that a call makes, whatever it is."""

    def __init__(self, *effects):
        self.effects = [{"instance_id": instance, "effect": effect} for instance, effect in effects]

    def made(self, _):
        return self.effects


class Engine:
    """Each child workflow `x/...` is of the family of `x`."""

    def head(self, instance):
        return instance.partition("/")[0]


class Underway:
    """Deliveries: (instance, activity, task, node)."""

    def __init__(self, *deliveries):
        self.deliveries = deliveries

    def now(self):
        names = ("instance_id", "activity", "task_id", "node")
        return [{**dict(zip(names, each, strict=True)), "execution_id": None} for each in self.deliveries]


def makers(effects, deliveries, node="bank-0"):
    plan = tutorial.plan({"activities": ACTIVITIES})
    made_by = Makers(plan.activities, Kept(*effects), Engine(), Underway(*deliveries))
    return made_by.of(Answer(node=node, at_ns=7, method="POST", body=b""))


def test_an_execution_that_made_a_call_is_announced_by_the_sidecar_of_its_replica():
    (found,) = makers(
        [("a", "mail")], [("a", "send", 5, "app-1"), ("b", "send", 5, "app-0"), ("a", "take", 4, "app-0")]
    )

    assert (found.instance_id, found.activity, found.task_id) == ("a", "send", 5)
    assert (found.node, found.point, found.at_ns, found.attempt_id) == ("sidecar-1", "after_effect", 7, "a/5")


@pytest.mark.parametrize(
    ("effects", "deliveries", "tasks"),
    [
        ([], [("a", "send", 5, "app-0")], []),
        ([("a", "other")], [("a", "send", 5, "app-0")], []),
        ([("a", "mail")], [], []),
        ([("a", "mail")], [("a", "think", 5, "app-0")], []),
        ([("a", "mail")], [("a/child", "send", 5, "app-0"), ("b/child", "send", 6, "app-0")], [5]),
        ([("a", "mail")], [("a", "send", 5, "app-0"), ("a", "send", 6, "app-1")], [5, 6]),
        ([("a", "mail"), ("b", "mail")], [("a", "send", 5, "app-0"), ("b", "send", 6, "app-0")], [5, 6]),
    ],
)
def test_all_that_can_have_made_it_are_told(effects, deliveries, tasks):
    assert [found.task_id for found in makers(effects, deliveries)] == tasks


def test_a_call_to_dapr_is_one_of_the_sidecar_s_own_application():
    underway = [("a", "send", 5, "app-shipping-0"), ("a", "send", 6, "app-0")]

    (found,) = makers([("a", "mail")], underway, node="sidecar-shipping-0")

    assert (found.task_id, found.node) == (5, "sidecar-shipping-0")
