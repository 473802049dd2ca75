"""
The timeline of one instance on the run's clock: what client, replicas, engine, scheduler, services and store say of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness import names
from harness.checkers.traces import Asked, Body, Call, Effect, Event, Struck, Trace
from harness.evidence.columns import NEVER_NS
from harness_reports import words

CLIENT, SCHEDULER, STORE = "client", "scheduler", "store"
"""Lanes that are no nodes: who asks, the scheduler and the state store, whatever their nodes are called."""

_STORES = ("redis", "postgres")

_MOST_LETTERS = 160

Kind = Literal["fault", "client", "body", "history", "timer", "effect", "job", "reading"]
_KINDS: tuple[Kind, ...] = ("fault", "client", "body", "history", "timer", "effect", "job", "reading")
"""Entries at the same moment are sorted in this order."""

_TOLD = {
    "workflowStarted": ("", "a turn of the workflow begins"),
    "executionStarted": ("begins", "the workflow {name} begins"),
    "executionCompleted": ("ends", "the workflow ends"),
    "executionTerminated": ("terminated", "the workflow is terminated"),
    "executionSuspended": ("paused", "the workflow is paused"),
    "executionResumed": ("resumed", "the workflow is resumed"),
    "eventRaised": ("event {name}", "the event {name} is taken in"),
    "taskScheduled": ("{name} ordered", "task {task} ({name}) is ordered"),
    "taskCompleted": ("{name} done", "task {task} ({name}) has its result"),
    "taskFailed": ("{name} failed", "task {task} ({name}) has failed"),
    "timerCreated": ("timer {task} set", "timer {task} is set"),
    "timerFired": ("timer {task} fires", "timer {task} fires"),
    "childWorkflowInstanceCreated": ("{name} ordered", "the child workflow {task} ({name}) is ordered"),
    "childWorkflowInstanceCompleted": ("{name} done", "the child workflow {task} ({name}) has ended"),
    "childWorkflowInstanceFailed": ("{name} failed", "the child workflow {task} ({name}) has failed"),
}
"""Event of the history -> its label among the lanes, and what it means. Others are told by their own names."""
_ORDERS = {"taskScheduled", "childWorkflowInstanceCreated"}
"""Events that name what later events of the same task are about."""


@dataclass(frozen=True)
class Entry:
    """
    One thing that happened. `at` and `end` are in seconds after the load began. At a single moment `end` equals `at`;
    if nobody recorded the end, it is None. `lanes` are where it is drawn, with `label` beside it. `during` names the
    faults that were in force meanwhile. `bad`: it failed, or was cut off.
    """

    at: float
    end: float | None
    kind: Kind
    lanes: tuple[str, ...]
    label: str
    text: str
    detail: str = ""
    during: tuple[str, ...] = ()
    bad: bool = False

    @property
    def took(self) -> str:
        """
        How long it took, in words; empty for a single moment.
        """
        if self.end is None:
            return "no end"
        return "" if self.end == self.at else words.took(self.end - self.at)


@dataclass(frozen=True)
class Timeline:
    """
    The entries of one instance in order of time, between `first` and `last` (seconds after the load began). The faults
    among them are those that were in force in its life.

    `hidden` is the number of entries that are not shown. `missing` says which evidence is missing.
    """

    instance_id: str
    entries: tuple[Entry, ...]
    first: float
    last: float
    hidden: int
    missing: tuple[str, ...]


def of(trace: Trace, nodes: Sequence[str], origin_ns: int, most: int) -> Timeline:
    """
    Return the timeline of a trace, with at most `most` entries. `nodes` are those of the plan; time 0 is `origin_ns`.
    """

    def at(at_ns: int) -> float:
        return (at_ns - origin_ns) / 1e9

    told = [
        *(_call(call, at) for call in trace.calls),
        *(_asked(asked, at) for asked in trace.asked),
        *_events(trace.events, at),
        *(_body(body, trace.ended_by(body), at) for body in trace.bodies),
        *(_effect(effect, effect.at_ns, nodes, at) for effect in trace.effects if effect.at_ns is not None),
        *_afterwards(trace, at),
    ]
    met = [_fault(fault, at) for fault in trace.faults]
    marked = [
        replace(
            entry, during=tuple(dict.fromkeys(fault.label for fault in met if _overlap(fault, entry.at, entry.end)))
        )
        for entry in told
    ]
    entries = sorted([*met, *marked], key=lambda entry: (entry.at, _KINDS.index(entry.kind)))
    return Timeline(
        trace.instance_id,
        tuple(entries[:most]),
        first=min((entry.at for entry in told), default=0.0),
        last=max((entry.at if entry.end is None else entry.end for entry in told), default=0.0),
        hidden=max(0, len(entries) - most),
        missing=tuple(dict.fromkeys([*trace.missing.values(), *_timeless(trace)])),
    )


def _timeless(trace: Trace) -> Iterator[str]:
    """
    Say which effects have no place in a timeline, because their ledger has no times.
    """
    for effect in trace.effects:
        if effect.at_ns is None:
            yield f"{effect.source} keeps the effect {effect.effect}, without a time"


def _overlap(fault: Entry, since: float, until: float | None) -> bool:
    return (until is None or fault.at <= until) and (fault.end is None or fault.end >= since)


Clock = Callable[[int], float]
"""Nanoseconds since the epoch -> seconds after the load began."""


def _fault(fault: Struck, at: Clock) -> Entry:
    ended = None if fault.healed_ns is None else at(fault.healed_ns)
    label = f"#{fault.step} {fault.fault}"
    return Entry(at(fault.applied_ns), ended, "fault", _hit(fault.node), label, f"{label} of {fault.node} is in force")


def _hit(node: str) -> tuple[str, ...]:
    """
    Return the lanes of a node, or of the ends of a link.
    """
    try:
        found = names.parse(node)
    except ValueError:
        return ()
    ends = (found.source, found.dest) if isinstance(found, names.Link) else (found,)
    lanes = {**dict.fromkeys(_STORES, STORE), SCHEDULER: SCHEDULER}
    return tuple(lanes.get(end.role, str(end)) for end in ends)


def _call(call: Call, at: Clock) -> Entry:
    return _of_client(call, at, f"start, try {call.number}", f"to start it, try {call.number}")


def _asked(asked: Asked, at: Clock) -> Entry:
    what = asked.operation if asked.name is None else f"{asked.operation} {asked.name}"
    return _of_client(asked, at, what, f"for {what}")


def _of_client(call: Call, at: Clock, label: str, what: str) -> Entry:
    end = None if call.completed_ns is None else at(call.completed_ns)
    status = "no answer" if call.status is None else f"status {call.status}"
    told = {"ok": "accepted", "fail": "refused"}.get(call.outcome, call.outcome)
    return Entry(
        at(call.invoked_ns),
        end,
        "client",
        (CLIENT,),
        label,
        f"a client asks {call.node} {what}: {told}, {status}",
        _joined(call.detail),
        bad=call.outcome != "ok",
    )


def _events(events: Sequence[Event], at: Clock) -> Iterator[Entry]:
    """
    The history, as the store has it; and a timer as long as the scheduler holds it.
    """
    called = {event.task_id: event.name for event in events if event.event in _ORDERS}
    fired = [event for event in events if event.event == "timerFired"]
    for event in events:
        label, text = _TOLD.get(event.event, (event.event, f"{event.event} {event.name or ''}".rstrip()))
        told = {"name": event.name or called.get(event.task_id) or "unknown", "task": event.task_id}
        yield Entry(
            at(event.at_ns),
            at(event.at_ns),
            "history",
            (STORE,),
            _filled(label, told),
            f"history {event.position}: {_filled(text, told)}",
            _joined(event.error, event.payload),
            bad=event.event == "taskFailed" or event.error is not None,
        )
        if event.event == "timerCreated":
            ends = (
                each.at_ns
                for each in fired
                if each.task_id == event.task_id and (each.position or 0) > (event.position or 0)
            )
            end_ns = next(ends, None)
            due = "" if event.fire_at_ns is None else f", due at {words.at(at(event.fire_at_ns))}"
            if event.fire_at_ns is not None and event.fire_at_ns >= NEVER_NS:
                due = ", never due"
            yield Entry(
                at(event.at_ns),
                None if end_ns is None else at(end_ns),
                "timer",
                (SCHEDULER,),
                f"timer {event.task_id}",
                f"the scheduler holds timer {event.task_id}{due}",
                bad=end_ns is None,
            )


def _filled(text: str, told: Mapping[str, object]) -> str:
    # Not str.format of a text from outside: the texts are ours, the values are not.
    for name, value in told.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _body(body: Body, ended_by: Struck | None, at: Clock) -> Entry:
    """
    A body that was cut off lasts until the fault that ended its process, if there is one.
    """
    again = f", execution {body.execution}" if body.execution > 1 else ""
    outcome = {None: "cut off", "ok": "ends well"}.get(body.outcome, "ends with an error")
    by = "" if ended_by is None else f" by #{ended_by.step} {ended_by.fault}"
    end_ns = body.ended_ns if ended_by is None else ended_by.applied_ns
    return Entry(
        at(body.started_ns),
        None if end_ns is None else at(end_ns),
        "body",
        (body.node,),
        body.activity,
        f"{body.activity} runs on {body.node} (task {body.task_id}{again}): {outcome}{by}",
        _joined(body.detail),
        bad=body.outcome != "ok",
    )


def _effect(effect: Effect, at_ns: int, nodes: Sequence[str], at: Clock) -> Entry:
    lane = effect.source if effect.source in nodes else STORE
    text = f"{effect.source} keeps the effect {effect.effect}"
    detail = _joined(f"key {effect.key}" if effect.key is not None else None, effect.attributes)
    return Entry(at(at_ns), at(at_ns), "effect", (lane,), effect.effect, text, detail)


def _afterwards(trace: Trace, at: Clock) -> Iterator[Entry]:
    """
    What was asked when everything had settled: the jobs that the scheduler holds, and what Dapr's API says.
    """
    for job in trace.jobs:
        if job.listed_ns is None:  # a broken record, which an invariant names
            continue
        when = at(job.listed_ns)
        yield Entry(
            when, when, "job", (SCHEDULER,), job.name, f"the scheduler still holds the job {job.name}", bad=True
        )
    if trace.reading is not None and trace.reading.answered_ns is not None:
        when, reading = at(trace.reading.answered_ns), trace.reading
        told = reading.status or "no status"
        text = f"{reading.node} is asked for its status: {told}"
        yield Entry(
            when, when, "reading", (reading.node,), f"API: {told}", text, _joined(reading.error), bad=not reading.status
        )


def _joined(*parts: str | None) -> str:
    return words.shortened("; ".join(part for part in parts if part), _MOST_LETTERS)
