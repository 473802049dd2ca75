"""The fault `upgrade`: the node goes on as another version, and the proof is what the new process itself says."""

import dataclasses
import sys

import pytest

from harness.backends import running
from harness.backends.base import BackendName
from harness.backends.memory import Memory
from harness.backends.process import Child, Spec
from harness.errors import NodeError, UsageError
from harness.faults.base import NotFeltError
from harness.faults.upgrade import Upgrade
from harness.model import Program, Version
from harness.planning.powers import refuse_unservable
from harness.planning.request import Request
from tests.builders.waiting import until

TO_V2 = Upgrade(to="v2")
SLEEP = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture(name="system")
def _system():
    return Memory(Request("rolling_upgrade").plan(1))


def test_it_is_felt_and_the_node_stays_the_new_version(system):
    proof = TO_V2.apply_and_prove(system, "app-0")
    TO_V2.heal(system, "app-0")

    assert (proof["version"], proof["pid"], proof["new_pid"]) == ("v2", 1, 2)
    assert system.version("app-0") == (2, "v2")
    system.kill("app-0")
    system.start("app-0")
    assert system.version("app-0") == (3, "v2")


def test_a_node_that_comes_back_as_the_old_version_did_not_feel_it(system, monkeypatch):
    monkeypatch.setattr(system, "become", lambda node, version: None)

    with pytest.raises(NotFeltError, match="does not run as v2, but as no version that is known"):
        TO_V2.apply_and_prove(system, "app-0")


def test_a_process_that_was_never_ended_did_not_feel_it(system, monkeypatch):
    monkeypatch.setattr(system, "version", lambda node: (1, "v2"))

    with pytest.raises(NotFeltError):
        TO_V2.apply_and_prove(system, "app-0")


def test_healing_does_nothing_if_it_was_never_applied(system):
    TO_V2.heal(system, "app-0")

    assert system.version("app-0") == (1, None)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("faults.0.to=v3", 'upgrade cannot hit app-0: target orders has no version "v3" of it; it has v1, v2'),
        ("faults.0.on=sidecar", "upgrade cannot hit sidecar-0: target orders names no `versions` of it"),
        ("faults.0.on=provider", "upgrade cannot hit provider-0: target orders names no `versions` of it"),
    ],
)
def test_a_version_that_a_node_does_not_have_is_refused_before_anything_starts(setting, why):
    plan = Request("rolling_upgrade", settings=(setting,)).plan(1)

    with pytest.raises(UsageError, match=why.replace("`", ".")):
        refuse_unservable(plan, BackendName.PROCESSES)


def test_containers_cannot_be_upgraded():
    with pytest.raises(UsageError, match="upgrade needs the power Upgrades, which the backend compose does not have"):
        refuse_unservable(Request("rolling_upgrade").plan(1), BackendName.COMPOSE)


def specs(tmp_path, **versions):
    """Version -> how it is started; each is given as (variables, words after the program)."""
    return {
        name: Spec(
            name="app-0",
            command=(sys.executable, "-c", SLEEP, *words),
            env={"PATH": "/usr/bin", **env},
            folder=tmp_path,
            log=tmp_path / "log",
            ready=lambda: True,
        )
        for name, (env, words) in versions.items()
    }


def said_by(child, of):
    """What a process says itself; right after its start the kernel does not tell yet."""
    until(lambda: child.told()[2])
    _, environment, command = child.told()
    return running.version(of, environment, command)


@pytest.mark.parametrize(
    "versions",
    [
        {"v1": ({"V": "1"}, ()), "v2": ({"V": "2"}, ())},
        {"v1": ({}, ()), "v2": ({"FLAG": "on"}, ())},
        {"v1": ({}, ("one",)), "v2": ({}, ("two",))},
        {"v1": ({"V": "1"}, ("one",)), "v2": ({"V": "1"}, ("two",)), "v3": ({"V": "3"}, ("two",))},
    ],
    ids=["another value", "one more variable", "another command", "both"],
)
def test_a_process_itself_says_as_which_version_it_runs(tmp_path, versions):
    of = specs(tmp_path, **versions)
    child = Child(of["v1"])
    child.spawn()
    try:
        assert said_by(child, of) == "v1"

        child.become(of["v2"])
        assert said_by(child, of) == "v1", "what counts is the process, not what was asked for"

        child.kill()
        child.spawn()
        assert said_by(child, of) == "v2"
    finally:
        child.end()
    with pytest.raises(NodeError, match="does not run"):
        child.told()


def test_a_process_of_no_version_is_none(tmp_path):
    of = specs(tmp_path, v1=({"V": "1"}, ()), v2=({"V": "2"}, ()))

    assert running.version(of, {"V": "3"}, of["v1"].command) is None
    assert running.version(of, {}, of["v1"].command) is None
    alike = {name: dataclasses.replace(spec, env={}) for name, spec in of.items()}
    assert running.version(alike, {}, of["v1"].command) is None, "two that are started alike cannot be told apart"


def test_a_version_adds_to_the_program():
    program = Program(
        command=("python", "app.py"),
        env={"A": "1", "B": "1"},
        versions={"v1": Version(), "v2": Version(env={"B": "2"}), "v3": Version(command=("python", "new.py"))},
    )

    assert (
        program.as_version(None) == program.as_version("v1") == Program(command=("python", "app.py"), env=program.env)
    )
    assert program.as_version("v2").env == {"A": "1", "B": "2"}
    assert program.as_version("v3").command == ("python", "new.py")
