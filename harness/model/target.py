"""
A target: the application under test, as its `target.yaml` describes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, JsonValue

from harness import names
from harness.model.ledgers import AnyLedger, Balance, CalledLedger, sources
from harness.model.program import Application, Program, Version
from harness.model.values import EndClass, Point, Seconds, Value
from harness.names import Node

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
"""A value that each start fills in, in the body that is sent."""


def _words(value: object) -> object:
    """
    Return a mapping whose keys are words. YAML reads the keys `true` and `5` as a truth value and a number: they become
    what JSON calls them, as outcomes do.
    """
    if not isinstance(value, Mapping):
        return value
    return {json.dumps(key) if isinstance(key, bool | int | float) else key: of for key, of in value.items()}


class Kind(Value):
    """
    One kind of start: what is sent, and the classes in which such an instance may end.

    `vary` has the values of placeholders, from which the seed chooses. The placeholders `{id}` and `{kind}` always
    exist.
    """

    vary: Mapping[str, tuple[JsonValue, ...]] = {}
    ends: tuple[EndClass, ...] = Field(min_length=1)
    ends_without_services: tuple[EndClass, ...] = Field(
        default=(), description="and in these, in a scenario in which services are away (`checks.services_away`)"
    )
    weight: int = Field(default=1, ge=0, description="its share of the load, where the scenario names no `mix`")


def placeholders(body: JsonValue) -> frozenset[str]:
    """
    Return the names of the placeholders in a body.
    """
    if isinstance(body, dict):
        return frozenset().union(*map(placeholders, body.values()))
    if isinstance(body, list):
        return frozenset().union(*map(placeholders, body))
    return frozenset(PLACEHOLDER.findall(body)) if isinstance(body, str) else frozenset()


Status = Annotated[int, Field(ge=100, le=599)]
"""An HTTP status."""


class HttpStart(Value):
    """
    Start by an HTTP route of the app: which statuses accept the start, and which clearly refuse it.

    With any other answer, and without an answer, the outcome is unknown. With `id` the application or Dapr chooses the
    instance id, and the answer brings it.
    """

    http: str
    id: str | None = Field(default=None, description="JMESPath: where the JSON answer has the instance id")
    accepted: tuple[Status, ...] = (200, 201, 202)
    refused: tuple[Status, ...] = (400, 404, 409, 422, 429)


class DaprStart(Value):
    """
    Start by Dapr's workflow API (stable since 1.15): `POST /v1.0/workflows/<dapr>/<workflow>/start?instanceID=<id>`.

    The statuses are those of the API reference, "Start workflow request": 202 accepted, 400 bad request.
    """

    dapr: str

    accepted: ClassVar[tuple[int, ...]] = (202,)
    refused: ClassVar[tuple[int, ...]] = (400,)
    id: ClassVar[None] = None


class Outcome(Value):
    """
    The meaning of one outcome that a workflow's output can name: the class that it claims, and the forward effects that
    it requires.
    """

    ends: Literal["completed", "compensated", "rejected"]
    effects: tuple[str, ...] = ()


class Activity(Value):
    """
    One activity of a workflow, at which faults can be aimed.
    """

    effect: str | None = Field(default=None, description="the effect that it makes; none if it makes no effect")


CodeAt = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")]
"""`module:function`."""


class Ending(Value):
    """
    What the end of a workflow means. Without `outcome`, the status in which the engine ends an instance is all that
    says how it ended. Where a target declares nothing of a workflow that other workflows start, this is what it means.
    """

    outcome: str | None = Field(
        default=None,
        description="JMESPath: where the workflow's JSON output says how it ended; `@` is the whole output",
    )
    outcomes: Annotated[Mapping[str, Outcome], BeforeValidator(_words)] = Field(
        default={}, description="each word that `outcome` may find -> what it means"
    )
    statuses: Mapping[Literal["COMPLETED", "FAILED", "TERMINATED"], Outcome] = Field(
        default={}, description="a status in which the engine may rightly end an instance -> what it means"
    )
    code: CodeAt | Annotated[Mapping[str, CodeAt], Field(min_length=1)] | None = Field(
        default=None,
        description="`module:function` of the workflow's code in Python, found from the app's `workdir`, for `harness "
        "replay-code`; of a workflow with named versions: version -> its code, the latest last",
    )

    def meanings(self) -> Mapping[tuple[str, str | None], Outcome]:
        """
        Return what each end means: (status, outcome) -> its meaning. The outcome is None if the status alone decides.
        """
        by_status: dict[tuple[str, str | None], Outcome] = {(name, None): of for name, of in self.statuses.items()}
        if self.outcome is not None:
            return {**by_status, **{("COMPLETED", word): of for word, of in self.outcomes.items()}}
        return {("COMPLETED", None): Outcome(ends="completed"), **by_status}

    def meaning(self, status: str | None, outcome: str | None) -> Outcome | None:
        """
        Return what the end of an instance means; None if target.yaml does not say.
        """
        known = self.meanings()
        return known.get((status or "", None)) or known.get((status or "", outcome))


class Workflow(Ending):
    """
    One workflow of the target that clients start: how it is started, with what, and how it may end.

    `activities` are the activities at which faults can be aimed, in the order in which they run. The payload of an
    event may have the placeholders `{id}`, `{kind}`, and `{number}`, the number of the request from 1.
    """

    start: HttpStart | DaprStart
    body: JsonValue
    kinds: Mapping[str, Kind] = Field(min_length=1)
    activities: Mapping[str, Activity] = {}
    events: Mapping[str, JsonValue] = Field(
        default={}, description="external event that the workflow waits for -> the payload with which clients raise it"
    )
    minimum: Mapping[EndClass, Annotated[int, Field(ge=0)]] = Field(
        default={}, description="class -> how many instances a run must show, where a scenario says `classes: target`"
    )


def activities(workflows: Iterable[Workflow]) -> Mapping[str, Activity]:
    """
    Return the activities of some workflows, by name.
    """
    return {name: activity for workflow in workflows for name, activity in workflow.activities.items()}


class EffectPair(Value):
    """
    A forward effect and the effect that compensates it, if there is one. The pairs are in the order in which the
    forward effects happen.
    """

    forward: str
    compensation: str | None = None


class Retry(Value):
    """
    The retry policy that the workflow's code has for an activity. Before try n + 1 it waits
    `first` * `backoff` ** (n - 1) seconds, but at most `max`. A backoff of 1 is a constant wait.
    """

    attempts: int = Field(ge=1, le=10**6, description="the most tries of one call, including the first")
    first: Seconds = 0.0
    backoff: float = Field(default=1.0, ge=1, le=100)
    max: Seconds | None = None


class Target(Value):
    """
    A durable workflow application as the harness sees it: `target.yaml`. After loading, all paths are absolute.
    """

    name: str = Field(pattern=r"[a-z][a-z0-9-]*")
    app_id: str
    app: Program
    apps: Mapping[str, Application] = Field(
        default={}, description="name -> a further application, with an app id of its own"
    )
    services: Mapping[str, Program] = {}
    components: Path | None = Field(default=None, description="folder; default: a state store alone")
    outside: tuple[str, ...] = Field(
        default=(), description="components that may lead to what the run does not start, such as a team's own broker"
    )
    configuration: Path | None = Field(default=None, description="default: one without certificates")
    state_store: str = "statestore"
    workflows: Mapping[str, Workflow] = Field(min_length=1)
    children: Mapping[str, Ending] = Field(
        default={}, description="workflow that other workflows start, and no client -> how it may end"
    )
    retries: Mapping[str, Retry] = Field(default={}, description="registered name of an activity -> its retry policy")
    attempts: bool = Field(
        default=False,
        description="the app writes each execution of an activity into ATTEMPTS_FILE; if not, the tap tells of them",
    )
    points: bool = Field(
        default=False,
        description="the app announces the points of its activities; if not, the tap announces those that it sees",
    )
    effects: tuple[EffectPair, ...] = Field(
        default=(), max_length=62, description="pairs of effects; a set of them must fit into 62 bits"
    )
    ledgers: tuple[AnyLedger, ...] = ()
    balances: Mapping[str, Balance] = Field(default={}, description="name -> numbers that must add up in the end")
    defects: Mapping[str, str] = {}
    invariants: Path | None = None
    known: Path | None = Field(default=None, description="folder of known findings of the team's own, .sql files")
    compose: Path | None = Field(default=None, description="compose file of the same system in containers")

    @property
    def app_ids(self) -> Mapping[str | None, str]:
        """
        Return application -> its app id. The main application is None, and comes first.
        """
        return {None: self.app_id, **{name: of.app_id or name for name, of in self.apps.items()}}

    def program(self, application: str | None) -> Program:
        """
        Return how a replica of an application is started; None is the main application.
        """
        return self.app if application is None else self.apps[application]

    def versions(self, node: Node) -> Mapping[str, Version]:
        """
        Return the versions of the program that a node runs, by name; none if it has only one, or is of the system.
        """
        if node.role == names.APP:
            return self.program(node.application).versions
        service = self.services.get(node.role)
        return {} if service is None else service.versions

    def ending(self, workflow: str | None) -> Ending | None:
        """
        Return what target.yaml says of the end of a workflow; None if it says nothing.
        """
        return self.workflows.get(workflow or "") or self.children.get(workflow or "")

    def announces(self, point: Point) -> bool:
        """
        Whether the app announces a point of its activities itself. No app can announce `before_body`.
        """
        return self.points and point != "before_body"

    def held_for(self, effect: str | None) -> tuple[CalledLedger, ...]:
        """
        Return the ledgers whose calls make an effect. The answer to such a call passes the harness, which can hold it:
        the effect is committed then, and the application has not heard of it.
        """
        return () if effect is None else tuple(ledger for ledger in self.called if ledger.may_have(effect))

    @property
    def sources(self) -> tuple[str | None, ...]:
        """
        Return the name of each ledger as a source of effects; None in the state store, where each document is a source.
        """
        return sources(self.ledgers)

    @property
    def called(self) -> tuple[CalledLedger, ...]:
        """
        Return the ledgers that are made of calls that passed the harness, where an answer can be missing.
        """
        return tuple(ledger for ledger in self.ledgers if isinstance(ledger, CalledLedger))
