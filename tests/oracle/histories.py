"""
Made-up histories, decided by a seed: what a correct target leaves under retries, repeats and lost answers; and the same
with something wrong in it.
"""

import itertools
import json

MS = 1_000_000
T0 = 1_790_000_000 * 1_000_000_000
ENDS = ("completed", "compensated_early", "compensated_late", "rejected", "refused", "never_started")


class Writer:
    """Rows of a run, one instance after the other, on one clock."""

    def __init__(self, random):
        self.random = random
        self.rows = {name: [] for name in ("operations", "attempts", "effects", "instances", "history", "phases")}
        self.now = T0
        self.numbers = itertools.count()
        self.places = itertools.count()
        for number, phase in enumerate(("up", "load", "heal", "settle", "collect")):
            start = T0 + (number - 1) * 86_400_000 * MS
            self.rows["phases"].append({"phase": phase, "started_ns": start, "ended_ns": start + MS})

    def tick(self):
        self.now += self.random.randint(1, 40) * MS
        return self.now

    def call(self, instance, kind, outcomes):
        """The tries of one start; only one that is unknown is tried again, on the other replica."""
        for number, outcome in enumerate(outcomes, 1):
            invoked = self.tick()
            row = {"op_id": f"c/{next(self.numbers)}", "instance_id": instance, "workflow": "order_v1", "kind": kind}
            row |= {"client": "c", "node": f"app-{number % 2}", "try": number, "intended_ns": invoked}
            row |= {"invoked_ns": invoked, "outcome": outcome, "status": {"ok": 202, "fail": 400}.get(outcome)}
            self.rows["operations"].append(row)
            yield row

    def effect(self, instance, name):
        row = {"instance_id": instance, "effect": name, "key": f"{instance}/{name}", "at_ns": self.tick()}
        row |= {"source": "world", "position": next(self.places), "attributes": "{}"}
        self.rows["effects"].append(row)

    def body(self, instance, task, effect, *, done=False):
        """
        Executions of one activity, at least one: some cut off or failed, before the effect or after it; the effect
        happens once however often they run; after `done` more may follow, which find it done.
        """
        for last in [*(False for _ in range(self.random.choice([0, 0, 0, 1, 2]))), True]:
            row = {"attempt_id": f"{next(self.numbers)}", "instance_id": instance, "activity": f"{effect}_v1"}
            row |= {"task_id": task, "node": f"app-{self.random.randint(0, 1)}", "started_ns": self.tick()}
            self.rows["attempts"].append(row)
            if not done and (last or self.random.random() < 0.5):
                done = True
                if effect != "nothing":
                    self.effect(instance, effect)
            if last:
                row |= {"ended_ns": self.tick(), "outcome": "ok"}
            elif self.random.random() < 0.5:
                row |= {"ended_ns": self.tick(), "outcome": "error", "detail": "the answer was lost"}
            else:
                row |= {"ended_ns": None, "outcome": None}

    def event(self, history, event, **facts):
        history.append({"event": event, "at_ns": self.tick(), **facts})

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
        for task, effect in enumerate(steps):
            self.event(history, "taskScheduled", name=f"{effect}_v1", task_id=task, payload="{}")
            self.body(instance, task, effect)
            done = self.now
            self.event(history, "workflowStarted")
            history.append({"event": "taskCompleted", "at_ns": done, "task_id": task, "payload": "null"})
            if self.random.random() < 0.1:
                self.body(instance, task, effect, done=True)  # once more: allowed, and of no effect
        output = json.dumps({"outcome": outcome})
        self.event(history, "executionCompleted", payload=output)
        for position, event in enumerate(history):
            blank = {"name": None, "task_id": None, "payload": None}
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


CHANGES = {
    "operations": {
        "outcome": ["ok", "fail", "unknown"],
        "workflow": ["order_v1", "another_v1"],
    },
    "attempts": {"started_ns": [T0], "ended_ns": [T0], "outcome": ["ok", "error"]},
    "effects": {"effect": ["reserve", "release", "ship", "cancel"], "at_ns": [T0, T0 + 10**15]},
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
