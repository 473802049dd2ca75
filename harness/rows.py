"""
What a run writes down as it happens: one frozen type for each row of each journal.

Writers, readers and the exporter (compose/exporter.py) share these types. Times are integer nanoseconds since the
epoch, UTC. A row may hold more than its type names, as an application's attempts file may; the rest is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from harness.model import Point

Outcome = Literal["ok", "fail", "unknown"]
"""What a client knows of its call: accepted, clearly refused, or anything else."""


class Row(BaseModel):
    """
    One line of a journal; `at_ns` is when it was written.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    at_ns: int


# --- operations-<client>.jsonl: calls of clients ------------------------------------------------------


class Invoked(Row):
    """
    A call is about to be sent. `attempt` counts the tries of one instance id from 1; `intended_ns` is when the arrival
    schedule wanted the call sent.
    """

    event: Literal["invoke"] = "invoke"
    op_id: str
    instance_id: str
    workflow: str
    kind: str
    client: str
    node: str
    attempt: int = Field(alias="try")
    intended_ns: int


class Completed(Row):
    """
    What came of a call: its outcome, the HTTP status if there was an answer, and the error in words if it is not ok.
    """

    event: Literal["complete"] = "complete"
    op_id: str
    outcome: Outcome
    status: int | None
    detail: str | None


# --- attempts-<node>.jsonl: executions of activities, written by the target (docs/target-contract.md) --


class BodyBegan(Row):
    """
    The body of an activity begins.
    """

    event: Literal["start"] = "start"
    attempt_id: str
    instance_id: str
    activity: str
    task_id: int
    node: str


class BodyEnded(Row):
    """
    The body of an activity ended, well or with an error.
    """

    event: Literal["end"] = "end"
    attempt_id: str
    outcome: Literal["ok", "error"]
    detail: str | None = None


# --- faults.jsonl: the chaos controller ---------------------------------------------------------------


class _OfFault(Row):
    """
    A row about one fault on one node; `step` is its step in the plan, -1 for what no plan holds.
    """

    step: int
    fault: str
    node: str


class Intended(_OfFault):
    """
    The fault is about to be applied. On disk before anything is touched.
    """

    event: Literal["intent"] = "intent"
    planned_ns: int


class Applied(_OfFault):
    """
    The fault is in force. `proof` is there only for what was no fault of the plan: how a node ended by itself.
    """

    event: Literal["applied"] = "applied"
    proof: Mapping[str, JsonValue] = {}


class Felt(_OfFault):
    """
    The fault was proved to be felt: `proof` holds what was measured.
    """

    event: Literal["felt"] = "felt"
    proof: Mapping[str, JsonValue]


class Unfelt(_OfFault):
    """
    The fault could not be applied, or not be proved: `proof` holds the `reason`, and what was measured instead.
    """

    event: Literal["unfelt"] = "unfelt"
    proof: Mapping[str, JsonValue]


class Healed(_OfFault):
    """
    The fault was undone, and that was proved.
    """

    event: Literal["healed"] = "healed"


class Unhealed(_OfFault):
    """
    The fault could not be undone: `proof` holds the `reason`.
    """

    event: Literal["unhealed"] = "unhealed"
    proof: Mapping[str, JsonValue]


# --- phases.jsonl, samples.jsonl: the run -------------------------------------------------------------


class PhaseBegan(Row):
    """
    A phase of the run begins.
    """

    event: Literal["start"] = "start"
    phase: str


class PhaseEnded(Row):
    """
    A phase of the run ended; `detail` says why it was cut short, if it was.
    """

    event: Literal["end"] = "end"
    phase: str
    detail: str | None = None


class Sample(Row):
    """
    One reading of one node.
    """

    node: str
    metric: str
    value: float


# --- load.jsonl: the load generator -------------------------------------------------------------------


class LoadBegan(Row):
    """
    The load begins: the time that the plan's times count from.
    """

    event: Literal["started"] = "started"


class LoadEnded(Row):
    """
    The load ended; `dropped` arrivals were not sent, because too many were in flight.
    """

    event: Literal["ended"] = "ended"
    dropped: int


# --- points.jsonl: where aimed faults land ------------------------------------------------------------


class _OfExecution(Row):
    """
    A row about an execution that stands at a point of an activity, which it announced at `announced_ns` by its own
    clock.
    """

    step: int
    instance_id: str
    activity: str
    task_id: int
    attempt_id: str
    node: str
    point: Point
    announced_ns: int


class HeldAt(_OfExecution):
    """
    The execution is held.
    """

    event: Literal["held"] = "held"


class LetGo(_OfExecution):
    """
    The execution goes on, and why.
    """

    event: Literal["let go"] = "let go"
    why: str


class NeverCame(Row):
    """
    The execution that an aimed fault waited for never came; `came` executions came to that point.
    """

    event: Literal["never"] = "never"
    step: int
    came: int


OperationRow = Invoked | Completed
AttemptRow = BodyBegan | BodyEnded
FaultRow = Intended | Applied | Felt | Unfelt | Healed | Unhealed
PhaseRow = PhaseBegan | PhaseEnded
LoadRow = LoadBegan | LoadEnded
PointRow = HeldAt | LetGo | NeverCame

_BY_EVENT = Field(discriminator="event")

OPERATIONS: TypeAdapter[OperationRow] = TypeAdapter(Annotated[OperationRow, _BY_EVENT])
ATTEMPTS: TypeAdapter[AttemptRow] = TypeAdapter(Annotated[AttemptRow, _BY_EVENT])
FAULTS: TypeAdapter[FaultRow] = TypeAdapter(Annotated[FaultRow, _BY_EVENT])
PHASES: TypeAdapter[PhaseRow] = TypeAdapter(Annotated[PhaseRow, _BY_EVENT])
SAMPLES: TypeAdapter[Sample] = TypeAdapter(Sample)
LOAD: TypeAdapter[LoadRow] = TypeAdapter(Annotated[LoadRow, _BY_EVENT])
POINTS: TypeAdapter[PointRow] = TypeAdapter(Annotated[PointRow, _BY_EVENT])
