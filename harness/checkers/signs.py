"""
Signs: what the trace of one instance shows, and what it excludes, one sentence each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from harness.checkers.telling import Telling
from harness.checkers.traces import Body, Event, Trace

_ORDERS = ("taskScheduled", "timerCreated", "childWorkflowInstanceCreated")

_MOST = 3
"""The most bodies, tasks or jobs that are named one by one."""


@dataclass(frozen=True)
class Sign:
    """
    One sign. `excludes`: it shows that something is not the cause. `may_run`: a body of the instance may still make an
    effect. `unloadable`: the engine may not be able to load the instance.
    """

    text: str
    excludes: bool = False
    may_run: bool = False
    unloadable: bool = False


def of(trace: Trace, telling: Telling) -> Iterator[Sign]:
    """
    Return the signs of a trace. What needs a table that is missing is left out.
    """
    for needs, told in (
        (("faults",), _faults),
        (("operations",), _calls),
        (("attempts",), _bodies),
        (("effects", "attempts"), _effects),
        (("attempts", "history"), _results),
        (("attempts", "history"), _tasks),
        (("history",), _orders),
        (("instances", "history"), _history),
        (("instances",), _inbox),
        (("jobs",), _jobs),
        (("readings", "instances"), _reading),
    ):
        if not any(table in trace.missing for table in needs):
            yield from told(trace, telling)


def _faults(trace: Trace, telling: Telling) -> Iterator[Sign]:
    if trace.begun_ns is None:
        return
    if not trace.faults:
        until = "on" if trace.ended_ns is None else f"to {telling.at(trace.ended_ns)}"
        yield Sign(f"No fault was in force while it lived, from {telling.at(trace.begun_ns)} {until}.", excludes=True)
    for fault in trace.faults[:_MOST]:
        since = telling.at(fault.applied_ns)
        window = f"since {since}" if fault.healed_ns is None else f"from {since} to {telling.at(fault.healed_ns)}"
        yield Sign(f"#{fault.step} {fault.fault} of {fault.node} was in force in its life, {window}.")
    if len(trace.faults) > _MOST:
        yield Sign(f"{len(trace.faults) - _MOST} faults more were in force in its life.")


def _calls(trace: Trace, telling: Telling) -> Iterator[Sign]:
    if not trace.calls:
        yield Sign("No client asked for it.")
        return
    unknown = [call for call in trace.calls if call.outcome == "unknown"]
    for call in unknown[:_MOST]:
        yield Sign(
            f"Try {call.number} of its start, at {telling.at(call.invoked_ns)} through {call.node}, had no clear "
            "answer: it may have been heard all the same."
        )
    if not unknown:
        yield Sign("Every call of a client for it was answered clearly.", excludes=True)


def _bodies(trace: Trace, telling: Telling) -> Iterator[Sign]:
    cut = [body for body in trace.bodies if body.ended_ns is None]
    for body in cut[:_MOST]:
        ended_by = trace.ended_by(body)
        began = f"{_named(body)} began at {telling.at(body.started_ns)} on {body.node} and has no end in the evidence"
        if ended_by is None:
            yield Sign(f"{began}: it may still have been running.", may_run=True)
        else:
            yield Sign(
                f"{began}: {ended_by.fault} of {body.node} at {telling.at(ended_by.applied_ns)} ended its process. "
                "Whether its effect was still on the way only the ledger says."
            )
    if len(cut) > _MOST:
        yield Sign(f"{len(cut) - _MOST} bodies more have no end in the evidence.", may_run=True)
    if trace.bodies and not cut:
        failed = sum(body.outcome != "ok" for body in trace.bodies)
        how = f", {failed} of them with an error" if failed else ""
        yield Sign(f"Every body that began also ended: {len(trace.bodies)} of {len(trace.bodies)}{how}.", excludes=True)
    again = [body for body in trace.bodies if body.execution > 1]
    if again:
        named = ", ".join(dict.fromkeys(_named(body) for body in again[:_MOST]))
        yield Sign(f"A task was executed more than once, which is allowed: {named}.")


def _effects(trace: Trace, telling: Telling) -> Iterator[Sign]:
    """
    Bodies that failed although an effect was kept while they ran; effects that were kept more than once.
    """
    for effect in trace.effects:
        for body in trace.bodies:
            at_ns, ended_ns = effect.at_ns, body.ended_ns
            if at_ns is None or ended_ns is None:
                continue
            if body.outcome == "error" and body.started_ns <= at_ns <= ended_ns:
                yield Sign(
                    f"{_named(body)} on {body.node} ended with an error at {telling.at(ended_ns)}, after "
                    f"{effect.source} had kept {effect.effect} at {telling.at(at_ns)}."
                )
    keys: dict[str, list[str]] = defaultdict(list)
    for effect in trace.effects:
        if effect.key is not None:
            keys[effect.effect].append(effect.key)
    for name, of in keys.items():
        if len(of) > 1 and len(set(of)) == len(of):
            yield Sign(f"Each {name} has a key of its own, so its service could not know that they are one.")
        elif len(of) > 1:
            yield Sign(f"{name} was kept more than once with the same key: its service did not refuse it.")


def _results(trace: Trace, telling: Telling) -> Iterator[Sign]:
    """
    Is the result of each body that ended in the history? A body whose task was executed again needs none of its own.
    """
    ended = {body.task_id: body for body in trace.bodies if body.ended_ns is not None}
    recorded = {event.task_id for event in trace.events if event.event in ("taskCompleted", "taskFailed")}
    lost = [body for task, body in ended.items() if task not in recorded]
    for body in lost[:_MOST]:
        yield Sign(
            f"{_named(body)} ran on {body.node} and ended at {telling.at(body.ended_ns)}, "
            "and the history has no result of it."
        )
    if len(lost) > _MOST:
        yield Sign(f"The history lacks the results of {len(lost) - _MOST} tasks more.")
    if ended and not lost:
        yield Sign("The result of every task that was executed is in the history.", excludes=True)


def _tasks(trace: Trace, telling: Telling) -> Iterator[Sign]:
    """
    Was each task that the history orders executed?
    """
    begun = {body.task_id for body in trace.bodies}
    ordered = [event for event in trace.events if event.event == "taskScheduled"]
    idle = [event for event in ordered if event.task_id not in begun]
    for event in idle[:_MOST]:
        at = telling.at(event.at_ns)
        yield Sign(f"The history orders task {event.task_id} ({event.name}) at {at}, and no body of it began.")
    if ordered and not idle:
        yield Sign("Every task that the history orders was executed.", excludes=True)


def _orders(trace: Trace, telling: Telling) -> Iterator[Sign]:
    """
    Did one id mean one thing? A workflow's code numbers what it orders by one counter.
    """
    first: dict[int | None, Event] = {}
    for event in trace.events:
        if event.event not in _ORDERS:
            continue
        if event.task_id in first:
            yield Sign(
                f"The history has the order {event.task_id} twice: {first[event.task_id].event} at "
                f"{telling.at(first[event.task_id].at_ns)}, {event.event} at {telling.at(event.at_ns)}."
            )
        first.setdefault(event.task_id, event)


def _history(trace: Trace, _: Telling) -> Iterator[Sign]:
    if trace.stored is None or trace.stored.history_length is None:
        return
    counted, there = trace.stored.history_length, trace.stored.history_rows or 0
    positions = [event.position for event in trace.events]
    if counted == there and positions == list(range(len(positions))):
        if counted:
            yield Sign(
                f"The history is whole: all {counted:,} events that its metadata counts are there.", excludes=True
            )
        return
    yield Sign(
        f"The history is not whole: its metadata counts {counted:,} events, and the store has {there:,}.",
        unloadable=there < counted,
    )


def _inbox(trace: Trace, _: Telling) -> Iterator[Sign]:
    if trace.stored is None or trace.stored.inbox_length is None:
        return
    counted, there = trace.stored.inbox_length, trace.stored.inbox_rows or 0
    if counted == there == 0:
        yield Sign("No event waits in its inbox.", excludes=True)
    elif counted == there:
        yield Sign(f"{counted:,} event{'s' if counted > 1 else ''} wait{'s' if counted == 1 else ''} in its inbox.")
    else:
        yield Sign(
            f"The inbox is not whole: its metadata counts {counted:,} events, and the store has {there:,}.",
            unloadable=there < counted,
        )


def _jobs(trace: Trace, telling: Telling) -> Iterator[Sign]:
    for job in trace.jobs[:_MOST]:
        of = "the workflow" if job.task_id is None else f"task {job.task_id}"
        yield Sign(
            f"The scheduler still holds the job {job.name} of {of} at {telling.at(job.listed_ns)}.",
            may_run=job.kind == "activity",
        )
    if len(trace.jobs) > _MOST:
        yield Sign(f"It holds {len(trace.jobs) - _MOST} jobs more.")
    if not trace.jobs:
        yield Sign("The scheduler holds no job that would wake it.", excludes=True)


def _reading(trace: Trace, _: Telling) -> Iterator[Sign]:
    if trace.reading is None or trace.stored is None:
        return
    if trace.reading.status is None:
        why = trace.reading.error or "it knows no such instance"
        yield Sign(f"Dapr's API could not tell its status ({' '.join(why.split())[:160]}).")
    elif trace.reading.status == trace.stored.status:
        yield Sign(f"Dapr's API says the same as the store: {trace.stored.status}.", excludes=True)
    else:
        yield Sign(f"Dapr's API says {trace.reading.status}, and the store {trace.stored.status}.")


def _named(body: Body) -> str:
    return f"{body.activity} (task {body.task_id}{f', execution {body.execution}' if body.execution > 1 else ''})"
