"""
From the journals of a run to the evidence tables operations, requests, attempts, turns, faults, phases, samples and
journals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from harness import journal
from harness.errors import EvidenceError
from harness.journal import Journals
from harness.rows import (
    ATTEMPTS,
    FAULTS,
    LOAD,
    OPERATIONS,
    PHASES,
    REQUESTS,
    SAMPLES,
    TURNS,
    Applied,
    BodyBegan,
    Completed,
    Felt,
    Healed,
    Intended,
    Invoked,
    Joined,
    Lost,
    PhaseBegan,
    Requested,
    Shared,
    Unfelt,
    Unhealed,
)
from harness.tap import record

Row = dict[str, Any]


def operations(journals: Journals) -> Iterator[Row]:
    """
    Return one row per client call. The outcome of a call that was never completed is unknown.
    """
    for file in journals.every_operations():
        calls: dict[str, Row] = {}
        for row in journal.read(file, OPERATIONS):
            if isinstance(row, Invoked):
                calls[row.op_id] = {
                    **row.model_dump(by_alias=True, exclude={"event", "at_ns"}),
                    "invoked_ns": row.at_ns,
                    "outcome": "unknown",
                    "detail": "no answer was ever written down",
                }
            elif not isinstance(row, Completed):
                continue  # dropped: no call was made, and the plan says which start is missing
            elif row.op_id in calls:
                calls[row.op_id].update(
                    completed_ns=row.at_ns, outcome=row.outcome, status=row.status, detail=row.detail
                )
                if row.instance_id is not None:
                    calls[row.op_id]["instance_id"] = row.instance_id
            elif not journal.torn(file):
                raise EvidenceError(f"{file.name}: call {row.op_id} is answered and was never made")
        yield from calls.values()


def requests(journals: Journals) -> Iterator[Row]:
    """
    Return one row per request to an instance after its start. The outcome of one that was never completed is unknown.
    """
    for file in journals.every_requests():
        asked: dict[str, Row] = {}
        for row in journal.read(file, REQUESTS):
            if isinstance(row, Requested):
                asked[row.request_id] = {
                    **row.model_dump(exclude={"event", "at_ns"}),
                    "invoked_ns": row.at_ns,
                    "outcome": "unknown",
                    "detail": "no answer was ever written down",
                }
            elif row.request_id in asked:
                asked[row.request_id].update(
                    completed_ns=row.at_ns, **row.model_dump(exclude={"event", "at_ns", "request_id"})
                )
            elif not journal.torn(file):
                raise EvidenceError(f"{file.name}: request {row.request_id} is answered and was never made")
        yield from asked.values()


def workers(journals: Journals) -> Iterator[Row]:
    """
    Return one row per worker of a load that several share; none if one process makes the load.
    """
    rows: dict[str, Row] = {}
    for row in journal.read(journals.load, LOAD) if journals.load.exists() else ():
        if isinstance(row, Joined):
            rows[row.client] = {"client": row.client, "joined_ns": row.at_ns}
        elif isinstance(row, Lost) and row.client in rows:
            rows[row.client].update(lost_ns=row.at_ns, why=row.why)
        elif isinstance(row, Lost) and not journal.torn(journals.load):
            raise EvidenceError(f"{journals.load.name}: {row.client} was lost and had never joined")
    yield from rows.values()


def shares(journals: Journals) -> Iterator[Row]:
    """
    Return one row per share that a worker was given, and per start that it took over.
    """
    for row in journal.read(journals.load, LOAD):
        if isinstance(row, Shared):
            of = row.model_dump(exclude={"event", "at_ns", "first"})
            yield {**of, "given_ns": row.at_ns, "number": row.first}


def attempts(journals: Journals) -> Iterator[Row]:
    """
    Return one row per execution of an activity's body (docs/target-contract.md).

    Raises EvidenceError if there is an end without a start, unless the file has torn lines.
    """
    for file in journals.every_attempts():
        bodies: list[Row] = []
        latest: dict[str, Row] = {}  # an id that occurs twice gives two rows, which the checkers report
        for row in journal.read(file, ATTEMPTS):
            if isinstance(row, BodyBegan):
                bodies.append({**row.model_dump(exclude={"event", "at_ns"}), "started_ns": row.at_ns})
                latest[row.attempt_id] = bodies[-1]
            elif row.attempt_id in latest:
                latest[row.attempt_id].update(ended_ns=row.at_ns, outcome=row.outcome, detail=row.detail)
            elif not journal.torn(file):
                raise EvidenceError(f"{file.name}: execution {row.attempt_id} ends and was never begun")
        yield from bodies


def turns(journals: Journals) -> Iterator[Row]:
    """
    Return one row per workflow turn that was executed twice.
    """
    for file in journals.every_turns():
        for row in journal.read(file, TURNS):
            yield {"turned_ns": row.at_ns, **row.model_dump(exclude={"at_ns"})}


def faults(journals: Journals) -> Iterator[Row]:
    """
    Return one row per fault and node. A fault that was never applied has no applied_ns and no felt_ns.
    """
    rows: dict[tuple[int, str], Row] = {}
    for row in journal.read(journals.faults, FAULTS) if journals.faults.exists() else ():
        found = rows.setdefault(
            (row.step, row.node), {"step": row.step, "fault": row.fault, "node": row.node, "proof": {}}
        )
        match row:
            case Intended():
                found |= {"planned_ns": row.planned_ns, "begun_ns": row.at_ns}
            case Applied():
                found |= {"applied_ns": row.at_ns, "proof": found["proof"] | row.proof}
            case Felt():
                found |= {"felt_ns": row.at_ns, "proof": found["proof"] | row.proof}
            case Healed():
                found["healed_ns"] = row.at_ns
            case Unfelt() | Unhealed():
                found["proof"] |= row.proof
    for key in sorted(rows):
        yield {**rows[key], "proof": json.dumps(rows[key]["proof"], sort_keys=True)}


def phases(journals: Journals) -> Iterator[Row]:
    """
    Return one row per phase of the run.
    """
    rows: dict[str, Row] = {}
    for row in journal.read(journals.phases, PHASES):
        if isinstance(row, PhaseBegan):
            rows[row.phase] = {"phase": row.phase, "started_ns": row.at_ns}
        elif row.phase in rows:
            rows[row.phase].update(ended_ns=row.at_ns, detail=row.detail)
        elif not journal.torn(journals.phases):
            raise EvidenceError(f"{journals.phases.name}: phase {row.phase} ends and was never begun")
    yield from rows.values()


def samples(journals: Journals) -> Iterator[Row]:
    """
    Return one row per reading.
    """
    if journals.samples.exists():
        yield from (row.model_dump() for row in journal.read(journals.samples, SAMPLES))


def files(journals: Journals, taps: Path) -> Iterator[Row]:
    """
    Return one row per journal, and per record of a tap in the folder `taps`.
    """
    for file in journals.every():
        yield {"file": file.name, "bytes": file.stat().st_size, "torn": journal.torn(file)}
    for file in chain.from_iterable(record.every(taps).values()):
        yield {"file": file.name, "bytes": file.stat().st_size, "torn": record.torn(file)}
