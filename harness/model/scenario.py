"""
A scenario: what is done to a target, and what is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, JsonValue, Tag, field_validator, model_validator

from harness.model.load import Load
from harness.model.values import AskedEnd, EndClass, NodeName, Point, Seconds, Value, one_or_more
from harness.names import Store


class Topology(Value):
    """
    The number of replicas, and what keeps the state. Each replica is one app process and its sidecar.
    """

    replicas: int = Field(default=2, ge=1, le=8)
    spare: int = Field(
        default=0, ge=0, le=8, description="replicas besides, which the run begins without: `scale_out` starts them"
    )
    store: Store = Field(default=Store.REDIS, description="Dapr's state store, which the run starts (docs/stores.md)")


class ActivityPoint(Value):
    """
    A point of an activity, in place of a time: the fault lands while an execution is held there.

    Each instance counts when it reaches the point for the first time, from `after` on (seconds after the load began).
    """

    activity: str
    point: Point
    occurrence: int | None = Field(default=None, ge=1, description="which instance, from 1; default: by the seed")
    after: Seconds = 0.0


def _kind_of_moment(value: object) -> str:
    return "aimed" if isinstance(value, Mapping | ActivityPoint) else "time"


Moment = Annotated[
    Annotated[Seconds, Tag("time")] | Annotated[ActivityPoint, Tag("aimed")], Discriminator(_kind_of_moment)
]


Names = Annotated[
    tuple[NodeName, ...],
    BeforeValidator(one_or_more, json_schema_input_type=NodeName | tuple[NodeName, ...]),
    Field(min_length=1, description="a node, a role (`sidecar`), a pattern (`sidecar-*->store`), or a list of them"),
]


class FaultEntry(Value):
    """
    One entry of the scenario's timeline, before the seed has chosen its nodes.

    `settings` are those of the fault. The class of the fault has validated them.
    """

    fault: str
    on: Names
    pick: Literal["one", "all", "own"] | Annotated[int, Field(ge=1)] = Field(
        default="one", description="by the seed; `own`: of the replica that executes the activity which `at` names"
    )
    at: Moment = Field(description="when, after the load began; or a point of an activity")
    hold: Seconds = Field(description="how long until it is healed", alias="for")
    at_jitter: Seconds = Field(
        default=0.0, description="each time is moved by at most this much, earlier or later, by the seed"
    )
    every: Annotated[Seconds, Field(gt=0)] | None = Field(default=None, description="repeat after this long")
    times: int | None = Field(default=None, ge=1, description="how often in total; default: until the load ends")
    until: Seconds | None = Field(default=None, description="with `every`: none after this; default: the load's end")
    stagger: Seconds = Field(default=0.0, description="between one chosen node and the next: a rolling fault")
    settings: Mapping[str, JsonValue] = {}

    @property
    def since(self) -> float:
        """
        Seconds after the load began: when the fault is applied, or from when on it waits for its activity.
        """
        return self.at.after if isinstance(self.at, ActivityPoint) else self.at

    @model_validator(mode="after")
    def _aims_or_not(self) -> FaultEntry:
        if self.pick == "own" and not isinstance(self.at, ActivityPoint):
            raise ValueError("pick: own is for a fault whose `at` names a point in an activity")
        if self.stagger and isinstance(self.at, ActivityPoint):
            raise ValueError("stagger is for a fault at a time, and this one waits for an activity")
        if self.until is not None and (self.every is None or self.until < self.since):
            raise ValueError("until is for a fault that is repeated by `every`, and comes after its first time")
        return self


class NemesisFault(Value):
    """
    One thing that the random nemesis may do, and how likely it is among the others.
    """

    weight: Annotated[int, Field(ge=1)] = 1
    fault: str
    on: Names
    pick: Literal["one", "all"] | Annotated[int, Field(ge=1)] = "one"
    hold: Seconds = Field(alias="for")
    settings: Mapping[str, JsonValue] = {}


class Nemesis(Value):
    """
    Random faults. The seed decides all of them before the run starts.

    The times between faults are exponential with the mean `interval`. A fault is left out if more than `at_once` faults
    would be in force at a time, or if it would hit a node or the end of a link that another fault holds or that has not
    had its `rest`.
    """

    interval: Annotated[Seconds, Field(gt=0)]
    at_once: int = Field(default=1, ge=1, le=16)
    after: Seconds = 3.0
    until: Seconds | None = Field(default=None, description="none after this; default: the load's end")
    rest: Seconds = Field(default=5.0, description="a node is left alone for this long after a fault")
    faults: tuple[NemesisFault, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _lasts(self) -> Nemesis:
        if self.until is not None and self.until <= self.after:
            raise ValueError(f"until {self.until:g} s leaves no time after {self.after:g} s")
        return self


IN_FLIGHT_WITHIN = 3.0
"""
Seconds. A fault at a time waits this long until enough instances are in flight (`checks.minimum.in_flight`). Then it is
applied anyway.
"""


class Minimum(Value):
    """
    The least that a run must contain. With less, the run cannot be HOLDS.
    """

    instances: int = Field(default=1, ge=1)
    in_flight: int = Field(default=1, ge=0, description="instances running when each fault was applied")
    classes: Mapping[str, Annotated[int, Field(ge=0)]] | Literal["target"] = Field(
        default={}, description="class -> instances; `target`: what the target's workflow says (`minimum`)"
    )

    @field_validator("classes")
    @classmethod
    def _are_ends(cls, classes: Mapping[str, int] | str) -> Mapping[str, int] | str:
        ends = get_args(EndClass) + get_args(AskedEnd)
        for name in classes if isinstance(classes, Mapping) else ():
            if name not in ends:
                raise ValueError(f'"{name}" is no end of an instance; expected one of: {", ".join(ends)}')
        return classes


class Checks(Value):
    """
    What judging needs to know: how long the system may take to settle, and the least that the run must contain.

    `ends` gives more ways in which a kind may end in this scenario than the target gives. For example, while the
    outside world is away, an instance that would normally complete may rightly be compensated.
    """

    settle: Seconds = 60.0
    stall: Annotated[Seconds, Field(gt=0)] = Field(
        default=15.0, description="while settling: after this long without any progress, what is stuck is reported"
    )
    minimum: Minimum = Minimum()
    services_away: bool = Field(
        default=False, description="the outside world may be away: a kind may also end in its `ends_without_services`"
    )
    determinism: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="share of the workflow turns that are executed twice, to see that both order the same"
    )
    ends: Mapping[str, Annotated[tuple[EndClass, ...], Field(min_length=1)]] = {}


class Percentiles(Value):
    """
    The longest that 50 %, 90 %, 95 %, 99 % and 99.9 % of the starts may take, in seconds.
    """

    p50: Seconds | None = None
    p90: Seconds | None = None
    p95: Seconds | None = None
    p99: Seconds | None = None
    p999: Seconds | None = None


class Latency(Percentiles):
    """
    Percentiles of all starts; of those that were due while a fault was in force; and of the others.
    """

    in_faults: Percentiles | None = None
    outside_faults: Percentiles | None = None


class Gate(Value):
    """
    What a team accepts. It decides the exit code and never changes the verdict.

    `known: allow` passes a run whose violations are all explained by known findings, no more often than recorded. All
    fields from `start` on are service levels: a miss is exit code 3, never a violation.
    """

    known: Literal["allow", "deny"] = Field(default="deny", description="violations that known findings explain")
    recorded: Path | None = Field(
        default=None, description="how often known findings were met, a file; default: the harness's own figures"
    )
    unknown: Literal["allow", "deny"] = Field(default="deny", description="a run that cannot tell")

    start: Latency | None = Field(default=None, description="from when a start was due to its first yes")
    end: Latency | None = Field(default=None, description="from when a start was due to the end of its instance")
    throughput: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="instances per second that end during the load, at least"
    )
    errors: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="share of the starts to which clients get no clear answer, at most"
    )
    recovery: Seconds | None = Field(default=None, description="after each fault, at most")


class Safety(Value):
    """
    When a run gives up. Then everything is healed, and the evidence so far is judged. Such a run is never HOLDS.
    """

    at_once: int = Field(default=16, ge=1, description="nodes and links that faults may hold at the same time")
    errors: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="error budget: share of the planned starts that clients may get no clear answer to"
    )
    standstill: Annotated[Seconds, Field(gt=0)] = Field(
        default=120.0, description="during the load: for this long no start was accepted and no instance moved"
    )
    disk_mb: int = Field(default=500, ge=0, description="free, on the disk of the run directory")
    memory_mb: int = Field(default=200, ge=0, description="available, on this machine")
    overtime: Seconds = Field(default=600.0, description="hard limit: seconds beyond load and settle time")


class Expectation(Value):
    """
    A known bug of another project that the scenario meets: the invariants that may be violated, and where this is
    written down. Every other result is unexpected, also HOLDS.
    """

    violated: tuple[str, ...] = Field(min_length=1, description="names of invariants")
    upstream: str = Field(min_length=10, description="an address, or the sentence of a document")


class Scenario(Value):
    """
    A named scenario: the claim in words, then everything needed to test it.
    """

    name: str
    claim: str = Field(min_length=10)
    target: Path
    topology: Topology = Topology()
    load: Load
    faults: tuple[FaultEntry, ...] = ()
    nemesis: Nemesis | None = None
    checks: Checks = Checks()
    gate: Gate = Gate()
    safety: Safety = Safety()
    expect: Expectation | None = None

    @model_validator(mode="after")
    def _faults_fit_the_load(self) -> Scenario:
        last = max(self.faults, key=lambda fault: fault.since, default=None)
        if last is not None and last.since > self.load.duration:
            raise ValueError(
                f"fault {last.fault} at {last.since:g} s comes after the load has ended ({self.load.duration:g} s); "
                f"load.duration is at least {last.since:g} s for these faults"
            )
        if self.expect is not None and self.gate.known == "allow":
            raise ValueError("a scenario expects a violation (expect) or allows known findings (gate.known), not both")
        return self
