"""A small workflow in code, and the history of one of its instances."""

from datetime import timedelta

from dapr.ext.workflow import RetryPolicy, when_all

SECOND = 1_000_000_000
TWICE = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=2)


def trip(ctx, given):
    """A workflow with a task, two at once, a wait, and an end."""
    seat = yield ctx.call_activity("book", input=given, retry_policy=TWICE)
    prices = yield when_all([ctx.call_activity("price", input={"seat": seat, "by": by}) for by in ("rail", "bus")])
    yield ctx.create_timer(timedelta(seconds=5))
    return {"seat": seat, "price": min(prices)}


def row(event, task_id=None, **more):
    return {
        "instance_id": "trip-1",
        "event_id": task_id,
        "event": event,
        "at_ns": SECOND,
        "name": None,
        "task_id": task_id,
        "call_id": None,
        "fire_at_ns": None,
        "payload": None,
        "error": None,
    } | more


def scheduled(number, name, payload):
    return row("taskScheduled", number, name=name, payload=payload)


def began():
    return row("workflowStarted", event_id=-1)


def trip_rows():
    """The history of one trip whose first booking failed, as Dapr 1.18 stores it."""
    rows = [
        began(),
        row("executionStarted", name="trip", payload='{"to": "Rome"}'),
        scheduled(1, "book", '{"to": "Rome"}'),
        began(),
        row("taskFailed", 1, error="OSError: full"),
        row("timerCreated", 2, fire_at_ns=2 * SECOND),
        began(),
        row("timerFired", 2, fire_at_ns=2 * SECOND),
        scheduled(3, "book", '{"to": "Rome"}'),
        began(),
        row("taskCompleted", 3, payload='"12a"'),
        scheduled(4, "price", '{"seat": "12a", "by": "rail"}'),
        scheduled(5, "price", '{"by":"bus","seat":"12a"}'),
        began(),
        row("taskCompleted", 5, payload="30"),
        began(),
        row("taskCompleted", 4, payload="40"),
        row("timerCreated", 6, fire_at_ns=6 * SECOND),
        began(),
        row("timerFired", 6, fire_at_ns=6 * SECOND),
        row("executionCompleted", event_id=7, payload='{"seat": "12a", "price": 30}'),
    ]
    return [each | {"position": position} for position, each in enumerate(rows)]
