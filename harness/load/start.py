"""
The request that starts one instance at the target, and the meaning of its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from pydantic import JsonValue

from harness import names
from harness.backends.endpoints import Address
from harness.model import HttpStart, Load, Workflow
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


@dataclass(frozen=True)
class Start:
    """
    One HTTP request (POST, JSON body) that starts an instance on one node. `accepted` and `refused` are the HTTP status
    codes that mean yes and no.
    """

    node: str
    url: str
    body: JsonValue
    accepted: tuple[int, ...]
    refused: tuple[int, ...]

    def outcome(self, status: int | None) -> Outcome:
        """
        Return what an HTTP status means. None (no answer), and every status that is in neither list, is unknown.
        """
        if status in self.accepted:
            return "ok"
        if status in self.refused:
            return "fail"
        return "unknown"


def start(load: Load, workflow: Workflow, instance_id: str, body: JsonValue, replicas: Replicas, replica: int) -> Start:
    """
    Return the request that starts `instance_id` on a replica. `replica` may be any number: it is taken modulo the
    number of replicas (round robin).
    """
    if isinstance(workflow.start, HttpStart):
        node = str(names.app(replica % len(replicas.apps)))
        return Start(
            node=node,
            url=replicas.apps[node].url + workflow.start.http,
            body=body,
            accepted=workflow.start.accepted,
            refused=workflow.start.refused,
        )
    node = str(names.sidecar(replica % len(replicas.sidecars)))
    component, name, instance = (quote(part, safe="") for part in (workflow.start.dapr, load.workflow, instance_id))
    return Start(
        node=node,
        url=f"{replicas.sidecars[node].url}/v1.0/workflows/{component}/{name}/start?instanceID={instance}",
        body=body,
        accepted=workflow.start.accepted,
        refused=workflow.start.refused,
    )
