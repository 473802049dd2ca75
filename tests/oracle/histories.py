"""
Made-up histories, decided by a seed: what a correct target leaves under retries, repeats and lost answers; and the same
with something wrong in it.
"""

import itertools
import json

from harness.load.arrivals import Arrival

MS = 1_000_000
T0 = 1_790_000_000 * 1_000_000_000
DAY = 86_400_000 * MS
CLIENT = "locust-1"
NAMES = {"reserve": "reserve_stock_v1", "ship": "register_shipment_v1", "cancel": "cancel_shipment_v1"}
NAMES |= {"release": "release_stock_v1", "nothing": "quote_v1"}
ENDS = ("completed", "compensated_early", "compensated_late", "rejected", "refused", "never_started")


class Writer:
    """Rows of a run, one instance after the other, on one clock."""

    def __init__(self, random):
        self.random = random
        self.rows = {
            name: [] for name in ("operations", "attempts", "effects", "instances", "history", "phases", "journals")
        }
        self.rows["journals"].append({"file": "phases.jsonl", "bytes": 1000, "torn": 0})
        self.now = T0
        self.numbers = itertools.count()
        self.calls = itertools.count(1)
        self.places = itertools.count()
        for number, phase in enumerate(("up", "load", "heal", "settle", "collect")):
            start = T0 + (number - 1) * DAY
            self.rows["phases"].append({"phase": phase, "started_ns": start, "ended_ns": start + DAY})

    def tick(self):
        self.now += self.random.randint(1, 40) * MS
        return self.now

    def call(self, instance, kind, outcomes):
        """The tries of one start; only one that is unknown is tried again, on the other replica."""
        for number, outcome in enumerate(outcomes, 1):
            invoked = self.tick()
            row = {"op_id": f"{CLIENT}/{next(self.calls)}", "instance_id": instance, "kind": kind}
            row |= {"workflow": "order_v1"}
            row |= {"client": CLIENT, "node": f"app-{number % 2}", "try": number, "intended_ns": invoked}
            row |= {
                "detail": None if outcome == "ok" else "no answer",
                "invoked_ns": invoked,
                "outcome": outcome,
                "status": {"ok": 202, "fail": 400}.get(outcome),
            }
            self.rows["operations"].append(row)
            yield row

    def effect(self, instance, name):
        row = {"instance_id": instance, "effect": name, "key": f"{instance}/{name}", "at_ns": self.tick()}
        row |= {"source": "provider-0", "position": next(self.places), "attributes": "{}"}
        self.rows["effects"].append(row)

    def body(self, instance, task, effect, *, done=False, well=True):
        """
        Executions of one task, at least one: some cut off or failed, before the effect or after it; the effect
        happens once however often they run; after `done` more may follow, which find it done. Where the task is not
        to end `well`, the last one fails, too. Returns whether the effect has happened.
        """
        for last in [*(False for _ in range(self.random.choice([0, 0, 0, 1, 2]))), True]:
            row = {"attempt_id": f"{next(self.numbers)}", "instance_id": instance, "activity": NAMES[effect]}
            row |= {"task_id": task, "node": f"app-{self.random.randint(0, 1)}", "started_ns": self.tick()}
            self.rows["attempts"].append(row)
            if not done and ((last and well) or self.random.random() < 0.5):
                done = True
                if effect != "nothing":
                    self.effect(instance, effect)
            if last and well:
                row |= {"ended_ns": self.tick(), "outcome": "ok"}
            elif last or self.random.random() < 0.5:
                row |= {"ended_ns": self.tick(), "outcome": "error", "detail": "the answer was lost"}
            else:
                row |= {"ended_ns": None, "outcome": None}
        return done

    def event(self, history, event, **facts):
        history.append({"event": event, "at_ns": self.tick(), **facts})

    def step(self, instance, history, effect, ids):
        """One activity: called, tried again as its policy says while it fails, and done. Returns its last task."""
        call = task = next(ids)
        done = False
        failures = self.random.choice([0, 0, 0, 0, 1, 3]) if effect == "ship" else 0
        for number in range(failures):
            self.scheduled(history, effect, task, call)
            done = self.body(instance, task, effect, done=done, well=False)
            failed = self.now
            self.event(history, "workflowStarted")
            history.append({"event": "taskFailed", "at_ns": failed, "task_id": task, "error": "RuntimeError: no"})
            timer, due = next(ids), history[-2]["at_ns"] + int(min(0.3 * 2**number, 2) * 1_000_000_000)
            self.event(history, "timerCreated", task_id=timer, event_id=timer, call_id=call, fire_at_ns=due)
            self.now = max(self.now, due)
            self.event(history, "workflowStarted")
            self.event(history, "timerFired", task_id=timer, fire_at_ns=due)
            task = next(ids)
        self.scheduled(history, effect, task, call)
        self.body(instance, task, effect, done=done)
        ended = self.now
        self.event(history, "workflowStarted")
        history.append({"event": "taskCompleted", "at_ns": ended, "task_id": task, "payload": "null"})
        return task

    def scheduled(self, history, effect, task, call):
        about = {"name": NAMES[effect], "task_id": task, "event_id": task, "call_id": call, "payload": "{}"}
        self.event(history, "taskScheduled", **about)

    def instance(self, instance, end):
        unknown = ["unknown"] * self.random.choice([0, 0, 0, 1, 2])
        if end == "refused":
            for row in self.call(instance, "scarce", ["fail"]):
                row["completed_ns"] = self.tick()
            return
        if end == "never_started":
            list(self.call(instance, "plain", unknown or ["unknown"]))
            return
        answered = [*unknown, "ok"] if self.random.random() < 0.9 or not unknown else unknown
        calls = self.call(instance, {"completed": "plain", "rejected": "scarce"}.get(end, "refused"), answered)
        first = next(calls)
        made, history = self.tick(), []
        self.event(history, "workflowStarted")
        history.append({"event": "executionStarted", "at_ns": made, "name": "order_v1", "payload": "{}"})
        outcome = {"completed": "completed", "rejected": "rejected"}.get(end, "compensated")
        steps = {
            "completed": ["reserve", "ship"],
            "compensated_early": ["reserve", "nothing", "release"],
            "compensated_late": ["reserve", "ship", "cancel", "release"],
            "rejected": ["nothing"],
        }[end]
        for row in itertools.chain([first], calls):
            row["completed_ns"] = self.tick() if row["outcome"] == "ok" else None
        ids = itertools.count(1)
        for effect in steps:
            task = self.step(instance, history, effect, ids)
            if self.random.random() < 0.1:
                self.body(instance, task, effect, done=True)  # once more: allowed, and of no effect
        output = json.dumps({"outcome": outcome})
        self.event(history, "executionCompleted", payload=output, event_id=next(ids))
        for position, event in enumerate(history):
            blank = dict.fromkeys(("name", "task_id", "payload", "call_id", "fire_at_ns"))
            self.rows["history"].append(
                {"instance_id": instance, "position": position, "event_id": -1, **blank, **event}
            )
        stored = {"instance_id": instance, "workflow": "order_v1", "status": "COMPLETED", "outcome": outcome}
        stored |= {"output": output, "created_ns": made, "completed_ns": self.now, "generation": 1}
        stored |= {"history_length": len(history), "history_rows": len(history), "inbox_length": 0, "inbox_rows": 0}
        self.rows["instances"].append(stored)


def correct(random, count):
    """A run of `count` instances that kept every promise; its rows in no order."""
    writer = Writer(random)
    for number in range(count):
        writer.instance(f"i{number:05}", random.choice(ENDS))
    for rows in writer.rows.values():
        random.shuffle(rows)
    return writer.rows


def arrivals(rows):
    """The starts of a run, as the plan's schedule would return them."""
    firsts = sorted(
        (row["intended_ns"], row["instance_id"], row["kind"]) for row in rows["operations"] if row["try"] == 1
    )
    for number, (intended_ns, instance, kind) in enumerate(firsts):
        yield Arrival(2 * number + 1, (intended_ns - T0) / 1e9, instance, "order_v1", kind, {})


CHANGES = {
    "operations": {
        "outcome": ["ok", "fail", "unknown"],
        "workflow": ["order_v1", "another_v1"],
    },
    "attempts": {"started_ns": [T0], "ended_ns": [T0], "outcome": ["ok", "error"]},
    "effects": {"effect": ["reserve", "release", "ship", "cancel"], "at_ns": [T0, T0 + 10**15]},
    "history": {
        "event": ["taskScheduled", "taskCompleted", "taskFailed", "timerCreated", "timerFired", "workflowStarted"],
        "at_ns": [T0, T0 + 10**15],
        "event_id": [-1, 1, 2, 9],
        "task_id": [1, 2, 9, None],
        "call_id": [1, 2, None],
        "fire_at_ns": [T0, T0 + 10**15],
        "position": [0, 1, 3, 70],
    },
    "instances": {
        "status": ["RUNNING", "COMPLETED", "FAILED", "TERMINATED", "PENDING"],
        "outcome": ["completed", "compensated", "rejected", "of no such name", None],
        "workflow": ["another_v1"],
        "generation": [1, 2, 3],
        "completed_ns": [T0, T0 + 10**15],
    },
}


def corrupted(random, rows, share):
    """The same run with something wrong in about `share` of its instances, once or more often."""
    rows = {name: [dict(row) for row in table] for name, table in rows.items()}
    everybody = sorted({row["instance_id"] for row in rows["operations"]})
    for instance in random.sample(everybody, int(share * len(everybody))):
        for _ in range(random.choice([1, 1, 2, 3])):
            table = random.choice(sorted(CHANGES))
            mine = [row for row in rows[table] if row["instance_id"] == instance]
            if mine:
                change(random, rows[table], random.choice(mine), table, everybody)
    return rows


def change(random, rows, row, table, everybody):
    what = random.choice(["gone", "twice", "given away", "other", "other", "other"])
    if what == "gone":
        rows.remove(row)
    elif what == "twice" and table != "instances":
        rows.append(dict(row))
    elif what == "given away" and table != "instances":
        row["instance_id"] = random.choice([*everybody, "of nobody"])
    else:
        column = random.choice(sorted(CHANGES[table]))
        row[column] = random.choice(CHANGES[table][column])
