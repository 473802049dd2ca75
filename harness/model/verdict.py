"""
A verdict: what was found in the evidence of one run.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, JsonValue

from harness.model.scenario import Expectation
from harness.model.values import NodeName, Value


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

    instance_id: str | None
    sentence: str
    row: Mapping[str, Any]
    explained_by: tuple[str, ...] = Field(default=(), description="known findings that explain it")


INTERRUPTED = "the user interrupted it"
"""Why a phase was cut short; a gate lets no such run pass."""


class Known(Value):
    """
    A known finding that explains rows of this run: `instances` show its cause, `rows` against invariants are explained
    by it. `sentences` tell of the first of the instances.
    """

    name: str
    title: str
    layer: str
    number: int | None = Field(default=None, description="its number in docs/findings.md")
    fixed: str | None = Field(default=None, description="the first Dapr release in which it is mended, if one is known")
    upstream: tuple[str, ...] = ()
    instances: int
    rows: int
    sentences: tuple[str, ...] = ()


Origin = Literal["general", "target", "user"]
"""Whose invariant it is."""


class Finding(Value):
    """
    What one invariant found. `violations` is the number of all rows; `witnesses` has the first of them.
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
    explained: int = Field(default=0, description="of the rows against it, those that known findings explain")

    @property
    def unexplained(self) -> int:
        """
        The rows against it that no known finding explains.
        """
        return self.violations - self.explained


class FaultFinding(Value):
    """
    One fault on one node: whether it was felt, when, and how long until the system was well again.

    `at` and `healed_at` are seconds after the load began. The other times are seconds after the fault was applied. A
    time is None if it did not happen or is not known. harness/checkers/recovery.py says how they are measured.
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


class Verdict(Value):
    """
    The verdict on one run. It is made only from the evidence, so the same evidence gives the same bytes.
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
    trial: bool = Field(
        default=False, description="judged with a folder of the user's own besides: not what the run is judged by"
    )
    modified: tuple[str, ...] = Field(
        default=(), description="files of the run that are not as it left them; such a verdict is never HOLDS"
    )
    known: tuple[Known, ...] = Field(default=(), description="known findings that explain rows of this run")
    expect: Expectation | None = Field(default=None, description="what the scenario expects to be violated")
