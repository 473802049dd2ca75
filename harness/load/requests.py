"""
What clients ask of an instance after they have started it, by Dapr's workflow API, and the record of it.

`POST /v1.0/workflows/<component>/<instance>/<operation>`, where the operation is `raiseEvent/<event>`, `pause`,
`resume`, `terminate` or `purge`; `GET /v1.0/workflows/<component>/<instance>`, the operation `get`; and the operation
`start`, a start with the same id (Workflow API reference).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from harness import mapping, names
from harness.journal import Journal
from harness.load.arrivals import Arrival, Due
from harness.load.start import Answer, Replicas, start
from harness.model import DaprStart, Workflow
from harness.rows import Requested, RequestRow, Responded

ACCEPTED, TOLD, REFUSED = (202,), (200,), (400, 404)
"""
The statuses that mean yes (`TOLD` to a `get`) and no: Workflow API reference, and pkg/messages/predefined.go of Dapr
1.18: with 404 the engine has no such instance. With 500 nobody knows: Dapr answers so when the engine could not be
reached, too.
"""
BUILT_IN = "dapr"
"""The component of the workflow engine that is built into the sidecar."""
_DETAIL = 300


@dataclass(frozen=True)
class Ask:
    """
    One HTTP request to a sidecar; `payload` is its body, JSON, or None.
    """

    method: Literal["GET", "POST"]
    node: str
    url: str
    payload: str | None

    def answer(self, status: int | None, text: str) -> Answer:
        """
        Return what an answer means: its HTTP status (None if no answer came), and its body or the error in words. The
        answer to a `get` is no yes without a status of the instance.
        """
        if self.method == "GET" and status in TOLD:
            told = mapping.word("runtimeStatus", text)
            return (
                Answer("ok", runtime_status=told) if told else Answer("unknown", detail=f"no status: {text[:_DETAIL]}")
            )
        if self.method == "POST" and status in ACCEPTED:
            return Answer("ok")
        return Answer("fail" if status in REFUSED else "unknown", detail=text[:_DETAIL] or f"HTTP {status}")


def ask(due: Due, arrival: Arrival, workflow: Workflow, replicas: Replicas) -> Ask:
    """
    Return the HTTP request that asks an instance for what is due. The replicas take turns: the first request does not
    go to the one that the start was sent to.
    """
    node = str(names.sidecar((arrival.number + due.number) % len(replicas.sidecars)))
    component = workflow.start.dapr if isinstance(workflow.start, DaprStart) else BUILT_IN
    if due.operation == "start":
        again = start(
            arrival.workflow, workflow, arrival.instance_id, arrival.body, replicas, arrival.number + due.number
        )
        return Ask("POST", again.node, again.url, due.payload)
    reads = due.operation == "get"
    parts = filter(None, (component, arrival.instance_id, None if reads else due.operation, due.event))
    path = "/".join(quote(part, safe="") for part in parts)
    url = f"{replicas.sidecars[node].url}/v1.0/workflows/{path}"
    return Ask("GET" if reads else "POST", node, url, due.payload)


class Requests:
    """
    The requests journal of one client. Every request is written before it is sent.
    """

    def __init__(self, journal: Journal[RequestRow], client: str) -> None:
        self._journal = journal
        self._client = client
        self._count = 0

    def invoke(self, due: Due, arrival: Arrival, node: str, intended_ns: int) -> str:
        """
        Write that a request is about to be sent, and return its request_id.
        """
        self._count += 1
        request_id = f"{self._client}/{self._count}"
        self._journal.write(
            Requested(
                request_id=request_id,
                instance_id=arrival.instance_id,
                operation=due.operation,
                name=due.event,
                payload=due.payload,
                number=due.number,
                client=self._client,
                node=node,
                intended_ns=intended_ns,
                at_ns=time.time_ns(),
            )
        )
        return request_id

    def complete(self, request_id: str, status: int | None, answer: Answer) -> None:
        """
        Write the outcome of a request.
        """
        self._journal.write(
            Responded(
                request_id=request_id,
                outcome=answer.outcome,
                status=status,
                detail=answer.detail,
                runtime_status=answer.runtime_status,
                at_ns=time.time_ns(),
            )
        )
