"""A target that shares nothing with the reference one is judged from its target.yaml alone."""

from dataclasses import replace

import pytest

from tests.builders import lines

pytestmark = pytest.mark.e2e


def test_an_application_that_was_left_unchanged_is_judged_by_what_can_be_seen_from_outside(harness):
    finished = harness.run("tests/targets/tutorial_calm.yaml", check=1)

    violated = [each["name"] for each in finished.verdict["findings"] if each["result"] != "HOLDS"]
    assert violated == ["balances", "lost_update"], "its updates of the stock are lost where two orders meet"
    assert "so one of the two updates is lost" in finished.finding("lost_update")["witnesses"][0]["sentence"]
    assert finished.verdict["not_applicable"]


def test_faults_are_aimed_at_activities_of_an_application_that_announces_nothing(harness):
    once = (part for number in range(2) for part in ("--set", f"faults.{number}.times=1"))
    finished = harness.run("tests/targets/payments_aimed_kills.yaml", "--duration", "14s", *once)

    faults = finished.verdict["faults"]
    assert [fault["proof"]["point"] for fault in faults] == ["before_body", "after_return"], finished.out
    assert [fault["proof"]["effects"] for fault in faults] == [0, 1]
    assert all(fault["felt_after"] is not None for fault in faults), finished.out


def test_effects_as_a_team_has_them_are_judged_a_table_a_route_with_pages_and_documents(harness):
    finished = harness.run("tests/targets/shop_calm.yaml", "--defect", "charged_again", check=1)

    violated = {each["name"] for each in finished.verdict["findings"] if each["result"] == "VIOLATED"}
    assert not {"contradiction", "misordered", "phantom", "lost", "effect_in_body", "late_effect"} & violated
    assert "charge 2 times" in finished.finding("duplicated")["witnesses"][0]["sentence"]


def test_effects_that_are_calls_are_judged_although_nobody_keeps_anything(harness):
    of_calls = ("--target", "tests/targets/shop/calls.yaml", "--duration", "8s")
    few = ("--set", "checks.minimum={instances: 40}", "--defect", "charged_again")
    finished = harness.run("tests/targets/shop_calm.yaml", *of_calls, *few, check=1)

    violated = {each["name"] for each in finished.verdict["findings"] if each["result"] == "VIOLATED"}
    assert violated == {"duplicated"}, finished.out
    assert finished.finding("open_effect")["examined"] > 100


def test_a_lost_answer_is_resolved_by_the_ledger_of_whom_was_called(harness):
    of_calls = ("--target", "tests/targets/shop/settled.yaml", "--duration", "8s")
    few = ("--set", "checks.minimum={instances: 40}", "--defect", "silent")
    finished = harness.run("tests/targets/shop_calm.yaml", *of_calls, *few, check=1)

    violated = {each["name"] for each in finished.verdict["findings"] if each["result"] != "HOLDS"}
    assert violated == {"lost", "contradiction"}, "the table says which charges were never committed"
    assert "the ledger holds nothing of it" in finished.finding("lost")["witnesses"][0]["sentence"]
    assert finished.finding("open_effect")["examined"] > 10, "calls without an answer: of each it is known"
    assert finished.verdict["classes"]["completed"] > 20, finished.out


def test_an_effect_that_is_repeated_after_a_kill_is_found_although_the_application_announces_nothing(harness):
    finished = harness.run("tests/targets/shop_aimed_kills.yaml", "--defect", "anew", check=1)

    faults = finished.verdict["faults"]
    proofs = [fault["proof"] for fault in faults]
    assert [fault["node"].partition("-")[0] for fault in faults] == ["app", "sidecar"], finished.out
    assert [(proof["activity"], proof["point"], proof["effects"]) for proof in proofs] == [
        ("charge", "after_effect", 1),  # an HTTP call to the bank
        ("note", "after_effect", 1),  # a save by Dapr's API
    ]
    assert all(fault["felt_after"] is not None for fault in faults), finished.out
    duplicated = {each["instance_id"] for each in finished.finding("duplicated")["witnesses"]}
    assert {proof["instance_id"] for proof in proofs} <= duplicated


def test_locust_in_charge_does_a_run_and_one_that_is_not_idempotent_is_violated_by_the_general_invariants(
    harness, tmp_path
):
    mine = tmp_path / "mine.py"
    mine.write_text("from harness.locust import ArrivalUser\n\nclass Mine(ArrivalUser):\n    '''The load.'''\n")
    finished = harness(
        *("-f", mine, "--headless", "--only-summary", "-t", "6s"),
        *("--scenario", "tests/targets/payments_calm.yaml", "--defect", "blind_hold", "--out", tmp_path / "runs"),
        command=("locust",),
        check=1,
    )

    assert "VIOLATED" in finished.out
    assert "Shutting down (exit code 1)" in finished.out
    began, ended = lines.read(tmp_path / "runs/latest/journal/load.jsonl")
    assert ended["at_ns"] - began["at_ns"] >= 6 * 10**9, (
        "Locust's own timer begins before the load, and would cut it off"
    )
    finished = replace(finished, runs=tmp_path / "runs")
    assert finished.names_what_violates("duplicated")
    assert finished.finding("duplicated")["origin"] == "general"


def test_several_applications_are_judged_together_and_faults_name_them(harness):
    finished = harness.run("tests/targets/orders_shipping_kill.yaml", "--defect", "ships_twice", check=1)

    faults = finished.verdict["faults"]
    assert [fault["node"] for fault in faults] == ["sidecar-shipping-0", "app-shipping-0"]
    assert all(fault["felt_after"] is not None for fault in faults), finished.out
    duplicated = finished.finding("duplicated")["witnesses"][0]["sentence"]
    assert "ship 2 times" in duplicated
    assert "of ship on app-shipping-" in duplicated, "a child workflow of the second application made it"
    violated = {each["name"] for each in finished.verdict["findings"] if each["result"] == "VIOLATED"}
    assert not {"phantom", "contradiction", "effect_in_body", "effect_of_activity", "told"} & violated, finished.out
