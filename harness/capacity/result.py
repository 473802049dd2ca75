"""
What capacity.json holds: runs at growing rates, and from which rate on the system keeps up no longer.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from harness.capacity.knee import METHOD
from harness.errors import Exit
from harness.model import Result, Value
from harness.model.values import schema_for_readers
from harness.names import Store

INTERRUPTED = "the user interrupted it"
"""Why a curve has no more runs, if that is so."""


class Percentiles(Value):
    """
    Times of instances, in seconds from when their start was due until the engine ended them. An instance that never
    ended counts as infinitely slow.
    """

    p50: float | None = Field(description="median, in seconds; null if more than half never ended")
    p99: float | None = Field(description="99th percentile, in seconds; null if more than 1 % never ended")


class Used(Value):
    """
    What a node of the run, its tap, the harness or its generator used.
    """

    name: str = Field(description="the node; NODE.tap, harness or generator")
    cpu_percent: float = Field(description="mean CPU in percent of one core")


class Machine(Value):
    """
    What the whole machine used.
    """

    cores: int = Field(description="number of cores")
    cpu_percent: float = Field(description="mean CPU of all cores, in percent of one core")
    iowait_percent: float = Field(description="mean time in which cores waited for a disk, in percent of one core")
    others_percent: float = Field(
        description="mean CPU that is not of this run's processes, in percent of one core: everything else on the "
        "machine, and the kernel on nobody's account"
    )


class Measured(Value):
    """
    What was measured in one run, from the end of the warm-up until the end of the load. What the evidence does not tell
    is null.
    """

    offered: float | None = Field(description="starts that were due, per second")
    throughput: float | None = Field(description="instances that the engine ended, per second")
    behind: int | None = Field(description="starts that were due, without the instances that ended; below 0: caught up")
    end: Percentiles | None = Field(description="of the starts that were due, until their instances ended")
    unanswered: float | None = Field(description="share of the starts to which clients got no clear answer")
    late: float | None = Field(description="99th percentile of how late the generator sent a start, in seconds")
    used: tuple[Used, ...] = Field(description="who used how much CPU, the busiest first")
    machine: Machine | None = Field(description="what the machine used")


class RateStep(Value):
    """
    One run at one rate.
    """

    rate: float = Field(description="starts per second that were asked for")
    run: str = Field(description="name of the run directory, beside this file")
    took: float = Field(description="seconds until its verdict")
    result: Result = Field(description="the verdict on the run")
    code: int = Field(description="what the gate of the scenario makes of it: the exit code of the run")
    violated: tuple[str, ...] = Field(description="the invariants that it violates")
    reasons: tuple[str, ...] = Field(description="plain sentences: why its verdict is not HOLDS")
    measured: Measured = Field(description="what was measured")
    saturated: tuple[str, ...] = Field(description="plain sentences: why the system did not keep up; empty if it did")


class Knee(Value):
    """
    The knee of a curve.
    """

    rate: float = Field(description="the rate of the run at the knee, in starts per second")
    throughput: float = Field(description="instances that ended there, per second")


class Curve(Value):
    """
    The runs with the scenario's faults, or those without any.
    """

    faults: bool = Field(description="whether the scenario's faults were made")
    steps: tuple[RateStep, ...] = Field(default=(), description="in the order in which they were run")
    knee: Knee | None = Field(default=None, description="null if there is none in these runs")
    kept_up: float | None = Field(default=None, description="the highest rate below all at which it did not keep up")
    saturated: float | None = Field(default=None, description="the lowest rate at which it did not keep up")
    exhausted: str = Field(default="", description="what was full at that rate, in a plain sentence")
    ended: str = Field(default="", description="why there are no more runs, in a plain sentence")


class Capacity(Value):
    """
    Runs of one scenario at growing rates.
    """

    version: Literal[1] = Field(
        default=1, description="of this format: grows when a field goes, or changes its meaning"
    )
    scenario: str = Field(description="the scenario's name")
    target: str = Field(description="the target's name")
    seed: int = Field(description="the seed of all runs")
    dapr_version: str = Field(description="the release of Dapr")
    store: Store = Field(description="Dapr's state store")
    duration: float = Field(description="seconds of load of each run")
    warm_up: float = Field(description="seconds at the begin of each load that are not measured")
    method: str = Field(default=METHOD, description="how the knee is found, and the source of that method")
    curves: tuple[Curve, ...] = Field(description="without faults, with faults: those that were asked for")
    interrupted: bool = Field(default=False, description="whether the user ended it; the run under way is left out")

    def with_curve(self, number: int, curve: Curve) -> Capacity:
        """
        Return it with another curve in place of the one with this number, from 0.
        """
        curves = (*self.curves[:number], curve, *self.curves[number + 1 :])
        interrupted = self.interrupted or curve.ended == INTERRUPTED
        return self.model_copy(update={"curves": curves, "interrupted": interrupted})

    @property
    def exit_code(self) -> Exit:
        """
        1 if a run is violated and its gate does not allow that; else 2 if a run at a rate with which the system kept up
        has no verdict, or if a curve has no knee; else 0. 130 if it was interrupted.

        A missed service level changes nothing: to see where levels are missed is what the rates are stepped for.
        """
        if self.interrupted:
            return Exit.INTERRUPTED
        steps = [step for curve in self.curves for step in curve.steps]
        if any(step.code == Exit.VIOLATED for step in steps):
            return Exit.VIOLATED
        untold = any(step.code == Exit.UNKNOWN and not step.saturated for step in steps)
        return Exit.UNKNOWN if untold or any(curve.knee is None for curve in self.curves) else Exit.HOLDS


def schema() -> dict[str, Any]:
    """
    Return the JSON Schema of capacity.json, for those who read it.
    """
    return schema_for_readers(Capacity)
