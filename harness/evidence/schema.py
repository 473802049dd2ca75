"""
The evidence tables, column by column: the contract between collectors, checkers and reports.

Every table is one Parquet file, `evidence/<table>.parquet`. Times are integer nanoseconds since the
epoch, UTC. A column is (name, DuckDB type, meaning); NULL is allowed only where the meaning says so. A column that
came `later` is missing in files of older versions; they are read as if it were NULL there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """
    One column: its name, its DuckDB type, and what it means (with its unit).
    """

    name: str
    type: str
    meaning: str
    later: bool = False


@dataclass(frozen=True)
class Table:
    """
    One evidence table: its name, what one row is, and its columns in order.
    """

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def types(self) -> dict[str, str]:
        """
        Column name -> DuckDB type, in order.
        """
        return {column.name: column.type for column in self.columns}


_INSTANCE = Column("instance_id", "VARCHAR", "the workflow instance this row speaks of")

OPERATIONS = Table(
    "operations",
    "one client call: invoked, then ok, fail or unknown",
    (
        Column("op_id", "VARCHAR", "unique within the run"),
        _INSTANCE,
        Column("workflow", "VARCHAR", "name of the workflow that was asked for"),
        Column("kind", "VARCHAR", "kind of start, as target.yaml names it"),
        Column("client", "VARCHAR", "who called: `canary`, or the load generator's process"),
        Column("node", "VARCHAR", "app replica that was called"),
        Column("try", "INTEGER", "1 for the first try of this instance id, 2 for its retry, ..."),
        Column("intended_ns", "BIGINT", "when the arrival schedule wanted the call sent"),
        Column("invoked_ns", "BIGINT", "when it was sent"),
        Column("completed_ns", "BIGINT", "when the answer or error came; NULL if none ever came"),
        Column(
            "outcome",
            "VARCHAR",
            "`ok` accepted, `fail` clearly refused, `unknown` anything else (time-out, reset, 5xx)",
        ),
        Column("status", "INTEGER", "HTTP status; NULL when there was no answer"),
        Column("detail", "VARCHAR", "the error in words; NULL when ok"),
    ),
)

ATTEMPTS = Table(
    "attempts",
    "one execution of an activity's body, as the target wrote it down",
    (
        _INSTANCE,
        Column("activity", "VARCHAR", "registered (versioned) activity name"),
        Column("task_id", "INTEGER", "the engine's task id of this execution"),
        Column("attempt_id", "VARCHAR", "unique per execution"),
        Column("node", "VARCHAR", "app replica that executed it"),
        Column("started_ns", "BIGINT", "start of the body"),
        Column("ended_ns", "BIGINT", "end of the body; NULL when it was cut off"),
        Column("outcome", "VARCHAR", "`ok`, `error`, or NULL when it was cut off"),
        Column("detail", "VARCHAR", "the error in words; NULL when ok or cut off"),
    ),
)

EFFECTS = Table(
    "effects",
    "one change that the outside world kept",
    (
        _INSTANCE,
        Column("effect", "VARCHAR", "name, as target.yaml declares it in its pairs"),
        Column("key", "VARCHAR", "the activity's idempotency key, as the ledger holds it"),
        Column("at_ns", "BIGINT", "when it was committed, by the ledger's clock"),
        Column("source", "VARCHAR", "the ledger it was read from: a service node or a state key"),
        Column("position", "BIGINT", "order of commit within its source, from 0"),
        Column(
            "attributes",
            "VARCHAR",
            "JSON object: anything else the ledger says (for the target's own invariants)",
        ),
    ),
)

INSTANCES = Table(
    "instances",
    "one workflow instance that the engine stored",
    (
        _INSTANCE,
        Column("workflow", "VARCHAR", "name, from its executionStarted event; NULL if that is missing"),
        Column("status", "VARCHAR", "COMPLETED, FAILED, TERMINATED, RUNNING, PENDING or SUSPENDED"),
        Column(
            "outcome",
            "VARCHAR",
            "what the workflow's output says of itself, at target.yaml's `outcome` field; NULL if none",
        ),
        Column("output", "VARCHAR", "the workflow's output, JSON; NULL if it has none"),
        Column("created_ns", "BIGINT", "time of executionStarted; NULL if that is missing"),
        Column("completed_ns", "BIGINT", "time of executionCompleted; NULL while it runs"),
        Column("generation", "BIGINT", "metadata.generation: grows with each restart of the id"),
        Column("history_length", "BIGINT", "metadata.historyLength"),
        Column("history_rows", "BIGINT", "history rows found in the store"),
        Column("inbox_length", "BIGINT", "metadata.inboxLength"),
        Column("inbox_rows", "BIGINT", "inbox rows found in the store"),
    ),
)

HISTORY = Table(
    "history",
    "one event of the engine's own history, decoded from the state store",
    (
        _INSTANCE,
        Column("position", "INTEGER", "number in the row's key: history-000003 is 3"),
        Column("event_id", "INTEGER", "durabletask eventId (-1 where the engine gives none)"),
        Column("event", "VARCHAR", "durabletask event type: executionStarted, taskScheduled, taskCompleted, ..."),
        Column("at_ns", "BIGINT", "the event's timestamp"),
        Column("name", "VARCHAR", "activity, workflow or event name, where the event has one; else NULL"),
        Column(
            "task_id",
            "INTEGER",
            "the task or timer it belongs to: eventId of a scheduling event, taskScheduledId or timerId of a "
            "completing one; else NULL",
        ),
        Column(
            "call_id",
            "INTEGER",
            "of a task, and of the timer before a retry: the task that was the first try of the same call of an "
            "activity (by taskExecutionId); NULL where the SDK gives none, and of other events",
            later=True,
        ),
        Column(
            "fire_at_ns", "BIGINT", "when a timer is to fire, of timerCreated and timerFired; else NULL", later=True
        ),
        Column("payload", "VARCHAR", "input or result, JSON as stored; else NULL"),
        Column("error", "VARCHAR", "failure in words; else NULL"),
    ),
)

READINGS = Table(
    "readings",
    "one instance as Dapr's workflow API told of it, after everything had settled; of more than 3,000 a sample",
    (
        _INSTANCE,
        Column("node", "VARCHAR", "sidecar that was asked, the last one if several were"),
        Column("asked_ns", "BIGINT", "when it was asked"),
        Column("answered_ns", "BIGINT", "when it answered or failed; NULL if there was no time left to ask"),
        Column("status", "VARCHAR", "runtimeStatus; NULL if Dapr knows no such instance, or did not answer"),
        Column("workflow", "VARCHAR", "workflowName; NULL as above, and while nothing of it has run"),
        Column("output", "VARCHAR", "the workflow's output, JSON; NULL if it has none"),
        Column("created_ns", "BIGINT", "createdAt; NULL as workflow"),
        Column("updated_ns", "BIGINT", "lastUpdatedAt, the time of the last history event; NULL as workflow"),
        Column("error", "VARCHAR", "why there is no reading, in words; NULL if there is one"),
    ),
)

JOBS = Table(
    "jobs",
    "one job that the scheduler still holds for a workflow or an activity, after everything had settled",
    (
        _INSTANCE,
        Column("kind", "VARCHAR", "`workflow` or `activity`: whom it would wake"),
        Column("name", "VARCHAR", "of the reminder: run-activity, start-..., new-event-..., timer-..."),
        Column("task_id", "INTEGER", "the task that it would run; NULL of a workflow's"),
        Column("listed_ns", "BIGINT", "when the scheduler was asked"),
    ),
)

FAULTS = Table(
    "faults",
    "one fault on one node",
    (
        Column("step", "INTEGER", "step of the plan, from 0"),
        Column("fault", "VARCHAR", "kind of fault: kill, latency, ..."),
        Column("node", "VARCHAR", "the node or link that was hit"),
        Column("planned_ns", "BIGINT", "when the plan wanted it"),
        Column("begun_ns", "BIGINT", "when the harness began to apply it; NULL if it never did", later=True),
        Column("applied_ns", "BIGINT", "when it was in force; NULL if it never was"),
        Column("felt_ns", "BIGINT", "when it was proved; NULL if it was not"),
        Column("healed_ns", "BIGINT", "when it was undone and proved clean; NULL if it was not"),
        Column("proof", "VARCHAR", "JSON object: what proves it, or why it could not be proved"),
    ),
)

PHASES = Table(
    "phases",
    "one phase of the run",
    (
        Column("phase", "VARCHAR", "up, load, heal, settle, collect"),
        Column("started_ns", "BIGINT", "start of the phase"),
        Column("ended_ns", "BIGINT", "end of the phase; NULL if the run died in it"),
        Column("detail", "VARCHAR", "why it was cut short; NULL if it ran its course"),
    ),
)

SAMPLES = Table(
    "samples",
    "one reading of one node while the run went on",
    (
        Column("at_ns", "BIGINT", "when it was read"),
        Column("node", "VARCHAR", "the node; `engine` for counts over all instances"),
        Column("metric", "VARCHAR", "cpu_percent (of one core), rss_bytes, in_flight (instances)"),
        Column("value", "DOUBLE", "the reading"),
    ),
)

JOURNALS = Table(
    "journals",
    "one journal that the tables above were made from",
    (
        Column("file", "VARCHAR", "its name in `journal/`"),
        Column("bytes", "BIGINT", "its size"),
        Column("torn", "BIGINT", "lines that a killed writer tore: they lack their end, and were passed over"),
    ),
)

TABLES = (OPERATIONS, ATTEMPTS, EFFECTS, INSTANCES, HISTORY, READINGS, JOBS, FAULTS, PHASES, SAMPLES, JOURNALS)
