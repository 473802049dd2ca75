"""What makes a probe late proves itself by being late enough, and by nothing that noise could do."""

import pytest
from pydantic import ValidationError

from harness.faults.base import QUICK, NotFeltError
from harness.faults.slow_links import Bandwidth, Latency, Slicer, SlowClose

LINK = "sidecar-0->redis"


class System:
    """A link whose probes take 1 ms, and `late` seconds more, or have no answer, while there is a toxic on it."""

    def __init__(self, late):
        self.late = late
        self.toxics = []

    def users(self, link):
        return 1

    def add_toxic(self, link, toxic):
        self.toxics.append(toxic)

    def probe(self, link, timeout):
        late = self.late if self.toxics else 0
        if late > timeout:
            raise TimeoutError
        return 0.001 + late


@pytest.mark.parametrize(
    ("fault", "settings", "told"),
    [
        (Latency, {"latency": 0}, "latency - jitter is 0 ms"),
        (Latency, {"latency": "20ms", "jitter": "20ms"}, "latency - jitter is 0 ms"),
        (Latency, {"latency": "20ms", "jitter": "30ms"}, "latency - jitter is -10 ms"),
        (Latency, {"latency": "4.9ms"}, "less than 5 ms late cannot be told from noise"),
        (SlowClose, {"delay": "1ms"}, "delay is 1 ms"),
        (Bandwidth, {"rate": 2}, r"6 bytes of a probe 3 ms late, .*: rates from 0 to 1 can be proved"),
        (Bandwidth, {"rate": 100_000}, "rates from 0 to 1 can be proved"),
        (Slicer, {"delay": "0.9ms"}, "a delay of at least 1 ms can be proved"),
        (Slicer, {"delay": "2ms", "size": 2, "variation": 1}, "a delay of at least 5 ms can be proved"),
        (Slicer, {"delay": 0}, "a probe 0 ms late"),
    ],
)
def test_settings_that_noise_would_prove_are_refused(fault, settings, told):
    with pytest.raises(ValidationError, match=told):
        fault.model_validate(settings)


@pytest.mark.parametrize(
    ("fault", "enough"),
    [
        (Latency(latency=0.005), 0.005),
        (Latency(latency=0.025, jitter=0.02), 0.005),
        (Bandwidth(rate=1), 0.006),
        (Slicer(), 0.05),
        (Slicer(delay=0.001), 0.005),
        (Slicer(size=100, delay=0.005), 0.005),
    ],
)
def test_a_probe_that_is_late_enough_is_felt_and_one_that_is_only_slow_is_not(fault, enough):
    assert fault.apply_and_prove(System(enough), LINK)["probe_during"] == pytest.approx((enough + 0.001) * 1000)
    with pytest.raises(NotFeltError, match="no probe of sidecar-0->redis showed"):
        fault.apply_and_prove(System(enough - 0.0015), LINK)


def test_a_rate_of_0_is_felt_by_no_answer_and_not_by_a_slow_one():
    assert Bandwidth(rate=0).apply_and_prove(System(QUICK), LINK)["probe_during"] == "timeout"
    with pytest.raises(NotFeltError):
        Bandwidth(rate=0).apply_and_prove(System(0.5), LINK)


@pytest.mark.parametrize(("toxicity", "users", "told"), [(0.2, 1, "0.8"), (0.2, 60, "1.5e-06"), (0.9, 5, "1e-05")])
def test_a_toxic_that_the_system_s_own_connections_may_all_lack_is_not_felt(monkeypatch, toxicity, users, told):
    """A probe is a fresh connection, and its dice are not those of the system's long one."""
    monkeypatch.setattr(System, "users", lambda *_: users)

    with pytest.raises(NotFeltError, match=f"all of them are spared with a chance of {told}") as error:
        Latency(latency=0.1, toxicity=toxicity).apply_and_prove(System(0.1), LINK)

    assert error.value.proof["connections_during"] == users


@pytest.mark.parametrize(("toxicity", "users"), [(0.2, 62), (0.9, 7), (1, 1)])
def test_a_toxic_that_one_of_the_system_s_connections_must_have_is_felt(monkeypatch, toxicity, users):
    monkeypatch.setattr(System, "users", lambda *_: users)

    assert Latency(latency=0.1, toxicity=toxicity).apply_and_prove(System(0.1), LINK)["probe_during"]
