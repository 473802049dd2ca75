"""
The request that starts one instance at the target, and the meaning of its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from pydantic import JsonValue

from harness import mapping, names
from harness.backends.endpoints import Address
from harness.model import HttpStart, Workflow
from harness.rows import Outcome


class Replicas(Protocol):
    """
    The addresses at which clients reach the replicas, by node.
    """

    @property
    def apps(self) -> Mapping[str, Address]:
        """
        The apps.
        """

    @property
    def sidecars(self) -> Mapping[str, Address]:
        """
        The sidecars of the apps.
        """


_DETAIL = 300


@dataclass(frozen=True)
class Answer:
    """
    What the answer to a start or a request means: its outcome, the instance id that it brought if the client does not
    choose it, what is wrong in words if the outcome is not ok, and the status of the instance if that was asked for.
    """

    outcome: Outcome
    instance_id: str | None = None
    detail: str | None = None
    runtime_status: str | None = None


@dataclass(frozen=True)
class Start:
    """
    One HTTP request (POST, JSON body) that starts an instance on one node. `accepted` and `refused` are the HTTP status
    codes that mean yes and no. `id` is where the JSON answer has the instance id (JMESPath); None if the client chooses
    it.
    """

    node: str
    url: str
    body: JsonValue
    accepted: tuple[int, ...]
    refused: tuple[int, ...]
    id: str | None = None

    def answer(self, status: int | None, text: str) -> Answer:
        """
        Return what an answer means: its HTTP status (None if no answer came), and its body or the error in words. A
        status that is in neither list is unknown, and so is a yes that does not bring the id which it should.
        """
        if status in self.refused:
            return Answer("fail", detail=text[:_DETAIL])
        if status not in self.accepted:
            return Answer("unknown", detail=text[:_DETAIL])
        if self.id is None:
            return Answer("ok")
        found = mapping.word(self.id, text)
        if found is None:
            return Answer("unknown", detail=f"accepted, but `id: {self.id}` finds no instance id in {text[:_DETAIL]}")
        return Answer("ok", found)


def start(name: str, workflow: Workflow, instance_id: str, body: JsonValue, replicas: Replicas, replica: int) -> Start:
    """
    Return the request that starts `instance_id` of the workflow called `name` on a replica. `replica` may be any
    number: it is taken modulo the number of replicas (round robin).
    """
    if isinstance(workflow.start, HttpStart):
        node = str(names.app(replica % len(replicas.apps)))
        return Start(
            node=node,
            url=replicas.apps[node].url + workflow.start.http,
            body=body,
            accepted=workflow.start.accepted,
            refused=workflow.start.refused,
            id=workflow.start.id,
        )
    node = str(names.sidecar(replica % len(replicas.sidecars)))
    component, called, instance = (quote(part, safe="") for part in (workflow.start.dapr, name, instance_id))
    return Start(
        node=node,
        url=f"{replicas.sidecars[node].url}/v1.0/workflows/{component}/{called}/start?instanceID={instance}",
        body=body,
        accepted=workflow.start.accepted,
        refused=workflow.start.refused,
    )
