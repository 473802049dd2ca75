"""
The plain values that the stages of a run hand to each other: target, scenario, plan, verdict.

All are frozen pydantic models: made once, validated once, compared and saved as JSON. None of them
does anything. Durations are seconds (float) unless a name says otherwise; points in time are integer
nanoseconds since the epoch, UTC, in fields that end in `_ns`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, JsonValue, Tag, model_validator

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(value: object) -> object:
    """
    `8`, `8s`, `200ms`, `1.5m` or `1h` as seconds; anything else is left for pydantic to refuse.

    Raises ValueError for text that is not a duration.
    """
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("a duration is a number with ms, s, m or h, like 1.5s or 200ms")
    return round(float(match[1]) * _UNIT_SECONDS[match[2] or "s"], 6)


_Bounded = Annotated[float, Field(ge=0, le=86_400)]
Seconds = Annotated[
    _Bounded,
    BeforeValidator(seconds, json_schema_input_type=_Bounded | Annotated[str, Field(pattern=f"^{_DURATION.pattern}$")]),
]
EndClass = Literal["completed", "compensated", "rejected", "refused"]
NodeName = Annotated[str, Field(min_length=1, max_length=100)]


class Value(BaseModel):
    """
    A frozen value that refuses fields it does not know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- target: what is attacked -----------------------------------------------------------------------


class Program(Value):
    """
    How one replica of a target's own process is started.

    It gets its settings from the environment, as docs/target-contract.md lists them (PORT, NODE, ...).
    """

    command: tuple[str, ...] = Field(min_length=1)
    workdir: Path = Path()
    health: str = "/healthz"
    env: Mapping[str, str] = {}
    misbehave: str | None = Field(default=None, description="route that a service takes orders to misbehave on")


class Kind(Value):
    """
    One kind of start: what is sent, and the classes in which such an instance may end.

    `vary` gives placeholder values drawn by the seed; `{id}` and `{kind}` are always there.
    """

    vary: Mapping[str, tuple[JsonValue, ...]] = {}
    ends: tuple[EndClass, ...] = Field(min_length=1)


class HttpStart(Value):
    """
    Start by an HTTP route of the app: which answers accept, which clearly refuse.

    Any other answer, and none, leaves the outcome unknown.
    """

    http: str
    accepted: tuple[int, ...] = (200, 201, 202)
    refused: tuple[int, ...] = (400, 404, 409, 422, 429)


class DaprStart(Value):
    """
    Start by Dapr's workflow API (stable since 1.15): `POST /v1.0/workflows/<dapr>/<workflow>/start?instanceID=<id>`.
    Its answers are those of the API reference, "Start workflow request": 202 accepted, 400 bad request.
    """

    dapr: str

    accepted: ClassVar[tuple[int, ...]] = (202,)
    refused: ClassVar[tuple[int, ...]] = (400,)


class Outcome(Value):
    """
    One thing that a workflow may say of itself: the class it claims and the forward effects it calls for.
    """

    ends: Literal["completed", "compensated", "rejected"]
    effects: tuple[str, ...] = ()


class Activity(Value):
    """
    One activity of a workflow, as a step that faults can be aimed at.
    """

    effect: str | None = Field(default=None, description="the effect that it makes; none if it only asks")


class Workflow(Value):
    """
    One workflow of the target: how it is started, with what, and how it may end.

    `steps` are the activities that faults can be aimed at, in the order in which they run.
    """

    start: HttpStart | DaprStart
    body: JsonValue
    kinds: Mapping[str, Kind] = Field(min_length=1)
    outcome: str = Field(description="field of the workflow's JSON output that names its outcome")
    outcomes: Mapping[str, Outcome] = Field(min_length=1)
    steps: Mapping[str, Activity] = {}


class EffectPair(Value):
    """
    A forward effect and the effect that compensates it; in the order in which forwards are made.
    """

    forward: str
    compensation: str


class Retry(Value):
    """
    How often the workflow's code has an activity tried, and how long it waits: before try n + 1 it is
    `first` * `backoff` ** (n - 1) seconds, at most `max`. A backoff of 1 is a constant wait.
    """

    attempts: int = Field(ge=1, description="tries of one call, the first included")
    first: Seconds = 0.0
    backoff: float = Field(default=1.0, ge=1, le=100)
    max: Seconds | None = None


class HttpLedger(Value):
    """
    A ledger that a service gives as JSON lines: `GET <path>` on `service`.
    """

    service: str
    path: str


class StateLedger(Value):
    """
    A ledger inside the state store: documents whose key starts with `prefix`, each with a list of
    effect rows in `field`.
    """

    prefix: str
    field: str


class Target(Value):
    """
    A durable workflow application as the harness sees it: `target.yaml`. All paths are absolute once loaded.
    """

    name: str = Field(pattern=r"[a-z][a-z0-9-]*")
    app_id: str
    app: Program
    services: Mapping[str, Program] = {}
    components: Path
    configuration: Path
    state_store: str = "statestore"
    workflows: Mapping[str, Workflow] = Field(min_length=1)
    activities: Mapping[str, Retry] = Field(default={}, description="registered name -> its retry policy")
    effects: tuple[EffectPair, ...] = Field(
        min_length=1, max_length=62, description="pairs; a set of them fits 62 bits"
    )
    ledgers: tuple[HttpLedger | StateLedger, ...] = Field(min_length=1)
    defects: Mapping[str, str] = {}
    invariants: Path | None = None
    compose: Path | None = Field(default=None, description="compose file of the same system in containers")


# --- scenario: what is done to it, and what is claimed ----------------------------------------------


class Topology(Value):
    """
    How many of each: one sidecar and one app process a replica.
    """

    replicas: int = Field(default=2, ge=1, le=8)


class Load(Value):
    """
    Open arrivals: starts are sent when the schedule says so, whether or not earlier ones were answered.
    """

    workflow: str = Field(description="name in the target's workflows")
    rate: float = Field(ge=0, le=2000, description="starts a second")
    duration: Seconds
    mix: Mapping[str, Annotated[int, Field(ge=0)]] = Field(min_length=1, description="kind -> weight")
    timeout: Annotated[Seconds, Field(gt=0)] = 10.0
    retries: int = Field(default=1, ge=0, le=5, description="of an unknown start, same id, on another replica")


Point = Literal["before_effect", "after_effect", "after_return"]
"""Where an execution of an activity stands: nothing done yet; its effect committed and its body not returned; returned,
and the engine has not recorded it."""


class StepPoint(Value):
    """
    A point in an activity, in place of a time: the fault lands while an execution is held there.

    Counted are the instances that come there for the first time, from `after` on (seconds after the load began).
    """

    activity: str
    point: Point
    occurrence: int | None = Field(default=None, ge=1, description="which to come there; default: by the seed")
    after: Seconds = 0.0


def _kind_of_moment(value: object) -> str:
    return "step" if isinstance(value, Mapping | StepPoint) else "time"


Moment = Annotated[Annotated[Seconds, Tag("time")] | Annotated[StepPoint, Tag("step")], Discriminator(_kind_of_moment)]


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[
    tuple[NodeName, ...],
    BeforeValidator(_one_or_more, json_schema_input_type=NodeName | tuple[NodeName, ...]),
    Field(min_length=1, description="a node, a role (`sidecar`), a pattern (`sidecar-*->redis`), or a list of them"),
]


class FaultStep(Value):
    """
    One line of the scenario's timeline, before the seed chose its targets.

    `settings` are the fault's own and were validated by its family.
    """

    fault: str
    on: Names
    pick: Literal["one", "all", "own"] | Annotated[int, Field(ge=1)] = Field(
        default="one", description="by the seed; `own`: of the replica where the step is that `at` names"
    )
    at: Moment = Field(description="after the load began, or a point in an activity")
    hold: Seconds = Field(description="how long until it is healed", alias="for")
    at_jitter: Seconds = Field(
        default=0.0, description="each time is moved by up to this much, either way, by the seed"
    )
    every: Annotated[Seconds, Field(gt=0)] | None = Field(default=None, description="repeat after this long")
    times: int | None = Field(default=None, ge=1, description="how often in all; default: until the load ends")
    until: Seconds | None = Field(default=None, description="with `every`: none after this; default: the load's end")
    stagger: Seconds = Field(default=0.0, description="between one chosen node and the next: a rolling fault")
    settings: Mapping[str, JsonValue] = {}

    @property
    def since(self) -> float:
        """
        Seconds after the load began: when it happens, or from when on it waits for its step.
        """
        return self.at.after if isinstance(self.at, StepPoint) else self.at

    @model_validator(mode="after")
    def _aims_or_not(self) -> FaultStep:
        if self.pick == "own" and not isinstance(self.at, StepPoint):
            raise ValueError("pick: own is for a fault whose `at` names a point in an activity")
        if self.stagger and isinstance(self.at, StepPoint):
            raise ValueError("stagger is for a fault at a time, and this one waits for a step")
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
    Random faults, all of them decided by the seed before the run starts.

    Gaps between faults are exponential with mean `interval`; a fault that would make more than `at_once` at a
    time, or hit a node or the end of a link that another holds or that has not rested from one, is left out.
    """

    interval: Annotated[Seconds, Field(gt=0)]
    at_once: int = Field(default=1, ge=1, le=16)
    after: Seconds = 3.0
    until: Seconds | None = Field(default=None, description="none after this; default: the load's end")
    rest: Seconds = Field(default=5.0, description="a node is left alone for so long: it must come back first")
    faults: tuple[NemesisFault, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _lasts(self) -> Nemesis:
        if self.until is not None and self.until <= self.after:
            raise ValueError(f"until {self.until:g} s leaves no time after {self.after:g} s")
        return self


class Minimum(Value):
    """
    The least that a run must contain to be judged at all; a thinner one is UNKNOWN.
    """

    instances: int = Field(default=1, ge=1)
    in_flight: int = Field(default=1, ge=0, description="instances running when each fault was applied")
    classes: Mapping[str, Annotated[int, Field(ge=0)]] = {}


class Checks(Value):
    """
    What judging needs to know: how long the system may take to settle, and the least it must show.

    `ends` says where this scenario lets a kind end in more ways than the target does: while the outside world is
    away an instance that would complete may rightly be compensated.
    """

    settle: Seconds = 60.0
    stall: Annotated[Seconds, Field(gt=0)] = Field(
        default=15.0, description="without any progress for so long while settling, what is stuck is told"
    )
    minimum: Minimum = Minimum()
    ends: Mapping[str, Annotated[tuple[EndClass, ...], Field(min_length=1)]] = {}


class Gate(Value):
    """
    Service levels, judged apart from correctness: a miss is exit code 3, never a violation.
    """

    start_p99: Seconds | None = None
    recovery: Seconds | None = None


class Safety(Value):
    """
    When a run is given up: everything is healed, what there is gets judged, and HOLDS is out of reach.
    """

    at_once: int = Field(default=16, ge=1, description="nodes and links that faults may hold at the same time")
    errors: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="error budget: share of the planned starts that clients may get no clear answer to"
    )
    standstill: Annotated[Seconds, Field(gt=0)] = Field(
        default=120.0, description="during the load: no start accepted and no instance moved for so long"
    )
    disk_mb: int = Field(default=500, ge=0, description="free, on the disk of the run directory")
    memory_mb: int = Field(default=200, ge=0, description="available, on this machine")
    overtime: Seconds = Field(default=600.0, description="hard limit: the run beyond its load and settle time")


class Expectation(Value):
    """
    What a scenario meets that is known to be broken, and not ours to mend: the invariants that may be violated, and
    where that is written down. Any other result is unexpected, HOLDS as well.
    """

    violated: tuple[str, ...] = Field(min_length=1)
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
    faults: tuple[FaultStep, ...] = ()
    nemesis: Nemesis | None = None
    checks: Checks = Checks()
    gate: Gate = Gate()
    safety: Safety = Safety()
    expect: Expectation | None = None

    @model_validator(mode="after")
    def _faults_fit_the_load(self) -> Scenario:
        for step in self.faults:
            if step.since > self.load.duration:
                raise ValueError(
                    f"fault {step.fault} at {step.since:g} s comes after the load has ended ({self.load.duration:g} s)"
                )
        return self


# --- plan: a scenario made concrete by a seed --------------------------------------------------------


class Aim(Value):
    """
    The point at which an aimed fault lands: when the `occurrence`th instance (from 1) comes to `point` of `activity`.

    `own`: of the step's nodes only those of the replica that announces it are hit.
    """

    activity: str
    point: Point
    occurrence: int
    own: bool

    def __str__(self) -> str:
        """
        `after_effect of ship_v1, instance 3`.
        """
        return f"{self.point} of {self.activity}, instance {self.occurrence}"


class Step(Value):
    """
    One fault on its chosen nodes, at its time after the load began. An aimed one waits for its point from `at` on.
    """

    step: int
    fault: str
    nodes: tuple[NodeName, ...] = Field(min_length=1)
    at: float
    hold: float
    settings: Mapping[str, JsonValue]
    aim: Aim | None = None


class Plan(Value):
    """
    What will be done, exactly. The same scenario, target and seed give the same plan, byte for byte.
    """

    scenario: Scenario
    target: Target
    seed: int
    dapr_version: str
    defect: str | None = None
    nodes: tuple[NodeName, ...]
    links: tuple[NodeName, ...]
    steps: tuple[Step, ...]


# --- stall: what stood still ---------------------------------------------------------------------------


class Stuck(Value):
    """
    One instance that does not move, and what there is to say of it; times in nanoseconds since the epoch.
    """

    instance_id: str
    status: str = Field(description="as the engine has it; `not stored` if it knows no such instance")
    last_event: str | None = Field(default=None, description="of its history, with name and task")
    last_at_ns: int | None = None
    history_length: int = 0
    inbox_length: int = 0
    last_attempt: str | None = Field(default=None, description="of an activity of it: which, where, how it ended")
    jobs: tuple[str, ...] | None = Field(default=None, description="that would wake it; None if they cannot be read")
    why: str


class Stall(Value):
    """
    What a run looked like when nothing had moved for a while.
    """

    at_ns: int
    phase: str
    after: float = Field(description="seconds without progress")
    waiting: int = Field(description="instances that had not ended")
    workers: Mapping[str, str] = Field(description="sidecar -> workflow workers that are connected to it, in words")
    instances: tuple[Stuck, ...]


# --- verdict: what was found ---------------------------------------------------------------------------


class Result(StrEnum):
    """
    Three-valued: VIOLATED beats UNKNOWN beats HOLDS.
    """

    HOLDS = "HOLDS"
    UNKNOWN = "UNKNOWN"
    VIOLATED = "VIOLATED"


_WORST_LAST = (Result.HOLDS, Result.UNKNOWN, Result.VIOLATED)


def worst(results: list[Result]) -> Result:
    """
    The worst of some results; of none, UNKNOWN: nothing was examined.
    """
    return max(results, key=_WORST_LAST.index) if results else Result.UNKNOWN


class Witness(Value):
    """
    One row that an invariant returned: the instance, a sentence for a person, and the row itself.
    """

    instance_id: str | None
    sentence: str
    row: Mapping[str, Any]


Origin = Literal["general", "target", "user"]
"""Whose invariant it is."""


class Finding(Value):
    """
    What one invariant said. `violations` counts all rows; `witnesses` holds the first of them.
    """

    name: str
    claim: str
    result: Result
    examined: int = Field(description="how many things it looked at")
    violations: int
    witnesses: tuple[Witness, ...] = ()
    reason: str | None = Field(default=None, description="why it is UNKNOWN; None otherwise")
    catches: tuple[str, ...] = Field(default=(), description="planted defects that it must catch")
    origin: Origin = "general"


class FaultFinding(Value):
    """
    One fault on one node: was it felt, when, and how long until things were well again.

    `at` and `healed_at` are seconds after the load began, the others seconds after the fault was applied; None where it
    did not happen or cannot be told. How they are measured is said in harness/checkers/recovery.py.
    """

    step: int
    fault: str
    node: NodeName
    at: float | None
    felt_after: float | None
    healed_at: float | None
    in_flight: int
    first_failure: float | None = Field(default=None, description="answer to the first start that failed")
    first_success: float | None = Field(default=None, description="answer to the first start after it that did not")
    recovery: float | None = Field(description="back at steady throughput")
    unrecovered: str | None = Field(default=None, description="why there is no recovery time; None if there is one")
    proof: Mapping[str, JsonValue]


class Planted(Value):
    """
    One defect that the self-test planted in a copy of a run's evidence, and which invariants caught it; or a
    `harmless` change, and which raised an alarm.

    `planted` is False where the run has no row for it.
    """

    defect: str
    table: str
    harmless: bool = False
    expected: tuple[str, ...] = Field(description="invariants that name it")
    planted: bool = False
    caught: tuple[str, ...] = Field(
        default=(), description="those of them that caught it; of a harmless change any that found more than before"
    )


class SelfTest(Value):
    """
    The checker tried on one run's evidence.
    """

    defects: tuple[Planted, ...]

    @property
    def planted(self) -> tuple[Planted, ...]:
        """
        The defects that could be planted.
        """
        return tuple(one for one in self.defects if one.planted and not one.harmless)

    @property
    def caught(self) -> tuple[Planted, ...]:
        """
        Those that every invariant that names them caught.
        """
        return tuple(one for one in self.planted if one.caught == one.expected)

    @property
    def harmless(self) -> tuple[Planted, ...]:
        """
        The harmless changes that could be made.
        """
        return tuple(one for one in self.defects if one.planted and one.harmless)

    @property
    def alarms(self) -> tuple[Planted, ...]:
        """
        The harmless changes that some invariant took for a violation.
        """
        return tuple(one for one in self.harmless if one.caught)


class Verdict(Value):
    """
    The verdict on one run: made from its evidence alone, so that the same evidence gives the same bytes.
    """

    run: str
    scenario: str
    claim: str
    seed: int
    result: Result
    reasons: tuple[str, ...] = Field(description="plain sentences: why it is not HOLDS; empty if it is")
    lacking: tuple[str, ...] = Field(
        default=(), description="of these, what was not seen: faults that were not felt, evidence that is not there"
    )
    classes: Mapping[str, int] = Field(description="end class -> instances, violations included")
    kinds: Mapping[str, Mapping[str, int]] = Field(description="kind -> end class -> instances")
    operations: Mapping[str, int] = Field(description="client outcome -> calls")
    attempts: int = Field(description="executions of activity bodies")
    repeated_attempts: int = Field(description="executions beyond the first of a task; allowed")
    overlapping_attempts: int = Field(
        default=0, description="of these, those that began while another execution of the task ran; allowed"
    )
    findings: tuple[Finding, ...]
    faults: tuple[FaultFinding, ...]
    missed_levels: tuple[str, ...] = Field(default=(), description="service levels of the gate that were missed")
    notes: tuple[str, ...] = Field(default=(), description="plain sentences that change nothing, and should be known")
    modified: tuple[str, ...] = Field(
        default=(), description="files of the run that are not as it left them; such a verdict is never HOLDS"
    )
    expect: Expectation | None = Field(default=None, description="what the scenario expects to be violated")
