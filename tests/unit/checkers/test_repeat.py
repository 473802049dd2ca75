"""Several runs of one scenario: the worst exit code, k of n, and how sure that makes us."""

import pytest
from harness_reports import terminal
from hypothesis import given
from hypothesis import strategies as st

from harness.checkers.repeat import Spread, interval, spreads, summary, worst
from harness.errors import Exit
from harness.model import FaultFinding, Result


@pytest.mark.parametrize(
    ("held", "runs", "low", "high"),
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (1, 1, 0.2065, 1.0)],
)
def test_the_interval_is_wilsons(held, runs, low, high):
    """For n of n its lower end is n / (n + z²), which is easily worked out by hand; it is symmetric."""
    assert interval(held, runs) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 500).flatmap(lambda runs: st.tuples(st.integers(0, runs), st.just(runs))))
def test_the_interval_holds_the_share_that_was_seen_and_stays_a_share(counts):
    held, runs = counts
    low, high = interval(held, runs)

    assert 0 <= low <= held / runs + 1e-12
    assert held / runs - 1e-12 <= high <= 1
    assert interval(2 * held, 2 * runs)[0] >= low - 1e-12


def test_the_worst_exit_code_counts():
    assert worst([0, 3, 0]) == Exit.GATE_MISSED
    assert worst([0, 2, 3]) == Exit.UNKNOWN
    assert worst([70, 1, 2]) == Exit.VIOLATED
    assert worst([0, 70]) == Exit.SOFTWARE
    assert worst([1, 130]) == Exit.INTERRUPTED


def test_runs_that_could_not_tell_are_counted_apart():
    held, violated = [Result.HOLDS] * 8, [Result.VIOLATED] * 2
    assert summary([*held, *violated]) == "8 of 10 runs hold (95 % interval: 49 % to 94 %)"
    assert summary([*held, *violated, Result.UNKNOWN, None]) == (
        "8 of 10 runs hold (95 % interval: 49 % to 94 %); 1 cannot tell; 1 failed"
    )
    assert summary([None]) == "0 of 0 runs hold; 1 failed"


class Judged:
    """As much of a verdict as is asked for."""

    def __init__(self, *faults):
        self.faults = faults


def fault(node, *, felt=0.01, recovery=None, kind="kill"):
    others = {"at": 1.0, "healed_at": 2.0, "in_flight": 3, "proof": {}, "first_failure": 0.05}
    return FaultFinding(step=0, fault=kind, node=node, felt_after=felt, recovery=recovery, **others)


def test_recovery_is_spread_over_the_runs_by_kind_of_fault_and_role():
    runs = [
        Judged(fault("sidecar-0", recovery=3.0), fault("sidecar-1", recovery=1.0), fault("sidecar-1")),
        Judged(fault("sidecar-0", felt=None), fault("sidecar-1->redis", kind="reset", recovery=0.2)),
    ]

    assert spreads(runs) == [
        Spread("kill", "sidecar", 3, (0.05, 0.05, 0.05), (), (1.0, 3.0)),
        Spread("reset", "sidecar->redis", 1, (0.05,), (), (0.2,)),
    ]


def test_the_spread_is_told_with_its_median_its_longest_and_their_number(capsys):
    from rich.console import Console

    Console(width=120).print(terminal.spreads(spreads([Judged(fault("app-0", recovery=3.0), fault("app-1"))])))

    told = capsys.readouterr().out
    assert "kill app" in told
    assert "50 ms, at most 50 ms (2)" in told
    assert "3 s, at most 3 s (1)" in told
