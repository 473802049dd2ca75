"""
What stands of one instance when the run is over, what its evidence excludes as a cause, and what would mend it.

A pure function of a trace and of what the target declares. It says only what the evidence shows. Where a table is
missing, or the evidence does not decide, the answer is "cannot be told".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.checkers import signs
from harness.checkers.signs import Sign
from harness.checkers.telling import Telling
from harness.checkers.traces import Trace
from harness.model import Target

TERMINAL = ("COMPLETED", "FAILED", "TERMINATED", "CANCELED")
"""The statuses in which a workflow has ended."""


_NOT_THERE = "The engine has no such instance."


class Answer(StrEnum):
    """
    Is it safe to do it now?
    """

    SAFE = "safe"
    NOT_SAFE = "not safe"
    NEEDLESS = "nothing to do"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Remedy:
    """
    One thing that an operator may do with an instance, whether it is safe, and why.
    """

    action: str
    answer: Answer
    why: str


@dataclass(frozen=True)
class Pair:
    """
    What the ledgers have of a pair of effects. `keys` are those of the forward effects. `due` is how many should stand
    by the instance's own end; None if that is not decided.
    """

    forward: str
    compensation: str
    forwards: int
    compensations: int
    keys: tuple[str, ...]
    due: int | None

    @property
    def left(self) -> int:
        """
        How many forward effects have no compensation; below 0 if there are more compensations.
        """
        return self.forwards - self.compensations


@dataclass(frozen=True)
class Standing:
    """
    The answer about one instance, in sentences.

    stands: what the engine and the outside world have of it now.
    seen: what the evidence shows that may belong to the cause.
    excluded: what the evidence shows not to be the cause.
    mends: what would put it right by hand.
    remedies: whether to terminate, purge or run it again is safe.
    """

    stands: tuple[str, ...]
    seen: tuple[str, ...]
    excluded: tuple[str, ...]
    mends: tuple[str, ...]
    remedies: tuple[Remedy, ...]


def of(trace: Trace, target: Target, telling: Telling) -> Standing:
    """
    Return what stands of an instance and what would mend it.
    """
    found = tuple(signs.of(trace, telling))
    pairs = tuple(_pairs(trace, target))
    return Standing(
        stands=(_engine(trace, telling), *_world(trace, pairs)),
        seen=tuple(sign.text for sign in found if not sign.excludes),
        excluded=tuple(sign.text for sign in found if sign.excludes),
        mends=tuple(_mends(trace, pairs, found)),
        remedies=(
            _remedy("terminate", _terminate(trace, pairs, found)),
            _remedy("purge", _purge(trace, pairs, found)),
            _remedy("run again", _again(trace, pairs, found)),
        ),
    )


def _alive(trace: Trace) -> bool:
    return trace.stored is not None and trace.stored.status not in TERMINAL


def _pairs(trace: Trace, target: Target) -> Iterator[Pair]:
    due = _due(trace, target)
    for pair in target.effects:
        forwards = [effect for effect in trace.effects if effect.effect == pair.forward]
        yield Pair(
            pair.forward,
            pair.compensation or f"an undoing of {pair.forward}",
            forwards=len(forwards),
            compensations=sum(effect.effect == pair.compensation for effect in trace.effects),
            keys=tuple(dict.fromkeys(effect.key for effect in forwards if effect.key)),
            due=due.get(pair.forward),
        )


def _due(trace: Trace, target: Target) -> Mapping[str, int]:
    """
    Return how often each forward effect should stand, as far as the instance's end decides it.
    """
    workflow = target.workflows.get(trace.stored.workflow or "") if trace.stored is not None else None
    if workflow is None or trace.stored is None:
        return {}
    meaning = workflow.meaning(trace.stored.status, trace.stored.outcome)
    if meaning is None:
        return {}
    if meaning.ends == "completed":
        return {pair.forward: int(pair.forward in meaning.effects) for pair in target.effects}
    undone = (pair for pair in target.effects if pair.compensation is not None or meaning.ends == "rejected")
    return {pair.forward: 0 for pair in undone}


def _engine(trace: Trace, telling: Telling) -> str:
    if "instances" in trace.missing:
        return f"What the engine has of it cannot be told: {trace.missing['instances']}."
    if trace.stored is None:
        return _NOT_THERE
    if _alive(trace):
        last = f"; its last event is of {telling.at(trace.events[-1].at_ns)}" if trace.events else ""
        return f"The engine has it as {trace.stored.status}: it has not ended{last}."
    outcome = f", with the outcome {trace.stored.outcome}" if trace.stored.outcome else ""
    return f"The engine ended it as {trace.stored.status} at {telling.at(trace.stored.completed_ns)}{outcome}."


def _world(trace: Trace, pairs: tuple[Pair, ...]) -> Iterator[str]:
    if "effects" in trace.missing:
        yield f"What the outside world has of it cannot be told: {trace.missing['effects']}."
        return
    if not trace.effects:
        yield "The outside world has nothing of it."
    for pair in pairs:
        if not pair.forwards and not pair.compensations:
            continue
        told = f"{pair.forward} was made {_times(pair.forwards)}, {pair.compensation} {_times(pair.compensations)}"
        if pair.left < 0:
            yield f"{told}: compensated more than was made."
        elif pair.left == 0:
            yield f"{told}: nothing of it stands."
        else:
            stand = "1 stands" if pair.left == 1 else f"{pair.left:,} stand"
            yield f"{told}: {stand}{_due_is(pair)}."


def _due_is(pair: Pair) -> str:
    if pair.due is None:
        return f" without {pair.compensation}"
    return ", as its outcome says" if pair.left == pair.due else f", and by its outcome {pair.due} should"


def _mends(trace: Trace, pairs: tuple[Pair, ...], found: tuple[Sign, ...]) -> Iterator[str]:
    if "effects" in trace.missing or "instances" in trace.missing:
        yield "What would mend it cannot be told: the evidence is not all there."
        return
    if _alive(trace):
        yield from _mends_of_open(trace, pairs, found)
        return
    undecided = [pair for pair in pairs if pair.due is None and pair.left > 0]
    for pair in pairs:
        if pair.left < 0:
            yield f"Ask why {pair.compensation} was made without {pair.forward}; what it took back may be another's."
        elif pair.due is not None and pair.left > pair.due:
            yield f"Make {pair.compensation} {_times(pair.left - pair.due)} by hand{_keyed(pair)}."
        elif pair.due is not None and pair.left < pair.due:
            yield f"Make {pair.forward} by hand: the outcome promises it, and it does not stand."
    for pair in undecided:
        undo = f"make {pair.compensation} {_times(pair.left)} by hand{_keyed(pair)}"
        yield f"Decide whether {pair.forward} shall stand; if not, {undo}."
    if trace.stored is None and any(call.outcome == "ok" for call in trace.calls):
        yield "The client was told that it is accepted: tell the client, or start it again."


def _mends_of_open(trace: Trace, pairs: tuple[Pair, ...], found: tuple[Sign, ...]) -> Iterator[str]:
    standing = [pair for pair in pairs if pair.left > 0]
    if "jobs" in trace.missing:
        yield f"Whether it still goes on by itself cannot be told: {trace.missing['jobs']}."
    elif not trace.jobs:
        yield "Nothing that the evidence shows will wake it again."
    elif any(sign.unloadable for sign in found):
        yield "The scheduler holds what wakes it, but the engine may not be able to load it: waiting may not help."
    else:
        yield "It may still go on by itself, because the scheduler holds what wakes it: wait before you do anything."
    if standing:
        names = ", ".join(pair.compensation for pair in standing)
        yield f"If it is ended by hand, make {names} by hand, too: a workflow that is terminated compensates nothing."


Reasons = Iterator[tuple[Answer, str]]
"""Answers about one remedy, each with its reason. The first is the answer."""


def _remedy(action: str, reasons: Reasons) -> Remedy:
    return Remedy(action, *next(reasons))


def _terminate(trace: Trace, pairs: tuple[Pair, ...], found: tuple[Sign, ...]) -> Reasons:
    yield from _untold(trace, "instances")
    if trace.stored is None:
        yield Answer.NEEDLESS, _NOT_THERE
    if not _alive(trace):
        yield Answer.NEEDLESS, "It has ended."
    if standing := _standing(pairs):
        yield Answer.NOT_SAFE, f"{standing} would stand for ever: a workflow that is terminated compensates nothing."
    yield from _may_run(found)
    yield from _untold(trace, "effects", "attempts", "jobs")
    for sign in found:
        if sign.unloadable:
            yield Answer.UNTOLD, f"The engine may not be able to load it. {sign.text}"
    yield Answer.SAFE, "No effect of it stands, and no body of it can still run."


def _purge(trace: Trace, pairs: tuple[Pair, ...], found: tuple[Sign, ...]) -> Reasons:
    yield from _untold(trace, "instances")
    if trace.stored is None:
        yield Answer.NEEDLESS, _NOT_THERE
    if _alive(trace):
        yield Answer.NOT_SAFE, "It has not ended. Its history is the only record of how far it came."
    if any(pair.left != (pair.due or 0) for pair in pairs):
        yield Answer.NOT_SAFE, "First mend its effects: its history is the record of what was made."
    yield from _may_run(found)
    yield from _untold(trace, "effects", "attempts", "jobs")
    if trace.jobs:
        yield Answer.NOT_SAFE, "The scheduler holds a job for it, which would wake what is no longer there."
    yield Answer.SAFE, "It has ended, its effects are as its end says, and nothing would wake it."


def _again(trace: Trace, pairs: tuple[Pair, ...], found: tuple[Sign, ...]) -> Reasons:
    if standing := _standing(pairs):
        yield Answer.NOT_SAFE, f"{standing} would be made again, unless its service refuses a key that it has seen."
    yield from _untold(trace, "instances")
    if _alive(trace):
        yield Answer.NOT_SAFE, "It has not ended: it may still go on, and two would do the same work."
    yield from _may_run(found)
    yield from _untold(trace, "effects", "attempts", "jobs")
    if trace.jobs:
        yield Answer.NOT_SAFE, "The scheduler holds a job for it, which may still run something."
    if not trace.settled:
        yield Answer.UNTOLD, "The run did not wait until everything had settled."
    yield Answer.SAFE, "No effect of it stands, and nothing of it can still run."


def _standing(pairs: tuple[Pair, ...]) -> str:
    return " and ".join(pair.forward for pair in pairs if pair.left > 0)


def _may_run(found: tuple[Sign, ...]) -> Reasons:
    """
    Answers that say why an effect of the instance may still come.
    """
    for sign in found:
        if sign.may_run:
            yield Answer.NOT_SAFE, f"An effect may still come. {sign.text}"


def _untold(trace: Trace, *tables: str) -> Reasons:
    """
    Answers that say which of these tables is missing.
    """
    for table in tables:
        if reason := trace.missing.get(table):
            yield Answer.UNTOLD, f"{reason[:1].upper()}{reason[1:]}."


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number:,} times")


def _keyed(pair: Pair) -> str:
    return (
        f" ({pair.forward} has the {'key' if len(pair.keys) == 1 else 'keys'} {', '.join(pair.keys)})"
        if pair.keys
        else ""
    )
