"""Runs at growing rates as `harness capacity` sees them, made up: a system keeps up to its capacity, and then waits."""

from harness.capacity import measure
from harness.capacity.result import Capacity, Machine, Measured, Percentiles, RateStep, Used
from harness.model import Result

_RESULTS = {0: Result.HOLDS, 1: Result.VIOLATED, 2: Result.UNKNOWN, 3: Result.HOLDS}
SECONDS = 35.0


def step(rate, *, capacity=10_000.0, code=0, measured=None, **changes):
    """A run at a rate: what is beyond the capacity does not end, and is slow."""
    throughput = float(min(rate, capacity))
    load = measured or Measured(
        offered=float(rate),
        throughput=throughput,
        behind=round((rate - throughput) * SECONDS),
        end=Percentiles(p50=max(1.0, rate / capacity), p99=max(2.0, 4 * rate / capacity)),
        unanswered=0.0,
        late=0.004,
        used=(Used(name="scheduler-0", cpu_percent=60.0), Used(name="app-0", cpu_percent=50.0)),
        machine=Machine(cores=2, cpu_percent=150.0, iowait_percent=2.0, others_percent=20.0),
    )
    told = {
        "rate": rate,
        "run": f"20260101T000000Z-baseline-{rate:g}",
        "took": 58.0,
        "result": _RESULTS[code],
        "code": code,
        "violated": ("duplicated",) if code == 1 else (),
        "reasons": () if code in (0, 3) else ("something is wrong",),
        "measured": load,
        "saturated": measure.saturated(load),
    }
    return RateStep(**{**told, **changes})


def capacity(*curves, **changes):
    """These curves of one scenario."""
    told = {
        "scenario": "baseline",
        "target": "orders",
        "seed": 1,
        "dapr_version": "1.18.2",
        "store": "redis",
        "duration": 40.0,
        "warm_up": 5.0,
        "curves": curves,
    }
    return Capacity(**{**told, **changes})
