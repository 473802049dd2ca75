"""Replicas are added and taken away: who must feel it, which plans are refused, who knows of them."""

import re

import httpx
import pytest

from harness.backends import probe, ready
from harness.backends.base import BackendName
from harness.backends.endpoints import Address
from harness.backends.memory import Memory
from harness.errors import NodeError, UsageError
from harness.faults import scale
from harness.faults.base import NotFeltError
from harness.faults.scale import ScaleIn, ScaleOut
from harness.planning.powers import refuse_unservable
from harness.planning.request import Request

OUT, IN = ScaleOut(), ScaleIn()


@pytest.fixture(name="system")
def _system():
    return Memory(Request("scale").plan(1))


def test_a_spare_replica_is_started_and_stays(system):
    with pytest.raises(NodeError):
        system.version("app-2")

    proof = OUT.apply_and_prove(system, "app-2")
    OUT.heal(system, "app-2")

    assert proof["hosts"] == 1
    assert [did for did in system.did if did[1].endswith("-2")] == [("start", "sidecar-2"), ("start", "app-2")]


def test_a_replica_to_which_nothing_comes_is_not_felt(system, monkeypatch):
    monkeypatch.setattr(scale, "_HOSTS_WITHIN", 0.1)
    monkeypatch.setattr(system, "hosted", lambda _: 0)

    with pytest.raises(NotFeltError, match="no workflow and no activity came to sidecar-2"):
        OUT.apply_and_prove(system, "app-2")


def test_a_replica_that_is_taken_away_ends_with_its_sidecar_and_stays_away(system):
    proof = IN.apply_and_prove(system, "app-1")
    IN.heal(system, "app-1")

    assert proof["hosted"] == 1
    assert (proof["app"]["status"], proof["sidecar"]["status"]) == (0, 0)
    assert {did for did in system.did if did[1].endswith("-1")} == {("stop", "app-1"), ("stop", "sidecar-1")}
    with pytest.raises(ConnectionRefusedError):
        system.probe_node("sidecar-1", 1)


def test_a_replica_that_has_nothing_to_do_is_left_alone(system, monkeypatch):
    monkeypatch.setattr(scale, "_HOSTS_WITHIN", 0.1)
    monkeypatch.setattr(system, "hosted", lambda _: 0)

    with pytest.raises(NotFeltError, match="nothing would move") as error:
        IN.apply_and_prove(system, "app-1")

    assert error.value.proof == {"hosted": 0}
    assert system.did == []


def test_a_replica_is_taken_away_while_it_has_something_to_do(system, monkeypatch):
    counts = iter([0, 0, 3])
    monkeypatch.setattr(system, "hosted", lambda _: next(counts))

    assert IN.apply_and_prove(system, "app-1")["hosted"] == 3


@pytest.mark.parametrize("fault", [OUT, IN])
def test_healing_does_nothing_if_it_was_never_applied(system, fault):
    fault.heal(system, "app-1")

    assert system.did == []


def test_clients_know_only_the_replicas_with_which_the_run_begins(system):
    plan = Request("scale").plan(1)
    try:
        endpoints = system.up(lambda _: None)
    finally:
        system.down()

    assert (list(endpoints.apps), list(endpoints.sidecars)) == (["app-0", "app-1"], ["sidecar-0", "sidecar-1"])
    assert plan.spares == {"app-2", "app-3", "sidecar-2", "sidecar-3"}
    assert set(plan.nodes) > plan.spares
    assert "app-3->sidecar-3" in plan.links
    assert {link for link in plan.links if link.startswith("client->")} == {
        f"client->{node}" for node in ("app-0", "app-1", "sidecar-0", "sidecar-1")
    }


def test_a_role_does_not_mean_spare_replicas():
    entry = "faults.0={fault: kill, on: sidecar, pick: all, at: 2s, for: 1s}"
    plan = Request("sidecar_kill", settings=(entry,)).plan(1)
    spared = Request("scale", settings=("faults.0={fault: scale_out, on: app, pick: all, at: 2s, for: 0s}",))

    assert plan.steps[0].nodes == ("sidecar-0", "sidecar-1")
    with pytest.raises(UsageError, match="app-0 is there already"):
        spared.plan(1)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (["topology.spare=3"], "topology.spare: no scale_out starts app-4; leave out what is not started"),
        (["faults.0.on=app-1"], "scale_out at 6 s: app-1 is there already; `topology.spare` says how many are not"),
        (["faults.0.at=26s"], "scale_in at 25 s: app-2 is not there at that time"),
        (["faults.1.on=app-*"], "scale_in at 35 s: app-3 is the last replica"),
        (["faults.0={fault: kill, on: sidecar-0, at: 2s, for: 1s}"], "app-2 is not there at that time"),
        (
            ["faults.0={fault: kill, on: sidecar-1, at: 19s, for: 3s}", "topology.spare=0", "faults.1.on=app-1"],
            "scale_in at 20 s: kill at 19 s holds app-1 until 22 s",
        ),
        (
            [
                "faults.0={fault: scale_in, on: app-1, at: 2s, for: 0s}",
                "topology.spare=0",
                "faults.1={fault: kill, on: sidecar-1, at: 19s, for: 3s}",
            ],
            "kill at 19 s: app-1 is not there at that time",
        ),
        (
            ["faults.1={fault: scale_in, on: app-1, for: 0s, at: {activity: quote_v1, point: before_body}}"],
            "scale_in needs a time; it cannot be aimed at an activity",
        ),
        (["faults.1.on=sidecar-1"], 'nothing is called "sidecar-1"'),
    ],
)
def test_a_plan_that_cannot_be_is_refused(settings, why):
    with pytest.raises(UsageError, match=re.escape(why)):
        Request("scale", settings=tuple(settings)).plan(1)


def test_containers_cannot_be_scaled():
    with pytest.raises(UsageError, match="scale_out needs the power Scales, which the backend compose does not have"):
        refuse_unservable(Request("scale").plan(1), BackendName.COMPOSE)


WORKFLOWS, ACTIVITIES = ({"type": f"dapr.internal.default.orders.{kind}"} for kind in ("workflow", "activity"))


@pytest.mark.parametrize(
    ("runtime", "hosted"),
    [
        ({"activeActors": [WORKFLOWS | {"count": 3}, ACTIVITIES | {"count": 2}]}, 5),
        ({"activeActors": [WORKFLOWS]}, 0),
        ({}, 0),
    ],
)
def test_a_sidecar_tells_what_it_hosts(monkeypatch, runtime, hosted):
    assert told(monkeypatch, httpx.Response(200, json={"actorRuntime": runtime})) == hosted


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(200, text="no"), httpx.Response(200, json={})])
def test_one_that_does_not_tell_is_an_error_and_not_an_idle_one(monkeypatch, answer):
    with pytest.raises(NodeError, match="does not tell what it hosts"):
        told(monkeypatch, answer)


def told(monkeypatch, answer):
    """What is read from this answer of a sidecar's metadata API."""
    transport = httpx.MockTransport(lambda _: answer)
    monkeypatch.setattr(probe, "client", lambda timeout: httpx.Client(transport=transport, timeout=timeout))
    return ready.hosted(Address(host="127.0.0.1", port=3500))
