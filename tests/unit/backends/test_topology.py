"""How the nodes of several applications are started: which programs, with which app ids and peers."""

import json
from itertools import count
from pathlib import Path

import pytest

from harness import rundir
from harness.backends.endpoints import Address
from harness.backends.memory import Memory
from harness.backends.topology import Topology
from harness.model import Version
from harness.planning import plan, scenario, target


@pytest.fixture(name="made")
def _made(pytestconfig):
    read = scenario.load(pytestconfig.rootpath / "tests/targets/orders_shipping_kill.yaml")
    checks = read.checks.model_copy(update={"determinism": 1.0})
    read = read.model_copy(
        update={"topology": read.topology.model_copy(update={"replicas": 2}), "checks": checks, "faults": ()}
    )
    made = plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")
    return made.model_copy(update={"tap": True})


def topology_of(made, tmp_path):
    ports = count(20000)
    binaries = {name: Path(name) for name in ("daprd", "placement", "scheduler", "toxiproxy-server", "redis-server")}
    return Topology(
        made, rundir.create(tmp_path, "made", 1), binaries, lambda: Address(host="127.0.0.1", port=next(ports))
    )


@pytest.fixture(name="specs")
def _specs(made, tmp_path):
    return {spec.name: spec for stage in topology_of(made, tmp_path).stages() for spec in stage}


def test_a_program_with_versions_begins_as_the_first_and_is_otherwise_the_same(made, tmp_path):
    versions = {"old": Version(env={"RELEASE": "1"}), "new": Version(command=("python", "new.py"))}
    shipping = made.target.apps["shipping"].model_copy(update={"versions": versions})
    upgradable = made.target.model_copy(update={"apps": {"shipping": shipping}})
    topology = topology_of(made.model_copy(update={"target": upgradable}), tmp_path)
    started = {spec.name: spec for stage in topology.stages() for spec in stage}["app-shipping-0"]

    of = topology.versions()

    assert set(of) == {"app-shipping-0", "app-shipping-1"}
    old, new = of["app-shipping-0"]["old"], of["app-shipping-0"]["new"]
    assert (old.command, old.env, old.env["RELEASE"]) == (started.command, started.env, "1")
    assert new.command[1:] == ("new.py",)
    assert new.env == {name: value for name, value in old.env.items() if name != "RELEASE"}


def test_each_sidecar_has_the_app_id_of_its_application(specs):
    ids = {
        name: (spec.command[spec.command.index("--app-id") + 1], spec.env["APP_ID"])
        for name, spec in specs.items()
        if name.startswith("sidecar")
    }

    assert ids == {
        **dict.fromkeys(("sidecar-0", "sidecar-1"), ("orders", "orders")),
        **dict.fromkeys(("sidecar-shipping-0", "sidecar-shipping-1"), ("shipping", "shipping")),
    }


def test_each_app_runs_its_own_program_beside_its_own_sidecar(specs):
    assert specs["app-1"].command[1:] == ("orders.py",)
    assert specs["app-shipping-1"].command[1:] == ("shipping.py",)
    assert specs["app-shipping-1"].env["APP_ID"] == "shipping"
    assert specs["app-shipping-1"].env["NODE"] == "app-shipping-1"
    assert len({specs[f"app-{node}"].env["DAPR_GRPC_PORT"] for node in ("0", "1", "shipping-0", "shipping-1")}) == 4


def test_a_turn_is_executed_again_only_by_a_replica_of_the_same_application(specs):
    peers = {
        name: sorted(json.loads(next(word for word in spec.command if word.startswith("{")))["peers"])
        for name, spec in specs.items()
        if name.startswith("sidecar")
    }

    assert peers == {
        "sidecar-0": ["sidecar-1"],
        "sidecar-1": ["sidecar-0"],
        "sidecar-shipping-0": ["sidecar-shipping-1"],
        "sidecar-shipping-1": ["sidecar-shipping-0"],
    }


def test_clients_reach_the_main_application_and_collectors_every_sidecar(made):
    memory = Memory(made)
    try:
        endpoints = memory.up(lambda _: None)
    finally:
        memory.down()

    assert (sorted(endpoints.apps), sorted(endpoints.sidecars)) == (["app-0", "app-1"], ["sidecar-0", "sidecar-1"])
    assert sorted(endpoints.sidecars_of("shipping")) == ["sidecar-shipping-0", "sidecar-shipping-1"]
    assert sorted(endpoints.sidecars_of(None)) == ["sidecar-0", "sidecar-1"]
    assert len(endpoints.every_sidecar) == 4
