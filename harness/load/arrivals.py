"""
Arrival schedules: what is started when. The seed decides it before the load begins.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from harness.model import ClientRequest, Load, Share, Workflow
from harness.model.load import Operation
from harness.model.target import PLACEHOLDER
from harness.planning import shapes


@dataclass(frozen=True)
class Due:
    """
    One request to an instance after its start: its number (from 1, in order of time), its time (seconds after the load
    began), the operation of Dapr's workflow API, of `raiseEvent` the name of the event, and the payload of that or of a
    `start`, as JSON.
    """

    number: int
    at: float
    operation: Operation
    event: str | None
    payload: str | None


@dataclass(frozen=True)
class Arrival:
    """
    One start: its number (from 0), its time (seconds after the load began), the instance id, the workflow, the kind,
    the body that is sent, and what clients ask of the instance after its start.
    """

    number: int
    at: float
    instance_id: str
    workflow: str
    kind: str
    body: JsonValue
    requests: tuple[Due, ...] = ()


def schedule(
    load: Load, workflows: Mapping[str, Workflow], seed: int, prefix: str = "", *, endless: bool = False
) -> Iterator[Arrival]:
    """
    Return every arrival of a load in order of time. Instance ids begin with `prefix`. If `endless`, the load continues
    at the rate of its end.

    Arrivals are open: they come when they are due (`harness.planning.shapes`), as from independent clients that do not
    wait for the answers to earlier starts. The same load, workflows and seed give the same schedule.
    """
    rng = random.Random(f"arrivals {seed}")
    names = _weighted({name: share.weight for name, share in load.shares.items()})
    kinds = {name: _weighted(share.mix) for name, share in load.shares.items()}
    for number, at in enumerate(shapes.times(load, rng, endless=endless)):
        # Of a single name nothing is drawn: the schedule of a load of one workflow is what it was before there could
        # be several.
        name = rng.choices(*names)[0] if len(kinds) > 1 else names[0][0]
        kind = rng.choices(*kinds[name])[0]
        start = arrival(name, workflows[name], kind, f"{prefix}{kind}-{number:06d}", rng, number=number, at=at)
        yield replace(start, requests=tuple(due(start, load.asked.get(name, ()), workflows[name], seed)))


def due(start: Arrival, requests: Sequence[ClientRequest], workflow: Workflow, seed: int) -> Iterator[Due]:
    """
    Return what clients ask of an instance after its start, in order of time. It depends on the seed and on the number
    of the start alone: requests change no start, and those of one instance change none of another.
    """
    rng = random.Random(f"requests {seed} {start.number}")
    drawn: list[tuple[float, Operation, str | None]] = []
    for request in requests:
        if rng.random() < request.share:
            for _ in range(2 if rng.random() < request.again else 1):
                at = start.at + rng.choice(request.after)
                drawn.append((at, request.operation, request.event))
                if request.resume_after:
                    drawn.append((at + rng.choice(request.resume_after), "resume", None))
    for number, (at, operation, event) in enumerate(sorted(drawn, key=lambda each: each[0]), 1):
        values: dict[str, JsonValue] = {"id": start.instance_id, "kind": start.kind, "number": number}
        payload = json.dumps(start.body) if operation == "start" else None
        if event is not None:
            payload = json.dumps(fill(workflow.events[event], values))
        yield Due(number, at, operation, event, payload)


def _weighted(weights: Mapping[str, int]) -> tuple[list[str], list[int]]:
    """
    Return the names that have a weight above 0, and these weights.
    """
    some = {name: weight for name, weight in weights.items() if weight > 0}
    return list(some), list(some.values())


def arrival(
    name: str,
    workflow: Workflow,
    kind: str,
    instance_id: str,
    rng: random.Random,
    *,
    number: int = 0,
    at: float = 0.0,
) -> Arrival:
    """
    Return one arrival of `kind` of the workflow that is called `name`. The values that `vary` leaves open are drawn
    from `rng`.
    """
    drawn = {field: rng.choice(values) for field, values in workflow.kinds[kind].vary.items()}
    values = {**drawn, "id": instance_id, "kind": kind}
    return Arrival(number, at, instance_id, name, kind, fill(workflow.body, values))


def most_frequent(share: Share) -> str:
    """
    Return the kind with the highest weight; the first of them if there are several.
    """
    return max(share.mix, key=lambda kind: share.mix[kind])


def fill(template: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
    """
    Return `template` with its placeholders filled in. A text that is only `{name}` becomes the value itself, with its
    type; a placeholder inside a longer text becomes the value's text. An unknown placeholder stays as it is.
    """
    if isinstance(template, dict):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, values) for value in template]
    if not isinstance(template, str):
        return template
    whole = PLACEHOLDER.fullmatch(template)
    if whole and whole[1] in values:
        return values[whole[1]]
    return PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), template)
