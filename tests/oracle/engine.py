"""
The rules of the engine's history, told a second time: plain loops over the events of one instance.

Like the rest of the oracle it shares nothing with the SQL; where an event is there twice, the first in order of
position and name counts, as it does there.
"""

import itertools

WRITTEN = {"workflowStarted", "taskScheduled", "timerCreated", "executionCompleted"}
TAKEN = {"executionStarted", "taskCompleted", "taskFailed", "timerFired"}
ORDERED = WRITTEN - {"workflowStarted"}
OVER = {"COMPLETED", "FAILED", "TERMINATED", "CANCELED"}
MS = 1_000_000
POLICIES = {  # attempts, then the first wait, the factor and the longest wait, in seconds
    "reserve_stock_v1": (60, 0.5, 1, 0.5),
    "quote_v1": (1, 0, 1, 0),
    "register_shipment_v1": (5, 0.3, 2, 2),
    "cancel_shipment_v1": (600, 1, 1, 1),
    "release_stock_v1": (600, 1, 1, 1),
}


def named(one, *events):
    return [event for event in one.history if event["event"] in events]


def by_place(events):
    return sorted(events, key=lambda event: (event["position"], event["event"]))


def history_begins(one):
    if not one.history:
        return False
    begin = [max((e["event"] for e in one.history if e["position"] == at), default=None) for at in (0, 1)]
    return begin != ["workflowStarted", "executionStarted"] or len(named(one, "executionStarted")) != 1


def history_whole(one):
    places = sorted(event["position"] for event in one.history)
    if one.stored is None:
        return bool(places)
    counted = one.stored["history_length"], one.stored["history_rows"], len(places)
    inbox = one.stored["inbox_length"], one.stored["inbox_rows"]
    return len(set(counted)) > 1 or len(set(inbox)) > 1 or places != list(range(len(places)))


def history_tasks(one):
    things = {}
    for event in one.history:
        if event["task_id"] is not None:
            what = "timer" if event["event"] in {"timerCreated", "timerFired"} else "task"
            things.setdefault((what, event["task_id"]), []).append(event["event"] in {"taskScheduled", "timerCreated"})
    return any(sum(ordered) != 1 or len(ordered) - sum(ordered) > 1 for ordered in things.values())


def history_turns(one):
    events = [event["event"] for event in by_place(one.history)]
    return any(before in ORDERED and after in TAKEN for before, after in itertools.pairwise(events))


def history_ids(one):
    orders = [event for event in named(one, *ORDERED) if event["event_id"] >= 0]
    ids = [event["event_id"] for event in orders]
    ends = [event["event_id"] for event in orders if event["event"] == "executionCompleted"]
    others = [event["event_id"] for event in orders if event["event"] != "executionCompleted"]
    return len(set(ids)) < len(ids) or bool(ends and others and max(ends) < max(others))


def history_clock(one):
    written = named(one, *WRITTEN)
    begins = [e["at_ns"] for e in one.history if e["event"] == "executionStarted" or e["position"] == 0]
    end = max(((e["position"], e["at_ns"]) for e in written), default=(0, None))[1]
    times = [at for _, at in sorted((e["position"], e["at_ns"]) for e in written)]
    return (
        times != sorted(times)
        or (bool(begins) and any(e["at_ns"] < min(begins) for e in one.history))
        or (end is not None and any(e["at_ns"] > end for e in one.history))
        or any(e["fire_at_ns"] is not None and e["at_ns"] < e["fire_at_ns"] - MS for e in named(one, "timerFired"))
    )


def history_causes(one):
    events = [event["event"] for event in by_place(one.history)]
    turns = [event["at_ns"] for event in named(one, "workflowStarted")]
    return any(before == "workflowStarted" and after in ORDERED for before, after in itertools.pairwise(events)) or (
        bool(turns) and any(event["at_ns"] > max(turns) + MS for event in named(one, *TAKEN))
    )


def history_ends(one):
    ends = named(one, "executionCompleted")
    if ends and any(event["position"] > min(end["position"] for end in ends) for event in one.history):
        return True
    if one.stored is None:
        return False
    over = one.stored["status"] in OVER
    if over != bool(ends):
        return True
    started = [(event["at_ns"], event["name"]) for event in named(one, "executionStarted")]
    if any(each != (one.stored["created_ns"], one.stored["workflow"]) for each in started):
        return True
    # No event of these histories carries an error.
    return any(
        one.stored["status"] not in {"COMPLETED", "TERMINATED"}
        or end["at_ns"] != one.stored["completed_ns"]
        or (end["payload"] or "") != (one.stored["output"] or "")
        for end in ends
    )


def body_ran(one):
    well = {body["task_id"] for body in one.bodies if body["outcome"] == "ok"}
    return any(result["task_id"] not in well for result in named(one, "taskCompleted"))


def result_after_body(one):
    def first_end(task):
        ends = [b["ended_ns"] for b in one.bodies if (b["task_id"], b["outcome"]) == (task, "ok")]
        return min((end for end in ends if end is not None), default=0)

    return any(first_end(result["task_id"]) > result["at_ns"] + MS for result in named(one, "taskCompleted"))


def body_scheduled(one):
    if one.stored is None or one.stored["status"] != "COMPLETED" or one.stored["generation"] != 1:
        return False
    ends = [event["event_id"] for event in named(one, "executionCompleted")]
    last = max((event["event_id"] for event in one.history if event["event"] != "executionCompleted"), default=None)

    def wrong(body):
        if body["started_ns"] < one.stored["created_ns"] - MS:
            return True
        names = [task["name"] for task in named(one, "taskScheduled") if task["task_id"] == body["task_id"]]
        names = [name for name in names if name is not None]
        if any(task["task_id"] == body["task_id"] for task in named(one, "taskScheduled")):
            return bool(names) and body["activity"] not in (min(names), max(names))
        return bool(ends) and max(ends) >= 0 and (body["task_id"] <= last or body["task_id"] >= max(ends))

    return any(wrong(body) for body in one.bodies)


def tries(one):
    """Call -> the tries of it, in order."""
    calls = {}
    for event in sorted(named(one, "taskScheduled"), key=lambda e: (e["position"], e["task_id"] or 0)):
        if event["call_id"] is not None:
            calls.setdefault(event["call_id"], []).append(event)
    return calls


def failed_at(one, task):
    """When a task failed, last; None if it did not."""
    return max(
        (e["at_ns"] for e in named(one, "taskFailed") if task is not None and e["task_id"] == task), default=None
    )


def retried_too_often(one):
    for call, made in tries(one).items():
        later = [each["position"] for each in made if each["task_id"] is not None and each["task_id"] != call]
        if not later:
            continue
        names = [each["name"] for each in made if each["name"] is not None]
        allowed = POLICIES.get(max(names, default=None), (len(made),))[0]
        before = [each for each in made if each["position"] < max(later)]
        if len(made) > allowed or any(failed_at(one, each["task_id"]) is None for each in before):
            return True
    return False


def retry_wait(one):
    if sorted(event["position"] for event in one.history) != list(range(len(one.history))):
        return False
    calls, timers = tries(one), {}
    for timer in sorted(named(one, "timerCreated"), key=lambda e: (e["position"], e["task_id"] or 0)):
        if timer["call_id"] is not None:
            timers.setdefault(timer["call_id"], []).append(timer)
    everyone = [timer for of in timers.values() for timer in of]
    wrong = any(
        waited_wrong(one, calls.get(call, []), number, timer, everyone)
        for call, of in timers.items()
        for number, timer in enumerate(of)
    )
    return wrong or any(timer_missing(one, call, made, len(timers.get(call, ()))) for call, made in calls.items())


def timer_missing(one, call, made, timers):
    """A try that follows another, and the timers are too few for it; none of unknown purpose may stand in for one."""
    if not timers and all(each["task_id"] in (None, call) for each in made):
        return False
    unnamed = [timer["position"] for timer in named(one, "timerCreated") if timer["call_id"] is None]
    return any(
        number >= timers
        and POLICIES.get(failed["name"], (0, 0))[1] > 0
        and not any(position < again["position"] for position in unnamed)
        for number, (failed, again) in enumerate(itertools.pairwise(made))
    )


def waited_wrong(one, made, number, timer, timers):
    task = timer["task_id"]
    fired = [e for e in named(one, "timerFired") if task is not None and e["task_id"] == task]
    fired_at = min((event["at_ns"] for event in fired), default=None)
    fired_place = min((event["position"] for event in fired), default=None)
    place = max((each["position"] for each in timers if each["task_id"] == task), default=None)
    turn = max(
        (e["at_ns"] for e in named(one, "workflowStarted") if task is not None and e["position"] < place), default=None
    )
    again = made[number + 1] if number + 1 < len(made) else None
    if again is not None and again["task_id"] is not None and (fired_place is None or fired_place > again["position"]):
        return True
    if number >= len(made) or made[number]["name"] not in POLICIES:
        return False
    _, first, factor, longest = POLICIES[made[number]["name"]]
    wait = 1_000_000_000 * min(first * factor**number, longest)
    failure, fire = failed_at(one, made[number]["task_id"]), timer["fire_at_ns"]
    return (
        (None not in (fire, failure) and fire - failure < wait - MS)
        or (None not in (fire, turn) and fire - turn > wait + MS)
        or (None not in (fired_at, failure) and fired_at - failure < wait - MS)
    )


RULES = {
    rule.__name__: rule
    for rule in (
        *(history_begins, history_whole, history_tasks, history_turns, history_ids, history_clock, history_ends),
        *(history_causes,),
        *(body_ran, result_after_body, body_scheduled, retried_too_often, retry_wait),
    )
}
