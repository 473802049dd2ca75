"""
The rows of the journals, which record a run as it happens: one frozen type for each kind of row.

Writers, readers and metrics share these types. Times are integer nanoseconds since the epoch, UTC. Longer than most
modules, because it is a list of types and nothing else. A row may have more fields than its type, for example in an
application's attempts file. These are ignored. docs/run-directory.md lists all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from harness.model import Point

Outcome = Literal["ok", "fail", "unknown"]
"""What a client knows about its call: it was accepted, it was clearly refused, or anything else."""


class Row(BaseModel):
    """
    One line of a journal; `at_ns` is when it was written.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    at_ns: int


# --- operations-<client>.jsonl: calls of clients ------------------------------------------------------


class Invoked(Row):
    """
    A call is about to be sent. `attempt` (`try` in the file) counts the tries of one instance id, from 1. `intended_ns`
    is when the call was due by the arrival schedule.
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
    A call is completed: its outcome, the HTTP status if there was an answer, and the error in words if it is not ok.
    `instance_id` is the id that the answer brought, where the client does not choose it.
    """

    event: Literal["complete"] = "complete"
    op_id: str
    outcome: Outcome
    status: int | None
    detail: str | None
    instance_id: str | None = None


class Dropped(Row):
    """
    A start that was due was not sent, because as many as `load.max_in_flight` were waiting for their answers.
    `intended_ns` is when it was due.
    """

    event: Literal["dropped"] = "dropped"
    instance_id: str
    client: str
    intended_ns: int


# --- requests-<client>.jsonl: what clients ask of instances after their start ---------------------------


class Requested(Row):
    """
    A request is about to be sent. `number` counts those to one instance, from 1. `operation` is that of Dapr's workflow
    API; of `raiseEvent`, `name` is the event; of that and of `start`, `payload` is what is sent, JSON. `intended_ns` is
    when it was due.
    """

    event: Literal["invoke"] = "invoke"
    request_id: str
    instance_id: str
    operation: str
    name: str | None
    payload: str | None
    number: int
    client: str
    node: str
    intended_ns: int


class Responded(Row):
    """
    A request is completed: its outcome, the HTTP status if there was an answer, and the error in words if it is not ok.
    `runtime_status` is what the answer to a `get` says of the instance.
    """

    event: Literal["complete"] = "complete"
    request_id: str
    outcome: Outcome
    status: int | None
    detail: str | None
    runtime_status: str | None = None


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
    The body of an activity has ended, with `ok` or with an error.
    """

    event: Literal["end"] = "end"
    attempt_id: str
    outcome: Literal["ok", "error"]
    detail: str | None = None


# --- turns-<sidecar>.jsonl: workflow turns that were executed twice, written by an acting tap (docs/tap.md) ---


class TurnTwice(Row):
    """
    A turn was executed twice. `node` is the sidecar whose turn it is, `other` the one whose application executed the
    twin; `past` and `new` are the numbers of events that the turn knew and took in. `same` is None, and so is `other`,
    if one of the two gave no answer. `difference` tells the first difference in words; `first` and `second` have what
    only one of them ordered.
    """

    instance_id: str
    node: str
    other: str | None
    past: int
    new: int
    same: bool | None = None
    difference: str | None = None
    first: str | None = None
    second: str | None = None


# --- faults.jsonl: the chaos controller ---------------------------------------------------------------


class _OfFault(Row):
    """
    A row about one fault on one node or link. `step` is the number of its step in the plan; -1 if it is not in the
    plan.
    """

    step: int
    fault: str
    node: str


class Intended(_OfFault):
    """
    The fault is about to be applied. This row is on disk before anything is touched. `planned_ns` is the planned time.
    """

    event: Literal["intent"] = "intent"
    planned_ns: int


class Applied(_OfFault):
    """
    The fault is in force. Only a node that ended by itself has a `proof` here: how it ended.
    """

    event: Literal["applied"] = "applied"
    proof: Mapping[str, JsonValue] = {}


class Felt(_OfFault):
    """
    It is proved that the fault is felt. `proof` is what was measured.
    """

    event: Literal["felt"] = "felt"
    proof: Mapping[str, JsonValue]


class Unfelt(_OfFault):
    """
    The fault could not be applied, or it could not be proved. `proof` has the `reason`, and what was measured instead.
    """

    event: Literal["unfelt"] = "unfelt"
    proof: Mapping[str, JsonValue]


class Healed(_OfFault):
    """
    The fault was undone, and this was proved.
    """

    event: Literal["healed"] = "healed"


class Unhealed(_OfFault):
    """
    The fault could not be undone. `proof` has the `reason`.
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
    A phase of the run has ended. `detail` says why it was cut short; None if it was not.
    """

    event: Literal["end"] = "end"
    phase: str
    detail: str | None = None


class Sample(Row):
    """
    One reading of one node: the name of what was measured, and its value.
    """

    node: str
    metric: str
    value: float


# --- load.jsonl: the load generator -------------------------------------------------------------------


class LoadBegan(Row):
    """
    The load begins. The times of the plan count from here.
    """

    event: Literal["started"] = "started"


class LoadEnded(Row):
    """
    The load has ended. `dropped` is the number of arrivals that were not sent, because too many were in flight.
    """

    event: Literal["ended"] = "ended"
    dropped: int


class Joined(Row):
    """
    A worker takes part in a load that several workers share.
    """

    event: Literal["joined"] = "joined"
    client: str


class Shared(Row):
    """
    What a worker is to send: from the arrival with number `first` on, those whose number modulo `parts` is `part`,
    until the next such row with another `first`. If `lost` names a worker, it is the arrival `first` alone, which that
    worker was to send and had not sent.
    """

    event: Literal["shared"] = "shared"
    client: str
    first: int
    part: int
    parts: int
    lost: str | None = None


class Lost(Row):
    """
    A worker takes part no longer, and its process has ended; `why` says how.
    """

    event: Literal["lost"] = "lost"
    client: str
    why: str


# --- load-<client>.jsonl: one of several workers that share a load ------------------------------------


class Ready(Row):
    """
    The worker can send.
    """

    event: Literal["ready"] = "ready"
    client: str


class Idle(Row):
    """
    The worker has sent everything that it was told up to the message with this number, and has all answers.
    """

    event: Literal["idle"] = "idle"
    message: int


# --- points.jsonl: where aimed faults land ------------------------------------------------------------


class _OfExecution(Row):
    """
    A row about an execution that has reached a point of an activity. `announced_ns` is when it announced this, by the
    clock of the application.
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
    The execution is held at the point.
    """

    event: Literal["held"] = "held"


class LetGo(_OfExecution):
    """
    The execution continues; `why` gives the reason.
    """

    event: Literal["let go"] = "let go"
    why: str


class NeverCame(Row):
    """
    The execution for which an aimed fault waited never came. `came` is the number of executions that reached the point.
    """

    event: Literal["never"] = "never"
    step: int
    came: int


OperationRow = Invoked | Completed | Dropped
RequestRow = Requested | Responded
AttemptRow = BodyBegan | BodyEnded
FaultRow = Intended | Applied | Felt | Unfelt | Healed | Unhealed
PhaseRow = PhaseBegan | PhaseEnded
LoadRow = LoadBegan | LoadEnded | Joined | Shared | Lost
WorkerRow = Ready | Idle
PointRow = HeldAt | LetGo | NeverCame

_BY_EVENT = Field(discriminator="event")

OPERATIONS: TypeAdapter[OperationRow] = TypeAdapter(Annotated[OperationRow, _BY_EVENT])
REQUESTS: TypeAdapter[RequestRow] = TypeAdapter(Annotated[RequestRow, _BY_EVENT])
ATTEMPTS: TypeAdapter[AttemptRow] = TypeAdapter(Annotated[AttemptRow, _BY_EVENT])
FAULTS: TypeAdapter[FaultRow] = TypeAdapter(Annotated[FaultRow, _BY_EVENT])
PHASES: TypeAdapter[PhaseRow] = TypeAdapter(Annotated[PhaseRow, _BY_EVENT])
SAMPLES: TypeAdapter[Sample] = TypeAdapter(Sample)
TURNS: TypeAdapter[TurnTwice] = TypeAdapter(TurnTwice)
LOAD: TypeAdapter[LoadRow] = TypeAdapter(Annotated[LoadRow, _BY_EVENT])
WORKER: TypeAdapter[WorkerRow] = TypeAdapter(Annotated[WorkerRow, _BY_EVENT])
POINTS: TypeAdapter[PointRow] = TypeAdapter(Annotated[PointRow, _BY_EVENT])
