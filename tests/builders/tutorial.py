"""
A small run of an application as in any tutorial, made up: a workflow of one activity, an output of its own shape, no
attempts file. Each test says how its instances ended.
"""

import json

from harness.evidence import schema
from harness.load.arrivals import Arrival
from harness.model import Plan
from tests.builders.evidence import write_evidence

MS = 1_000_000
T0 = 1_790_000_000 * 1_000_000_000
WORKFLOW = {
    "start": {"dapr": "dapr"},
    "body": {"item": "tea"},
    "kinds": {"order": {"ends": ["completed", "rejected", "compensated"]}},
}
EFFECTS = {
    "effects": [{"forward": "take", "compensation": "give_back"}, {"forward": "mail"}],
    "ledgers": [{"prefix": "stock-", "field": "rows"}],
}


def plan(workflow=None, checks=None, **target):
    """A plan without faults for a target whose only workflow, `order`, has these fields."""
    program = {"command": ["python", "app.py"]}
    about = {"name": "tutorial", "app_id": "tutorial", "app": program, "components": "c", "configuration": "c.yaml"}
    scenario = {
        "name": "calm",
        "claim": "With nothing broken every order ends.",
        "target": "target.yaml",
        "load": {"workflow": "order", "rate": 5, "duration": 10, "mix": {"order": 1}},
        "checks": checks or {},
    }
    return Plan.model_validate(
        {
            "scenario": scenario,
            "target": {**about, "workflows": {"order": {**WORKFLOW, **(workflow or {})}}, **target},
            "seed": 1,
            "dapr_version": "1.18.2",
            "nodes": ["app-0", "sidecar-0"],
            "links": [],
            "steps": [],
        }
    )


class Rows:
    """The evidence of such a run."""

    def __init__(self):
        self.of = {table.name: [] for table in schema.TABLES}
        self.now = T0
        for number, phase in enumerate(("up", "load", "heal", "settle", "collect")):
            start = T0 + (number - 1) * 60_000 * MS
            self.of["phases"].append({"phase": phase, "started_ns": start, "ended_ns": start + 59_000 * MS})
        self.collecting = start
        self.of["journals"].append({"file": "phases.jsonl", "bytes": 9, "torn": 0})

    def tick(self):
        self.now += MS
        return self.now

    def call(self, instance, outcome="ok", status=202):
        """A start that got this answer."""
        at = self.tick()
        number = len(self.of["operations"]) + 1
        row = {"op_id": f"locust-1/{number}", "instance_id": instance, "workflow": "order", "kind": "order"}
        row |= {"client": "locust-1"}
        row |= {"node": "app-0", "try": 1, "intended_ns": at, "invoked_ns": at, "completed_ns": at + 2 * MS}
        self.of["operations"].append(row | {"outcome": outcome, "status": status})

    def effect(self, instance, name, at_ns=None):
        """An effect that the outside world kept."""
        row = {"instance_id": instance, "effect": name, "key": f"{instance}/{name}", "at_ns": at_ns or self.tick()}
        row |= {"source": "stock-tea", "position": len(self.of["effects"]), "attributes": "{}"}
        self.of["effects"].append(row)

    def stored(
        self, instance, *, status="COMPLETED", output=None, outcome=None, effects=(), workflow="order", **others
    ):
        """An instance that the engine has ended so. `others` are more columns of its row, such as a parent."""
        created = self.tick()
        events = [
            {"event": "workflowStarted", "at_ns": self.tick()},
            {"event": "executionStarted", "at_ns": created, "name": workflow, "payload": "{}"},
            {"event": "taskScheduled", "at_ns": self.tick(), "name": "take", "event_id": 0, "task_id": 0, "call_id": 0},
        ]
        for name in effects:
            self.effect(instance, name)
        events += [
            {"event": "workflowStarted", "at_ns": self.tick()},
            {"event": "taskCompleted", "at_ns": self.now, "task_id": 0, "payload": "null"},
            {"event": "executionCompleted", "at_ns": self.tick(), "event_id": 1, "payload": json.dumps(output)},
        ]
        if status == "FAILED":
            events[-1]["error"] = "RuntimeError: no"
        for position, event in enumerate(events):
            row = {"instance_id": instance, "position": position, "event_id": -1, **event}
            self.of["history"].append(row)
        row = {"instance_id": instance, "workflow": workflow, "status": status, "outcome": outcome}
        row |= {"output": json.dumps(output), "created_ns": created, "completed_ns": self.now, "generation": 1}
        row |= {"history_length": len(events), "history_rows": len(events), "inbox_length": 0, "inbox_rows": 0}
        row |= others
        self.of["instances"].append(row)
        reading = {name: row[name] for name in ("instance_id", "status", "workflow", "output", "created_ns")}
        asked = {"node": "sidecar-0", "asked_ns": self.collecting + MS, "answered_ns": self.collecting + 2 * MS}
        self.of["readings"].append(reading | asked | {"updated_ns": self.now})

    def ended(self, instance, **how):
        """A start that was accepted, and how its instance ended."""
        self.call(instance)
        self.stored(instance, **how)

    def arrivals(self):
        """The starts as the plan's schedule would return them, all of them due at the first replica."""
        for number, call in enumerate(self.of["operations"]):
            at = (call["intended_ns"] - T0) / 1e9
            yield Arrival(2 * number, at, call["instance_id"], call["workflow"], call["kind"], {})

    def write(self, folder):
        """Save every table as Parquet. Return the folder."""
        return write_evidence(folder, self.of)
