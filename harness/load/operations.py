"""
The record of client operations: one line before each call, and one when its answer or error came.
"""

from __future__ import annotations

import time

from harness.journal import Journal
from harness.load.arrivals import Arrival
from harness.load.start import Answer, Start
from harness.rows import Completed, Dropped, Invoked, OperationRow


class Operations:
    """
    The operations journal of one client. Every call is written before it is sent. So a client that dies leaves an
    operation with an unknown outcome, and never an effect that nobody asked for.
    """

    def __init__(self, journal: Journal[OperationRow], client: str) -> None:
        self._journal = journal
        self._client = client
        self._count = 0

    def invoke(self, start: Start, arrival: Arrival, *, attempt: int, intended_ns: int) -> str:
        """
        Write that an arrival is about to be sent, and return the op_id of this call.
        """
        self._count += 1
        op_id = f"{self._client}/{self._count}"
        self._journal.write(
            Invoked(
                op_id=op_id,
                instance_id=arrival.instance_id,
                workflow=arrival.workflow,
                kind=arrival.kind,
                client=self._client,
                node=start.node,
                attempt=attempt,
                intended_ns=intended_ns,
                at_ns=time.time_ns(),
            )
        )
        return op_id

    def drop(self, arrival: Arrival, intended_ns: int) -> None:
        """
        Write that an arrival is not sent, because too many calls are in flight.
        """
        self._journal.write(
            Dropped(instance_id=arrival.instance_id, client=self._client, intended_ns=intended_ns, at_ns=time.time_ns())
        )

    def complete(self, op_id: str, status: int | None, answer: Answer) -> None:
        """
        Write the outcome of a call.
        """
        self._journal.write(
            Completed(
                op_id=op_id,
                at_ns=time.time_ns(),
                outcome=answer.outcome,
                status=status,
                detail=answer.detail,
                instance_id=answer.instance_id,
            )
        )
