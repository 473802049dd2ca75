"""The chaos controller: on time, written down first, and undone on every way out."""

import signal
import threading
import time
from types import SimpleNamespace

import pytest
import tenacity

from harness.backends import base
from harness.backends.base import Death
from harness.errors import NodeError, UsageError
from harness.faults import toxic
from harness.faults.base import NotFeltError
from harness.faults.broken_links import Down
from harness.faults.process import Kill, Pause
from harness.faults.slow_links import Latency
from harness.journal import Journal
from harness.model import Aim, Step
from harness.planning.powers import refuse_unservable
from harness.planning.request import Request
from harness.running.controller import Controller
from tests.builders import lines


class System:
    """A backend with the power to kill, and to put latency on links, in memory."""

    def __init__(self, *, status=-signal.SIGKILL, felt=True):
        self.did = []
        self.status = status
        self.felt = felt
        self.toxics = {}
        self.connections = 3

    def kill(self, node):
        self.did.append(("kill", node))
        return Death(7, 1.0, self.status)

    def stop(self, node, grace):
        return self.kill(node)

    def pause(self, node):
        self.did.append(("pause", node))

    def resume(self, node):
        self.did.append(("resume", node))

    def probe_node(self, node, timeout):
        if self.felt and self.did and self.did[-1] == ("pause", node):
            raise TimeoutError
        return 0.001

    def start(self, node):
        self.did.append(("start", node))

    def add_toxic(self, link, toxic):
        self.did.append(("add", link))
        self.toxics[link] = toxic.attributes["latency"] / 1000

    def disable(self, link):
        self.did.append(("disable", link))

    enable = disable

    def remove_toxic(self, link, name):
        self.did.append(("remove", link))
        self.toxics.pop(link, None)

    def users(self, link):
        return self.connections

    def probe(self, link, timeout):
        return 0.001 + (self.toxics.get(link, 0) if self.felt else 0)


def step(at=0.0, hold=0.0, nodes=("sidecar-0",), fault="kill", settings=None, number=0):
    return Step(step=number, fault=fault, nodes=nodes, at=at, hold=hold, settings=settings or {})


def run(tmp_path, system, *steps, stop_after=None):
    with Journal(tmp_path / "faults.jsonl") as written:
        controller = Controller(steps, system, written)
        controller.start(time.time_ns())
        if stop_after is None:
            while not controller.done():
                time.sleep(0.005)
        else:
            time.sleep(stop_after)
        controller.stop()
        assert controller.active() == []
    return list(lines.read(tmp_path / "faults.jsonl"))


def test_a_fault_is_intended_applied_felt_and_healed_in_that_order(tmp_path):
    system = System()
    rows = run(tmp_path, system, step(hold=0.02))

    assert [row["event"] for row in rows] == ["intent", "applied", "felt", "healed"]
    assert system.did == [("kill", "sidecar-0"), ("start", "sidecar-0")]
    assert rows[2]["proof"] == {"pid": 7, "started": 1.0, "status": -9}
    assert rows[3]["at_ns"] - rows[1]["at_ns"] >= 20_000_000


def test_a_fault_waits_until_enough_instances_are_in_flight(tmp_path):
    system, enough = System(), threading.Event()
    with Journal(tmp_path / "faults.jsonl") as written:
        controller = Controller([step()], system, written, enough=enough.is_set)
        controller.start(time.time_ns())
        time.sleep(0.1)
        assert system.did == []

        enough.set()
        while not controller.done():
            time.sleep(0.005)

    first = next(iter(lines.read(tmp_path / "faults.jsonl")))
    assert first["at_ns"] - first["planned_ns"] >= 100_000_000


def test_a_fault_waits_no_longer_than_it_may_and_is_then_applied(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.running.controller.IN_FLIGHT_WITHIN", 0.1)
    system = System()
    with Journal(tmp_path / "faults.jsonl") as written:
        controller = Controller([step()], system, written, enough=lambda: False)
        controller.start(time.time_ns())
        while not controller.done():
            time.sleep(0.005)

    assert system.did == [("kill", "sidecar-0"), ("start", "sidecar-0")]


def test_a_fault_that_waits_for_instances_is_not_applied_once_the_run_ends(tmp_path):
    system = System()
    with Journal(tmp_path / "faults.jsonl") as written:
        controller = Controller([step()], system, written, enough=lambda: False)
        controller.start(time.time_ns())
        time.sleep(0.05)
        controller.stop()

    assert system.did == []


def test_a_fault_that_cannot_be_healed_in_time_is_named_and_keeps_nobody(tmp_path):
    freed = threading.Event()

    class Hanging(System):
        def start(self, node):
            freed.wait()

    with Journal(tmp_path / "faults.jsonl") as written:
        controller = Controller([step(), step(nodes=("sidecar-1",))], Hanging(), written)
        controller.start(time.time_ns())
        began = time.monotonic()
        unhealed = controller.stop(within=0.2)

        assert time.monotonic() - began < 5
        assert sorted(fault.node for fault in unhealed) == ["sidecar-0", "sidecar-1"]
        freed.set()
        assert controller.stop() == ()


def test_a_fault_that_cannot_be_proved_is_written_down_as_unfelt_and_healed(tmp_path):
    rows = run(tmp_path, System(status=0), step())

    assert [row["event"] for row in rows] == ["intent", "applied", "unfelt", "healed"]
    assert rows[2]["proof"]["reason"] == "sidecar-0 ended with status 0 before SIGKILL reached it"


def test_a_fault_that_cannot_be_applied_is_unfelt_with_the_reason(tmp_path):
    system = System()
    system.kill = lambda node: (_ for _ in ()).throw(NodeError("sidecar-0 does not run"))
    rows = run(tmp_path, system, step())

    assert [row["event"] for row in rows] == ["intent", "unfelt", "healed"]
    assert rows[1]["proof"]["reason"] == "could not be applied: sidecar-0 does not run"


def test_a_fault_is_in_force_only_once_it_was_applied(tmp_path):
    """A kill that takes long to land is applied when it has, not when it was begun."""
    system = System()
    landed = []

    def kill(node):
        time.sleep(0.05)
        landed.append(time.time_ns())
        return Death(7, 1.0, -signal.SIGKILL)

    system.kill = kill
    intent, applied, felt, _ = run(tmp_path, system, step())

    assert intent["at_ns"] < landed[0] <= applied["at_ns"] <= felt["at_ns"]


def test_what_was_never_applied_is_healed_at_once(tmp_path):
    system = System()
    system.connections = 0
    began = time.monotonic()
    rows = run(
        tmp_path,
        system,
        step(fault="latency", settings={"latency": 0.1}, nodes=("sidecar-0->redis",), hold=60),
        stop_after=2.5,
    )

    assert [row["event"] for row in rows] == ["intent", "unfelt", "healed"]
    assert time.monotonic() - began < 10


def test_stopping_heals_what_is_in_force_and_applies_nothing_more(tmp_path):
    system = System()
    rows = run(tmp_path, system, step(hold=60), step(at=60, nodes=("app-0",), number=1), stop_after=0.1)

    assert [row["event"] for row in rows] == ["intent", "applied", "felt", "healed"]
    assert system.did == [("kill", "sidecar-0"), ("start", "sidecar-0")]


def test_a_node_that_does_not_come_back_is_written_down_as_unhealed(tmp_path):
    system = System()
    system.start = lambda node: (_ for _ in ()).throw(NodeError("sidecar-0 was not ready after 60 s"))
    rows = run(tmp_path, system, step())

    assert rows[-1]["event"] == "unhealed"
    assert rows[-1]["proof"]["reason"] == "could not be healed: sidecar-0 was not ready after 60 s"


class FullDisk:
    """A journal that cannot write one kind of event."""

    def __init__(self, event):
        self.event = event

    def write(self, row, *, sync=False):
        if row.event == self.event:
            raise OSError("no space left on device")


def test_a_fault_whose_healing_cannot_be_written_down_is_in_force_no_more():
    system = System()
    controller = Controller((step(),), system, FullDisk("healed"))

    with pytest.raises(OSError, match="no space left"):
        controller._timed(step(), "sidecar-0")
    assert controller.active() == []
    assert system.did == [("kill", "sidecar-0"), ("start", "sidecar-0")]


def test_an_aimed_fault_is_healed_though_letting_go_cannot_be_written_down():
    class Points:
        def ambush(self, number, aim, taken):
            taken(SimpleNamespace(node="app-0"))
            return "held"

        def landed(self, held):
            return {}

        def let_go(self, number, held, why):
            raise OSError("no space left on device")

    system = System()
    aim = Aim(activity="hold_v1", point="after_effect", occurrence=1, own=False)
    controller = Controller((), system, FullDisk(None), Points())

    with pytest.raises(OSError, match="no space left"):
        controller._aimed(step(nodes=("app-0", "sidecar-0")), aim, Points())
    assert controller.active() == []
    assert sorted(system.did[2:]) == [("start", "app-0"), ("start", "sidecar-0")]


def test_a_step_on_several_nodes_hits_them_at_once(tmp_path):
    rows = run(tmp_path, System(), step(hold=0.2, nodes=("app-0", "app-1")))

    events = [row["event"] for row in rows]
    assert {row["node"] for row in rows if row["event"] == "applied"} == {"app-0", "app-1"}
    assert events.index("healed") > len(events) - 1 - events[::-1].index("applied")


def test_latency_is_proved_by_a_slower_probe_and_healed_to_a_quick_one():
    system = System()
    fault = Latency(latency=0.2, jitter=0.05)

    proof = fault.apply_and_prove(system, "sidecar-0->redis")
    fault.heal(system, "sidecar-0->redis")

    assert proof == {"connections": 3, "probe_before_ms": 1.0, "probe_during": 201.0}
    assert system.toxics == {}


@pytest.mark.parametrize(("took", "probes"), [((0.001,), 2), ((0.15, 0.001), 3), ((0.15, 0.15, 0.15), 4)])
def test_a_link_is_probed_again_before_a_toxic_that_would_not_stand_out(took, probes):
    system = System()
    asked = []

    def probe(link, timeout):
        asked.append(link)
        return took[len(asked) - 1] if len(asked) <= len(took) else 0.4

    system.probe = probe
    proof = Latency(latency=0.2).apply_and_prove(system, "sidecar-0->redis")

    assert len(asked) == probes
    assert proof["probe_before_ms"] == min(took) * 1000


def test_latency_that_no_probe_feels_is_not_felt():
    with pytest.raises(NotFeltError, match="no probe of sidecar-0->redis showed the latency toxic"):
        Latency(latency=0.2).apply_and_prove(System(felt=False), "sidecar-0->redis")


@pytest.mark.parametrize("fault", [Latency(latency=0.2), Down()])
def test_a_link_that_nobody_uses_is_left_alone_and_not_felt(fault, monkeypatch):
    monkeypatch.setattr(toxic, "_USED_WITHIN", 0.05)
    system = System()
    system.connections = 0

    with pytest.raises(NotFeltError, match="nobody uses sidecar-0->redis"):
        fault.apply_and_prove(system, "sidecar-0->redis")
    assert system.did == []


def test_a_plan_that_needs_a_power_which_the_backend_lacks_is_refused(monkeypatch):
    made = Request("redis_latency").plan(1)
    monkeypatch.setitem(base.POWERS, "killer", (base.Kills,))

    with pytest.raises(UsageError, match="fault latency needs the power Links, which the backend killer does not have"):
        refuse_unservable(made, "killer")


def test_kill_has_no_settings():
    assert Kill().model_dump() == {}


def test_a_pause_is_proved_by_a_probe_that_stalls_and_healed_when_it_is_answered():
    system = System()

    proof = Pause().apply_and_prove(system, "app-0")
    Pause().heal(system, "app-0")

    assert proof == {"probe_before_ms": 1.0, "stalled_for_ms": 250.0}
    assert system.did == [("pause", "app-0"), ("resume", "app-0")]


def test_a_node_that_does_not_answer_after_its_pause_is_told_by_its_own_error(monkeypatch):
    def stall(node, timeout):
        raise TimeoutError("app-0 did not answer")

    system = System()
    system.probe_node = stall
    monkeypatch.setattr(tenacity, "stop_after_delay", lambda _: tenacity.stop_after_attempt(1))

    with pytest.raises(TimeoutError, match="app-0 did not answer"):
        Pause().heal(system, "app-0")


def test_a_pause_that_no_probe_feels_is_not_felt():
    with pytest.raises(NotFeltError, match="app-0 still answered"):
        Pause().apply_and_prove(System(felt=False), "app-0")
