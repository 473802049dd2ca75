"""
From the journals of a run to the evidence tables operations, attempts, faults, phases, samples and journals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import journal
from harness.errors import EvidenceError

Row = dict[str, Any]


def operations(folder: Path) -> Iterator[Row]:
    """
    One row a client call, from `operations-*.jsonl`. A call that was never completed is unknown.
    """
    for file in sorted(folder.glob("operations-*.jsonl")):
        calls: dict[str, Row] = {}
        for row in journal.read(file):
            if row["event"] == "invoke":
                calls[row["op_id"]] = {
                    **{key: row[key] for key in ("op_id", "instance_id", "workflow", "kind", "client", "node", "try")},
                    "intended_ns": row["intended_ns"],
                    "invoked_ns": row["at_ns"],
                    "outcome": "unknown",
                    "detail": "no answer was ever written down",
                }
            else:
                calls[row["op_id"]].update(
                    completed_ns=row["at_ns"],
                    outcome=row["outcome"],
                    status=row["status"],
                    detail=row["detail"],
                )
        yield from calls.values()


def attempts(folder: Path) -> Iterator[Row]:
    """
    One row an execution of an activity's body, from `attempts-*.jsonl` (docs/target-contract.md).

    Raises EvidenceError for an end whose start was never written, unless lines of its file were torn.
    """
    for file in sorted(folder.glob("attempts-*.jsonl")):
        bodies: list[Row] = []
        latest: dict[str, Row] = {}  # an id that is given twice stays two rows, and the checkers say so
        for row in journal.read(file):
            if row["event"] == "start":
                bodies.append(
                    {
                        **{key: row[key] for key in ("instance_id", "activity", "task_id", "attempt_id", "node")},
                        "started_ns": row["at_ns"],
                    }
                )
                latest[row["attempt_id"]] = bodies[-1]
            elif row["attempt_id"] in latest:
                latest[row["attempt_id"]].update(
                    ended_ns=row["at_ns"], outcome=row["outcome"], detail=row.get("detail")
                )
            elif not journal.torn(file):
                raise EvidenceError(f"{file.name}: execution {row['attempt_id']} ends and was never begun")
        yield from bodies


def faults(folder: Path) -> Iterator[Row]:
    """
    One row a fault and node, from `faults.jsonl`. What was intended but never applied has no times.
    """
    file = folder / "faults.jsonl"
    rows: dict[tuple[int, str], Row] = {}
    for row in journal.read(file) if file.exists() else ():
        found = rows.setdefault(
            (row["step"], row["node"]), {key: row[key] for key in ("step", "fault", "node")} | {"proof": {}}
        )
        found["proof"] |= row.get("proof") or {}
        match row["event"]:
            case "intent":
                found["planned_ns"] = row["planned_ns"]
            case "applied" | "felt" | "healed" as event:
                found[f"{event}_ns"] = row["at_ns"]
    for key in sorted(rows):
        yield {**rows[key], "proof": json.dumps(rows[key]["proof"], sort_keys=True)}


def phases(folder: Path) -> Iterator[Row]:
    """
    One row a phase of the run, from `phases.jsonl`.
    """
    rows: dict[str, Row] = {}
    for row in journal.read(folder / "phases.jsonl"):
        if row["event"] == "start":
            rows[row["phase"]] = {"phase": row["phase"], "started_ns": row["at_ns"]}
        else:
            rows[row["phase"]].update(ended_ns=row["at_ns"], detail=row.get("detail"))
    yield from rows.values()


def samples(folder: Path) -> Iterator[Row]:
    """
    One row a reading, from `samples.jsonl`.
    """
    file = folder / "samples.jsonl"
    if file.exists():
        yield from journal.read(file)


def files(folder: Path) -> Iterator[Row]:
    """
    One row a journal.
    """
    for file in sorted(folder.glob("*.jsonl")):
        yield {"file": file.name, "bytes": file.stat().st_size, "torn": journal.torn(file)}
