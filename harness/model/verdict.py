"""
A verdict: what was found in the evidence of one run.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, JsonValue

from harness.model.scenario import Expectation
from harness.model.values import NodeName, Value, schema_for_readers


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
    Return the worst of these results. If there are none, return UNKNOWN, because nothing was examined.
    """
    return max(results, key=_WORST_LAST.index) if results else Result.UNKNOWN


class Witness(Value):
    """
    One row that an invariant returned: the instance, a sentence for a person, and the row itself.
    """

    instance_id: str | None = Field(description="the workflow instance that broke it; null if the row names none")
    sentence: str = Field(description="what happened, for a person")
    row: Mapping[str, Any] = Field(description="the columns of the row, as the invariant returned them")
    explained_by: tuple[str, ...] = Field(default=(), description="known findings that explain it")


INTERRUPTED = "the user interrupted it"
"""Why a phase was cut short; a gate lets no such run pass."""


class Known(Value):
    """
    A known finding that explains rows of this run: `instances` show its cause, `rows` against invariants are explained
    by it. `sentences` tell of the first of the instances.
    """

    name: str = Field(description="its file's name, without the ending")
    title: str = Field(description="what goes wrong, in a sentence")
    layer: str = Field(description="where it goes wrong: the engine, the scheduler, ...")
    number: int | None = Field(default=None, description="its number in docs/findings.md")
    fixed: str | None = Field(default=None, description="the first Dapr release in which it is mended, if one is known")
    upstream: tuple[str, ...] = Field(default=(), description="where it is known upstream: issues, pull requests")
    instances: int = Field(description="instances of this run that show its cause")
    rows: int = Field(description="rows against invariants that it explains")
    sentences: tuple[str, ...] = Field(default=(), description="of the first of these instances, what shows it")


Origin = Literal["general", "target", "user"]
"""Whose invariant it is."""


class Finding(Value):
    """
    What one invariant found. `violations` is the number of all rows; `witnesses` has the first of them.
    """

    name: str = Field(description="the invariant's name")
    claim: str = Field(description="what it says of every run, in a sentence")
    result: Result = Field(description="HOLDS, UNKNOWN or VIOLATED")
    examined: int = Field(description="how many things it looked at")
    violations: int = Field(description="all rows against it")
    witnesses: tuple[Witness, ...] = Field(default=(), description="the first of these rows, at most 20")
    reason: str | None = Field(default=None, description="why it is UNKNOWN; null otherwise")
    catches: tuple[str, ...] = Field(default=(), description="planted defects that it must catch")
    origin: Origin = Field(
        default="general", description="whose it is: the harness's own, the target's or a package's, the user's"
    )
    explained: int = Field(default=0, description="of the rows against it, those that known findings explain")

    @property
    def unexplained(self) -> int:
        """
        The rows against it that no known finding explains.
        """
        return self.violations - self.explained


class NotApplicable(Value):
    """
    Invariants that this target offers no evidence for. They are no reason for UNKNOWN.
    """

    invariants: tuple[str, ...] = Field(description="their names")
    lacking: str = Field(description="what the evidence that they need would tell")
    give: str = Field(description="what the target must give, so that they are judged too")


class WorkflowCost(Value):
    """
    What the instances of one workflow took that a client asked for and that ended.
    """

    instances: int = Field(description="how many these are")
    median: float | None = Field(
        description="seconds from when the start was due to the instance's end, the median; null if that is not known"
    )
    p99: float | None = Field(description="the same, the 99th percentile")
    history_rows: float = Field(description="rows of an instance's history in the state store, the mean")
    payload_bytes: float = Field(description="bytes of inputs, results and outputs in these rows, the mean")
    attempts: int = Field(description="executions of its activities' bodies")
    repeated_attempts: int = Field(description="of these, executions beyond the first of a task; allowed")


class Quantiles(Value):
    """
    How long things took, in seconds. A time is null if it is infinite: so many never came to an end.
    """

    number: int = Field(description="how many these are")
    p50: float | None = Field(description="the median: at least half took no longer")
    p95: float | None = Field(description="95 of 100 took no longer")
    p99: float | None = Field(description="99 of 100 took no longer")
    longest: float | None = Field(description="what took the longest")


class Latencies(Value):
    """
    How long one kind of thing took. Where each belongs is decided by when it began.
    """

    measure: Literal["start", "end", "activity", "turn"] = Field(
        description="start: from when a start was due until it was accepted; end: until its instance ended; activity: "
        "from when the engine ordered it until it had its result; turn: from when the engine began a turn of the "
        "workflow until it had what the turn ordered"
    )
    name: str = Field(description="of the activity; of a turn, the workflow; else empty")
    all: Quantiles = Field(description="in the whole load")
    in_faults: Quantiles | None = Field(description="while any fault was in force; null if there are none")
    outside_faults: Quantiles | None = Field(description="while no fault was in force; null if there are none")
    steps: Mapping[str, Quantiles] = Field(
        description="number of a step of the plan -> from when it was applied on the first node until it was healed on "
        "the last"
    )


class FaultFinding(Value):
    """
    One fault on one node: whether it was felt, when, and how long until the system was well again.

    `at` and `healed_at` are seconds after the load began. The other times are seconds after the fault was applied. A
    time is None if it did not happen or is not known. harness/checkers/recovery.py says how they are measured.
    """

    step: int = Field(description="number of the step in the plan, from 0")
    fault: str = Field(description="the kind of fault")
    node: NodeName = Field(description="the node or link that was hit")
    at: float | None = Field(description="seconds from the load's begin until it was in force; null if it never was")
    felt_after: float | None = Field(description="seconds until it was proved to be felt; null if it was not")
    healed_at: float | None = Field(description="seconds from the load's begin until it was undone; null if it was not")
    in_flight: int = Field(description="instances that were running when it was applied")
    first_failure: float | None = Field(default=None, description="seconds until the first failed start was answered")
    first_success: float | None = Field(default=None, description="seconds until the first good answer after that")
    recovery: float | None = Field(description="seconds until throughput was steady again")
    unrecovered: str | None = Field(default=None, description="why there is no recovery time; null if there is one")
    watched: float | None = Field(
        default=None,
        description="without a recovery: seconds for which one was looked for; null if that was not possible",
    )
    proof: Mapping[str, JsonValue] = Field(description="what was measured, or why nothing could be")


class Verdict(Value):
    """
    The verdict on one run. It is made only from the evidence, so the same evidence gives the same bytes.
    """

    version: Literal[1] = Field(description="of this format: grows when a field goes, or changes its meaning")
    run: str = Field(description="the run directory's name")
    scenario: str = Field(description="the scenario's name")
    claim: str = Field(description="what the scenario claims")
    seed: int = Field(description="the seed that decided the plan")
    result: Result = Field(
        description="HOLDS, UNKNOWN or VIOLATED: the worst of the findings, and UNKNOWN if it lacks something"
    )
    reasons: tuple[str, ...] = Field(description="plain sentences: why it is not HOLDS; empty if it is")
    lacking: tuple[str, ...] = Field(
        default=(), description="of these, what was not seen: faults that were not felt, evidence that is not there"
    )
    classes: Mapping[str, int] = Field(description="end class -> instances, violations included")
    kinds: Mapping[str, Mapping[str, int]] = Field(description="kind -> end class -> instances")
    workflows: Mapping[str, Mapping[str, int]] = Field(
        default={}, description="workflow that was asked for -> end class -> instances"
    )
    costs: Mapping[str, WorkflowCost] = Field(
        default={}, description="workflow -> what its instances took, of a load of several workflows"
    )
    latencies: tuple[Latencies, ...] = Field(
        default=(), description="how long starts, instances, each activity and each turn took"
    )
    operations: Mapping[str, int] = Field(description="client outcome -> calls")
    attempts: int = Field(description="executions of activity bodies")
    repeated_attempts: int = Field(description="executions beyond the first of a task; allowed")
    overlapping_attempts: int = Field(
        default=0, description="of these, those that began while another execution of the task ran; allowed"
    )
    rests_on: tuple[str, ...] = Field(default=(), description="the witnesses that this target offers")
    findings: tuple[Finding, ...] = Field(description="what each applicable invariant found")
    not_applicable: tuple[NotApplicable, ...] = Field(
        default=(), description="the other invariants: those that the target offers no evidence for"
    )
    faults: tuple[FaultFinding, ...] = Field(description="each fault on each node, in the order of the plan")
    missed_levels: tuple[str, ...] = Field(default=(), description="service levels of the gate that were missed")
    notes: tuple[str, ...] = Field(default=(), description="plain sentences that change nothing, and should be known")
    trial: bool = Field(
        default=False, description="judged with a folder of the user's own besides: not what the run is judged by"
    )
    modified: tuple[str, ...] = Field(
        default=(), description="files of the run that are not as it left them; such a verdict is never HOLDS"
    )
    known: tuple[Known, ...] = Field(default=(), description="known findings that explain rows of this run")
    expect: Expectation | None = Field(default=None, description="what the scenario expects to be violated")


def schema() -> dict[str, Any]:
    """
    Return the JSON Schema of verdict.json, for those who read it.
    """
    return schema_for_readers(Verdict)
