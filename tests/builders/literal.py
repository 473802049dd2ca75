"""
A small literal run of the reference target, and lies about it.

`a` completed, `b` compensated, `c` compensated after a shipment whose answers were lost, `d` rejected after a client
had raised an event, `e` completed at the second try while clients read its status, and `u` whose answer never came and
which never began. Clients paused and resumed `f`, which was rejected, terminated `g` and with it its child `g:1`,
purged `h`, and started `i` again once it had ended, whose second execution was rejected. Two workers shared the load,
of which one was lost.
"""

import itertools
import json

from harness.evidence import schema
from harness.load.arrivals import Arrival, Due
from harness.model import Balance, ClientRequest, ObservedLedger, Share
from harness.planning import plan, scenario, target

MS = 1_000_000
T0 = 1_790_000_000 * 1_000_000_000
CLIENT, LOST = "locust-1", "locust-2"
QUOTES = {"heron": 700, "kestrel": 650, "swift": None}
SHIPPING = {"provider": "kestrel", "price": 650}
CHILD = "deliver_v1"
EVENT, PAYLOAD = "approval", json.dumps({"number": 1})
TAKEN = {"raiseEvent": "eventRaised", "resume": "executionResumed", "terminate": "executionTerminated"}
FAILED = object()
"""As an activity's result: it failed, and the next task is its second try."""


def of(name=None, *, payload, **others):
    """An event's columns beyond those that all have."""
    return {"name": name, "payload": json.dumps(payload), **others}


def request(instance, kind):
    """What the client sends."""
    return {"order_id": instance, "kind": kind, "sku": f"sku-{instance}", "quantity": 2}


def ending(order, tasks, result):
    """What a workflow returns."""
    quoted = any(activity == "quote_v1" for activity, *_ in tasks)
    output = {"outcome": result, **{name: order[name] for name in ("order_id", "sku", "quantity")}}
    output |= {"quotes": QUOTES if quoted else {}, "provider": "kestrel" if quoted else None}
    return output | {"shipment": tasks[-1][2] if result == "completed" else None}


class Story:
    """Writes one run down as its witnesses would have seen it."""

    def __init__(self):
        self.rows = {table.name: [] for table in schema.TABLES}
        self.now = T0
        self.attempts = itertools.count()
        for number, phase in enumerate(("up", "load", "heal", "settle", "collect")):
            start = T0 + (number - 1) * 60_000 * MS
            self.rows["phases"].append({"phase": phase, "started_ns": start, "ended_ns": start + 59_999 * MS})
        for file in ("operations-1", "attempts-app-0", "phases"):
            self.rows["journals"].append({"file": f"{file}.jsonl", "bytes": 1000, "torn": 0})
        joined = {"client": CLIENT, "joined_ns": T0}
        self.rows["workers"] = [joined, {"client": LOST, "joined_ns": T0 + 1, "lost_ns": T0 + 2, "why": "it ended"}]
        for client, later, number, part, parts, lost in (
            (CLIENT, 0, 0, 0, 1, None),
            (LOST, 1, 8, 0, 2, None),
            (CLIENT, 1, 8, 1, 2, None),
            (CLIENT, 3, 8, 0, 1, LOST),
            (CLIENT, 3, 10, 0, 1, None),
        ):
            share = {"client": client, "given_ns": T0 + later, "number": number, "part": part, "parts": parts}
            self.rows["shares"].append(share | {"lost": lost})

    def tick(self, ms=1):
        self.now += ms * MS
        return self.now

    def call(self, instance, kind, outcome, status):
        invoked = self.tick(10)
        row = {"op_id": f"{CLIENT}/{len(self.rows['operations']) + 1}", "client": CLIENT, "kind": kind}
        row |= {"instance_id": instance, "workflow": "order_v1", "detail": None if outcome == "ok" else "no answer"}
        row |= {"node": "app-0", "try": 1, "intended_ns": invoked, "invoked_ns": invoked, "outcome": outcome}
        self.rows["operations"].append(row | {"status": status})
        return self.rows["operations"][-1]

    def effect(self, instance, name, source, **attributes):
        position = sum(row["source"] == source for row in self.rows["effects"])
        key = f"{instance}/{'ship' if name == 'cancel' else name}"
        row = {"instance_id": instance, "effect": name, "key": key, "at_ns": self.tick()}
        self.rows["effects"].append(
            row | {"source": source, "position": position, "attributes": json.dumps(attributes)}
        )

    def ask(self, instance, operation, name=None, payload=None, runtime_status=None):
        """A client asks something of an instance, and is told yes, or its status. Returns when the engine took it."""
        due = self.tick()
        number = sum(row["instance_id"] == instance for row in self.rows["requests"]) + 1
        row = {"request_id": f"{CLIENT}/{len(self.rows['requests']) + 1}", "instance_id": instance, "number": number}
        row |= {"operation": operation, "name": name, "payload": payload, "client": CLIENT, "outcome": "ok"}
        row |= {"node": f"sidecar-{number % 2}", "status": 200 if operation == "get" else 202}
        row |= {"runtime_status": runtime_status}
        self.rows["requests"].append(row | {"intended_ns": due, "invoked_ns": self.tick()})
        taken = self.tick()
        self.rows["requests"][-1]["completed_ns"] = self.tick()
        self.tick()
        return taken

    def turn(self, instance, asked, history):
        """
        A turn begins, which takes in what a client has asked; before a resume one that took in the pause. A client that
        reads the status does so before the turn begins.
        """
        if asked == "get":
            self.ask(instance, "get", runtime_status="RUNNING")
        if asked in ("get", "start"):
            asked = None
        if asked == "pause":
            taken = self.ask(instance, "pause")
            history += [("workflowStarted", self.tick(), {}), ("executionSuspended", taken, {})]
            asked = "resume"
        raised = {"name": EVENT, "payload": PAYLOAD} if asked == "raiseEvent" else {}
        taken = asked and self.ask(instance, asked, **raised)
        turn = self.tick()
        history.append(("workflowStarted", turn, {}))
        if asked:
            history.append((TAKEN[asked], taken, raised))
        return turn

    def instance(self, instance, kind, tasks, result, *, asked=None, child=False):
        """
        `tasks`: (activity, what its input adds, result, what it does in the world). `asked` is what a client asks
        before the first of them has its result. A `child` is ordered beside the first of them.
        """
        call = self.call(instance, kind, "ok", 202)
        order = request(instance, kind)
        created = self.tick() if asked != "start" else self.again(call, order)
        history = [("workflowStarted", self.tick(), {}), ("executionStarted", created, of("order_v1", payload=order))]
        call.setdefault("completed_ns", self.tick())
        ids, first = itertools.count(), None
        for activity, extra, answer, deed in tasks:
            task = next(ids)
            first = task if first is None else first
            scheduled = of(activity, event_id=task, task_id=task, call_id=first, payload=order | extra)
            history.append(("taskScheduled", self.tick(), scheduled))
            if child and task == 0:
                number = next(ids)
                history.append(
                    (
                        "childWorkflowInstanceCreated",
                        self.tick(),
                        {"name": CHILD, "event_id": number, "task_id": number},
                    )
                )
            begun = self.tick()
            if deed:
                deed()
            attempt = {"instance_id": instance, "activity": activity, "task_id": task, "node": "app-0"}
            attempt |= {"attempt_id": f"{next(self.attempts)}", "started_ns": begun, "ended_ns": self.tick()}
            attempt |= {"detail": "no"} if answer is FAILED else {}
            outcome = "error" if answer is FAILED else "ok"
            self.rows["attempts"].append(attempt | {"outcome": outcome})
            turn = {"instance_id": instance, "node": "sidecar-0", "other": "sidecar-1", "past": len(history), "new": 2}
            self.rows["turns"].append(turn | {"same": True, "turned_ns": begun})
            done = self.tick()
            delivery = {name: attempt[name] for name in ("instance_id", "activity", "task_id", "node")}
            delivery |= {"attempt_id": f"app-0#{len(self.rows['deliveries'])}", "outcome": outcome}
            delivery |= {"detail": "no"} if answer is FAILED else {}
            self.rows["deliveries"].append(delivery | {"delivered_ns": begun, "completed_ns": done})
            turn = self.turn(instance, asked, history)
            if asked == "terminate":
                break
            if answer is not FAILED:
                history.append(("taskCompleted", done, of(task_id=task, payload=answer)))
                first = None
                continue
            timer, due = next(ids), turn + 300 * MS
            history.append(("taskFailed", done, {"task_id": task, "error": "RuntimeError: no"}))
            wait = {"event_id": timer, "task_id": timer, "call_id": first, "fire_at_ns": due}
            history.append(("timerCreated", self.tick(), wait))
            fired = self.tick(300)
            history.append(("workflowStarted", self.tick(), {}))
            history.append(("timerFired", fired, {"task_id": timer, "fire_at_ns": due}))
        output = None if result is None else ending(order, tasks, result)
        ended = {"event_id": next(ids)} if output is None else of(event_id=next(ids), payload=output)
        history.append(("executionCompleted", self.tick(), ended))
        self.written(instance, history)
        self.stored(instance, created, len(history), output)
        self.rows["instances"][-1]["generation"] = 2 if asked == "start" else 1

    def again(self, call, order):
        """A client starts an instance again, of whose first execution nothing is left. Returns when the engine did."""
        call["completed_ns"] = self.tick()
        return self.ask(call["instance_id"], "start", payload=json.dumps(order))

    def written(self, instance, history):
        for position, (event, at_ns, others) in enumerate(history):
            row = {"instance_id": instance, "position": position, "event_id": -1, "event": event, "at_ns": at_ns}
            self.rows["history"].append(row | others)

    def child(self, instance, parent):
        """A child that begins after its parent has ended as TERMINATED, and takes in the terminate at once."""
        created = self.tick()
        history = [("workflowStarted", self.tick(), {}), ("executionStarted", created, of(CHILD, payload=None))]
        terminated = self.tick()
        history += [("workflowStarted", self.tick(), {}), ("executionTerminated", terminated, {})]
        self.written(instance, [*history, ("executionCompleted", self.tick(), {"event_id": 0})])
        self.stored(instance, created, 5, None)
        self.rows["instances"][-1].update(workflow=CHILD, parent_id=parent, root_id=parent)

    def stored(self, instance, created, length, output):
        row = {"instance_id": instance, "workflow": "order_v1", "created_ns": created, "completed_ns": self.now}
        row |= {"status": "TERMINATED", "outcome": None, "output": None, "generation": 1}
        if output is not None:
            row |= {"status": "COMPLETED", "outcome": output["outcome"], "output": json.dumps(output)}
        counted = {"history_length": length, "history_rows": length, "inbox_length": 0, "inbox_rows": 0}
        self.rows["instances"].append(row | counted)

    def purged(self, instance):
        """A client purges an instance, and the engine has nothing of it any more."""
        self.ask(instance, "purge")
        for table in ("instances", "history"):
            self.rows[table] = [row for row in self.rows[table] if row["instance_id"] != instance]

    def read(self):
        """Dapr's API is asked for everything that a client asked for, and for the child."""
        self.now = T0 + 180_000 * MS
        stored = {row["instance_id"]: row for row in self.rows["instances"]}
        for name in (*(call["instance_id"] for call in self.rows["operations"]), "g:1"):
            row = {"instance_id": name, "node": "sidecar-0"}
            row |= {"asked_ns": self.tick(1_000), "answered_ns": self.tick()}
            if instance := stored.get(name):
                row |= {column: instance[column] for column in ("status", "workflow", "output", "created_ns")}
                row["updated_ns"] = instance["completed_ns"]
            self.rows["readings"].append(row)

    def reserve(self, instance, answer=True):
        def deed():
            self.effect(instance, "reserve", f"stock-sku-{instance}", quantity=2, initial=9, available=7)

        return ("reserve_stock_v1", {}, answer, deed if answer else None)

    def release(self, instance):
        def deed():
            self.effect(instance, "release", f"stock-sku-{instance}", quantity=2, initial=9, available=9)

        return ("release_stock_v1", {}, None, deed)

    def quotes(self):
        return [("quote_v1", {"provider": name}, price, None) for name, price in QUOTES.items()]

    def ship(self, instance, answer):
        def deed():
            self.effect(instance, "ship", "provider-0", provider="kestrel", price=650, quantity=2)

        return ("register_shipment_v1", SHIPPING, answer, deed)

    def cancel(self, instance):
        return ("cancel_shipment_v1", SHIPPING, None, lambda: self.effect(instance, "cancel", "provider-0"))


def sound():
    story = Story()
    story.rows["balances"].append({"balance": "stock", "key": "sku-a", "began": 10.0, "ended": 8.0})
    story.rows["moves"].append({"instance_id": "a", "balance": "stock", "key": "sku-a", "amount": -2.0})
    story.instance("a", "plain", [story.reserve("a"), *story.quotes(), story.ship("a", "k")], "completed")
    refused = ("register_shipment_v1", SHIPPING, None, None)
    nothing = ("cancel_shipment_v1", SHIPPING, None, None)
    story.instance(
        "b", "refused", [story.reserve("b"), *story.quotes(), refused, nothing, story.release("b")], "compensated"
    )
    lost = [story.reserve("c"), *story.quotes(), story.ship("c", None), story.cancel("c"), story.release("c")]
    story.instance("c", "lost_for_good", lost, "compensated")
    story.instance("d", "scarce", [story.reserve("d", answer=False)], "rejected", asked="raiseEvent")
    failed = ("register_shipment_v1", SHIPPING, FAILED, None)
    retried = [story.reserve("e"), *story.quotes(), failed, story.ship("e", "k")]
    story.instance("e", "flaky", retried, "completed", asked="get")
    story.ask("e", "get", runtime_status="COMPLETED")
    story.call("u", "plain", "unknown", None)
    story.instance("f", "scarce", [story.reserve("f", answer=False)], "rejected", asked="pause")
    story.instance("g", "plain", [story.reserve("g")], None, asked="terminate", child=True)
    story.child("g:1", "g")
    story.instance("h", "plain", [story.reserve("h"), *story.quotes(), story.ship("h", "k")], "completed")
    story.purged("h")
    story.instance("i", "scarce", [story.reserve("i", answer=False)], "rejected", asked="start")
    story.read()
    for number, delivery in enumerate(r for r in story.rows["deliveries"] if r["activity"] == "reserve_stock_v1"):
        story.rows["api_calls"] += update(delivery, number)
    lost_answer = {"instance_id": "c", "effect": "ship", "key": "c/ship", "source": "observed-2", "kept": True}
    called = one(story.rows, "effects", key="c/ship", effect="ship")["at_ns"]
    story.rows["unanswered"].append(lost_answer | {"called_ns": called, "detail": "no answer came"})
    return story.rows


def update(delivery, number):
    """The execution reads the version that the one before it has saved, and saves the next."""
    call = {
        "node": delivery["node"],
        "connection": f"1/{number}",
        "component": "statestore",
        "key": "stock",
        "status": 0,
    }
    for step, (operation, etag) in enumerate((("get", str(number + 1)), ("save", None))):
        at = delivery["delivered_ns"] + step * 1000
        method, guarded = ("SaveState", False) if operation == "save" else ("GetState", None)
        about = {"status": 0, "operation": operation, "method": method, "etag": etag, "guarded": guarded, "position": 0}
        yield call | about | {"call_id": f"app-0#{2 * number + step}", "called_ns": at, "answered_ns": at + 500}


def one(rows, table, **facts):
    """The one row of a table that has these facts."""
    (row,) = (row for row in rows[table] if all(row.get(name) == value for name, value in facts.items()))
    return row


def drop(rows, table, **facts):
    rows[table].remove(one(rows, table, **facts))


def twice(rows, table, change=None, **facts):
    rows[table].append(one(rows, table, **facts) | (change or {}))


def events(rows, instance):
    return [row for row in rows["history"] if row["instance_id"] == instance]


def append_event(rows, instance, **facts):
    last = events(rows, instance)[-1]
    new = {"instance_id": instance, "event_id": -1, "position": last["position"] + 1, "at_ns": last["at_ns"]}
    rows["history"].append(new | facts)
    counted = one(rows, "instances", instance_id=instance)
    counted["history_length"] = counted["history_rows"] = counted["history_rows"] + 1


def change(rows, table, new, **facts):
    one(rows, table, **facts).update(new)


def at_end(rows):
    return one(rows, "instances", instance_id="a")["completed_ns"] + 500 * MS


def quotes(rows, instance):
    """The attempts at an activity that is called several times: what is wrong with two alike may cancel out."""
    return [row for row in rows["attempts"] if row["instance_id"] == instance and row["activity"] == "quote_v1"]


LIES = {
    "forward_deleted": lambda r: drop(r, "effects", key="a/ship"),
    "forward_duplicated": lambda r: twice(r, "effects", key="a/ship"),
    "forward_given_away": lambda r: change(r, "effects", {"instance_id": "c"}, key="a/ship"),
    "compensation_deleted": lambda r: drop(r, "effects", key="c/release"),
    "compensation_duplicated": lambda r: twice(r, "effects", {"position": 2}, key="c/release"),
    "compensated_forward_deleted": lambda r: drop(r, "effects", instance_id="c", effect="ship"),
    "compensation_first": lambda r: change(
        r,
        "effects",
        {"at_ns": one(r, "effects", instance_id="c", effect="ship")["at_ns"] - 1},
        instance_id="c",
        effect="cancel",
    ),
    "forwards_swapped": lambda r: change(
        r, "effects", {"at_ns": one(r, "effects", key="a/reserve")["at_ns"] - 1}, key="a/ship"
    ),
    "effect_moved": lambda r: change(r, "effects", {"at_ns": T0}, key="a/reserve"),
    "effect_late": lambda r: change(r, "effects", {"at_ns": at_end(r)}, key="a/ship"),
    "effect_of_nobody": lambda r: twice(r, "effects", {"instance_id": "x", "position": 2}, key="a/ship"),
    "effect_renamed": lambda r: change(r, "effects", {"effect": "shop"}, key="a/ship"),
    "attempt_deleted": lambda r: drop(r, "attempts", instance_id="a", activity="register_shipment_v1"),
    "attempt_duplicated": lambda r: twice(r, "attempts", instance_id="a", activity="register_shipment_v1"),
    "delivery_deleted": lambda r: drop(r, "deliveries", instance_id="a", activity="register_shipment_v1"),
    "delivery_invented": lambda r: twice(r, "deliveries", instance_id="a", activity="register_shipment_v1"),
    "turn_differs": lambda r: r["turns"][0].update(same=False, difference="one, then two"),
    "instance_deleted": lambda r: drop(r, "instances", instance_id="a"),
    "instance_duplicated": lambda r: twice(r, "instances", instance_id="a"),
    "instance_moved": lambda r: change(r, "instances", {"created_ns": T0}, instance_id="a"),
    "status_failed": lambda r: change(r, "instances", {"status": "FAILED"}, instance_id="a"),
    "status_lost": lambda r: change(r, "instances", {"status": None}, instance_id="a"),
    "balance_shifted": lambda r: change(r, "balances", {"ended": 9.0}, balance="stock"),
    "move_deleted": lambda r: drop(r, "moves", instance_id="a"),
    "parent_invented": lambda r: change(r, "instances", {"parent_id": "nobody", "root_id": "nobody"}, instance_id="a"),
    "outcome_undeclared": lambda r: change(r, "instances", {"outcome": "perhaps"}, instance_id="a"),
    "outcome_flipped": lambda r: change(r, "instances", {"outcome": "rejected"}, instance_id="a"),
    "output_changed": lambda r: change(r, "instances", {"output": "{}"}, instance_id="a"),
    "generation_raised": lambda r: change(r, "instances", {"generation": 2}, instance_id="a"),
    "metadata_changed": lambda r: change(r, "instances", {"history_length": 1}, instance_id="a"),
    "inbox_left": lambda r: change(r, "instances", {"inbox_rows": 1, "inbox_length": 1}, instance_id="a"),
    "history_deleted": lambda r: r["history"].remove(events(r, "a")[3]),
    "history_duplicated": lambda r: r["history"].append(events(r, "a")[3]),
    "history_given_away": lambda r: events(r, "a")[-2].update(instance_id="b"),
    "history_moved": lambda r: events(r, "a")[3].update(at_ns=T0),
    "started_twice": lambda r: append_event(r, "a", event="executionStarted", name="order_v1"),
    "start_deleted": lambda r: r["history"].remove(events(r, "a")[1]),
    "ended_twice": lambda r: append_event(r, "a", event="executionCompleted", payload="{}"),
    "event_after_end": lambda r: append_event(r, "a", event="workflowStarted"),
    "completed_twice": lambda r: append_event(r, "a", event="taskCompleted", task_id=0, payload="true"),
    "schedule_deleted": lambda r: r["history"].remove(events(r, "a")[2]),
    "answered_early": lambda r: change(
        r, "operations", {"completed_ns": one(r, "operations", instance_id="a")["invoked_ns"]}, instance_id="a"
    ),
    "answer_flipped_to_fail": lambda r: change(r, "operations", {"outcome": "fail"}, instance_id="a"),
    "unknown_flipped_to_ok": lambda r: change(r, "operations", {"outcome": "ok"}, instance_id="u"),
    "operation_deleted": lambda r: drop(r, "operations", instance_id="a"),
    "kind_changed": lambda r: change(r, "operations", {"kind": "refused"}, instance_id="a"),
}


def end_undone(rows):
    rows["history"].remove(events(rows, "a")[-1])
    change(rows, "instances", {"status": "RUNNING", "completed_ns": None}, instance_id="a")


def task_forgotten(rows):
    """The last task was executed, and only before it was recorded as scheduled."""
    end_undone(rows)
    for event in events(rows, "a")[-2:]:
        rows["history"].remove(event)
    body = one(rows, "attempts", instance_id="a", activity="register_shipment_v1")
    events(rows, "a")[-1]["at_ns"] = body["ended_ns"] + 50 * MS


def swapped(rows, instance, event, other):
    """The first row of `instance` that has `event` right before `other` changes places with that."""
    own = events(rows, instance)
    first, second = next(
        pair for pair in itertools.pairwise(own) if (pair[0]["event"], pair[1]["event"]) == (event, other)
    )
    first["position"], second["position"] = second["position"], first["position"]


def sooner(rows, ms):
    """The timer of `e` fired `ms` milliseconds sooner, and says that it was due then."""
    fired = one(rows, "history", instance_id="e", event="timerFired")
    fired["at_ns"] = fired["fire_at_ns"] = fired["fire_at_ns"] - ms * MS


def result_moved(rows):
    body = one(rows, "attempts", instance_id="a", activity="register_shipment_v1")
    task = {"instance_id": "a", "event": "taskCompleted", "task_id": body["task_id"]}
    change(rows, "history", {"at_ns": body["ended_ns"] - 5 * MS}, **task)


def renamed(rows):
    """A call of `e` that was tried twice is of an activity that may be tried once."""
    for row in events(rows, "e"):
        if row.get("name") == "register_shipment_v1":
            row["name"] = "quote_v1"


def refused_and_done(rows):
    """The engine has nothing of what was refused, and the ledger has."""
    change(rows, "operations", {"outcome": "fail", "status": 400, "completed_ns": T0 + 120_000 * MS}, instance_id="u")
    change(rows, "effects", {"instance_id": "u"}, key="a/ship")


def event_of(rows, instance, event, **facts):
    return next(row for row in events(rows, instance) if row["event"] == event and facts.items() <= row.items())


def job(instance):
    last = T0 + 200_000 * MS
    return {"instance_id": instance, "kind": "activity", "name": "run-activity", "task_id": 3, "listed_ns": last}


BODY = {"instance_id": "a", "activity": "register_shipment_v1"}
LIES |= {
    "end_undone": end_undone,
    "task_forgotten": task_forgotten,
    "reading_status_flipped": lambda r: change(r, "readings", {"status": "FAILED"}, instance_id="a"),
    "reading_output_changed": lambda r: change(r, "readings", {"output": "{}"}, instance_id="a"),
    "reading_undone": lambda r: change(r, "readings", {"status": "RUNNING", "output": None}, instance_id="a"),
    "reading_lost": lambda r: change(r, "readings", {"status": None, "output": None}, instance_id="a"),
    "reading_invented": lambda r: change(r, "readings", {"status": "RUNNING"}, instance_id="u"),
    "reading_failed": lambda r: change(r, "readings", {"status": None, "error": "HTTP 500: no"}, instance_id="a"),
    "job_left": lambda r: r["jobs"].append(job("a")),
    "job_of_nobody": lambda r: r["jobs"].append(job("x")),
    "retried_once_more": renamed,
    "retried_after_success": lambda r: event_of(r, "e", "taskFailed").update(event="taskCompleted", error=None),
    "retry_wait_shortened": lambda r: event_of(r, "e", "timerCreated").update(
        fire_at_ns=event_of(r, "e", "timerCreated")["fire_at_ns"] - 100 * MS
    ),
    "retry_wait_lengthened": lambda r: event_of(r, "e", "timerCreated").update(
        fire_at_ns=event_of(r, "e", "timerCreated")["fire_at_ns"] + 100 * MS
    ),
    "retry_timer_early": lambda r: sooner(r, 50),
    "retry_timer_missing": lambda r: event_of(r, "e", "timerCreated").update(event="eventRaised", call_id=None),
    "retry_not_waited": lambda r: swapped(r, "e", "timerFired", "taskScheduled"),
    "timer_fired_early": lambda r: event_of(r, "e", "timerFired").update(
        fire_at_ns=event_of(r, "e", "timerFired")["at_ns"] + 50 * MS
    ),
    "turn_shuffled": lambda r: swapped(r, "a", "taskCompleted", "taskScheduled"),
    "id_given_twice": lambda r: event_of(r, "a", "taskScheduled", task_id=1).update(event_id=0),
    "end_id_reused": lambda r: event_of(r, "a", "taskScheduled", task_id=1).update(event_id=9),
    "attempt_renamed": lambda r: change(r, "attempts", {"activity": "release_stock_v1"}, **BODY),
    "attempts_renamed_alike": lambda r: [attempt.update(activity="other") for attempt in quotes(r, "a")[:2]],
    "attempt_of_no_task": lambda r: twice(r, "attempts", {"task_id": 99, "attempt_id": "x"}, **BODY),
    "attempt_before_start": lambda r: change(r, "attempts", {"started_ns": T0}, **BODY),
    "result_moved": result_moved,
    "instance_start_shifted": lambda r: change(
        r, "instances", {"created_ns": one(r, "instances", instance_id="a")["created_ns"] - 1}, instance_id="a"
    ),
    "instance_renamed": lambda r: change(r, "instances", {"workflow": "order_v2"}, instance_id="a"),
    "answer_misnamed": lambda r: change(r, "operations", {"outcome": "maybe"}, instance_id="a"),
    "answer_untimed": lambda r: change(r, "operations", {"completed_ns": None}, instance_id="a"),
    "answered_before_call": lambda r: change(
        r, "operations", {"completed_ns": one(r, "operations", instance_id="a")["invoked_ns"] - 1}, instance_id="a"
    ),
    "asked_again": lambda r: twice(r, "operations", {"op_id": f"{CLIENT}/7", "try": 2}, instance_id="a"),
    "operation_duplicated": lambda r: twice(r, "operations", instance_id="a"),
    "kind_undeclared": lambda r: change(r, "operations", {"kind": "odd"}, instance_id="a"),
    "refused_and_done": refused_and_done,
    "reading_renamed": lambda r: change(r, "readings", {"workflow": "order_v2"}, instance_id="a"),
    "reading_moved": lambda r: change(r, "readings", {"created_ns": T0}, instance_id="a"),
}
LIES["end_deleted"] = lambda r: r["history"].remove(events(r, "a")[-1])


def planned():
    """The plan that the run was made by."""
    read = scenario.load(scenario.find("baseline"), ["checks.minimum={instances: 1}"])
    made = plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")
    checks = made.scenario.checks.model_copy(update={"determinism": 1.0})
    stock = Balance(keys=["sku-a"], value="@", start=10, key="sku", amount="quantity")
    calls = ObservedLedger(
        observed="invoke", matching="*", settled_by="provider-0", row={"instance_id": "value.order", "effect": "'ship'"}
    )
    ledgers = (*made.target.ledgers, calls)
    described = made.target.model_copy(update={"balances": {"stock": stock}, "ledgers": ledgers})
    requests = (
        ClientRequest(operation="raiseEvent", event=EVENT),
        ClientRequest(operation="pause", resume_after=(1.0,)),
        ClientRequest(operation="terminate"),
        ClientRequest(operation="purge"),
        ClientRequest(operation="get"),
        ClientRequest(operation="start"),
    )
    load = made.scenario.load
    share = Share(mix=load.mix, requests=requests)
    load = load.model_copy(update={"workflow": "", "mix": {}, "workflows": {load.workflow: share}, "workers": 2})
    scenario_made = made.scenario.model_copy(update={"checks": checks, "load": load})
    return made.model_copy(update={"tap": True, "scenario": scenario_made, "target": described})


def arrivals(*_):
    """The starts of the run, as the plan's schedule would return them. Ids that a plan makes would be long."""
    rows = sound()
    for number, call in enumerate(rows["operations"]):  # all were sent to app-0
        instance, kind = call["instance_id"], call["kind"]
        requests = tuple(
            Due(asked["number"], (asked["intended_ns"] - T0) / 1e9, asked["operation"], asked["name"], asked["payload"])
            for asked in rows["requests"]
            if asked["instance_id"] == instance
        )
        at = (call["intended_ns"] - T0) / 1e9
        yield Arrival(2 * number, at, instance, call["workflow"], kind, request(instance, kind), requests)
