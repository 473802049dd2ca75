"""The system in memory: every kind of fault can be felt on it, and healed, as a team's own test would want."""

import pytest

from harness.backends import base
from harness.backends.memory import Memory
from harness.faults import BUILT_IN, make
from harness.planning.request import Request

SETTINGS = {
    "latency": {"latency": 0.2},
    "bandwidth": {"rate": 1},
    "limit_data": {"bytes": 0},
    "slow_close": {"delay": 0.2},
}
SERVED = sorted(name for name, fault in BUILT_IN.items() if fault.needs in (base.Kills, base.Pauses, base.Links))


@pytest.fixture(name="memory")
def _memory():
    return Memory(Request("baseline").plan(1))


@pytest.mark.parametrize("name", SERVED)
def test_a_fault_is_felt_and_healed(memory, name):
    fault = make(name, SETTINGS.get(name, {}))
    where = "sidecar-0->redis" if fault.hits == "links" else "sidecar-0"

    assert fault.apply_and_prove(memory, where)
    fault.heal(memory, where)

    assert memory.probe_node("sidecar-0", 1) < 0.01
    assert memory.probe("sidecar-0->redis", 1) < 0.01


@pytest.mark.parametrize("name", SERVED)
def test_healing_what_was_never_applied_does_nothing(memory, name):
    fault = make(name, SETTINGS.get(name, {}))

    fault.heal(memory, "sidecar-0->redis" if fault.hits == "links" else "sidecar-0")


def test_it_serves_what_it_says(memory):
    for power in (base.Kills, base.Pauses, base.Links):
        assert isinstance(memory, power)
    for power in (base.Starves, base.Fills, base.Isolates, base.Store):
        assert not isinstance(memory, power)
