"""
The evidence tables, column by column: the contract between collectors, checkers and reports.

Every table is one Parquet file, `evidence/<table>.parquet`. Times are integer nanoseconds since the epoch, UTC.

A column is (name, DuckDB type, meaning). NULL is allowed only where the meaning says so, and numbers are within a
range. A column with `later` is missing in the files of older versions; the reader then gives NULL for it.

Longer than most modules, because it is a list of columns and nothing else.
"""

from __future__ import annotations

from harness.evidence.columns import Column, Free, Table

_WORDS = (Free("words of another program, for people", ("blank", "foreign", "swapped"), harmless=True),)
_ANY_NAME = (Free("any name that is there once", ("foreign", "swapped"), harmless=True),)
_OWN = (Free("made by the application, whose own invariants judge it"),)
_LISTED = Free("a list of files, which the manifest has with their digests")
_ANY_REPLICA = Free("any replica may execute any task; a tap knows which one did", ("swapped",))
_ANY_SIDECAR = Free("any sidecar may be asked for any instance", ("swapped",))
_LAST_ID = Free("an end has the highest id, and any that is higher will do", ("negative", "more"))
_TOGETHER = Free("the nodes of one step are hit at almost the same time", ("swapped",))
_NAMED = Free("some SDKs name their timers", ("blank", "foreign"), harmless=True)
_RESTARTED = Free("each unanswered try of a start may have restarted it", ("more",))
_ANY_OWNER = Free("any sidecar may execute any turn", ("swapped",))
_AGAIN = Free("a turn that was not saved is executed again, so a history's place may be told of twice", ("swapped",))
_ALIKE = (Free("instances whose histories have one shape have the same turns", ("swapped",)),)
_LATER = Free("a turn may be executed long after the one before it", ("swapped",))
_TOLD = (
    Free(
        "told for people: what counts is whether both ordered the same", ("blank", "foreign", "swapped"), harmless=True
    ),
)
_A_SHARE = (Free("a turn counts if it was executed twice; how many are is a matter of chance", ("gone",)),)
_IN_ATTEMPTS = (Free("judged in `attempts`, which is made of these rows where the application writes none of its own"),)
_OF_SDK = (Free("an id that not every SDK gives, so nothing is judged by it"),)
_SEEN = (Free("a call of the application, which nobody but the harness saw"),)
_MEASURED = Free("a measurement for charts, which nothing else measured")

_NO_END = Free("a call that got an error and one of which no end was written down are both unknown", ("empty",))
_NO_STATUS = Free(
    "no status, and one that means neither yes nor no, mean the same: unknown", ("empty", "more"), harmless=True
)

_INSTANCE = Column("instance_id", "VARCHAR", "the workflow instance that this row is about")

OPERATIONS = Table(
    "operations",
    "one client call: invoked, then ok, fail or unknown",
    (
        Column("op_id", "VARCHAR", "unique within the run"),
        _INSTANCE,
        Column("workflow", "VARCHAR", "name of the workflow that was asked for"),
        Column("kind", "VARCHAR", "kind of start, as target.yaml names it"),
        Column("client", "VARCHAR", "the caller: `canary`, or the process of the load generator"),
        Column("node", "VARCHAR", "the app replica that was called"),
        Column("try", "INTEGER", "1 for the first try of this instance id, 2 for its retry, ...", least=1),
        Column("intended_ns", "BIGINT", "when the call was due by the arrival schedule"),
        Column("invoked_ns", "BIGINT", "when it was sent"),
        Column(
            "completed_ns",
            "BIGINT",
            "when the answer or the error came; NULL if neither came",
            free=(_NO_END,),
        ),
        Column(
            "outcome",
            "VARCHAR",
            "`ok` accepted, `fail` clearly refused, `unknown` anything else (time-out, reset, 5xx)",
        ),
        Column(
            "status",
            "INTEGER",
            "HTTP status; NULL if there was no answer",
            free=(_NO_STATUS,),
            least=100,
            most=599,
        ),
        Column("detail", "VARCHAR", "the error in words; NULL if ok", free=_WORDS),
    ),
)

REQUESTS = Table(
    "requests",
    "one request of a client to an instance after its start: invoked, then ok, fail or unknown; none if the load has "
    "none",
    (
        Column("request_id", "VARCHAR", "unique within the run"),
        _INSTANCE,
        Column("number", "INTEGER", "1 for the first request to this instance, 2 for the next, ...", least=1),
        Column(
            "operation",
            "VARCHAR",
            "the operation of Dapr's workflow API: `raiseEvent`, `pause`, `resume`, `terminate`, `purge`, `get` or "
            "`start` (again, under the same id)",
        ),
        Column("name", "VARCHAR", "of `raiseEvent`: name of the event; NULL for the others"),
        Column("payload", "VARCHAR", "of `raiseEvent` and `start`: what was sent, JSON; NULL for the others"),
        Column("client", "VARCHAR", "the caller: the process of the load generator"),
        Column("node", "VARCHAR", "the sidecar that was called"),
        Column("intended_ns", "BIGINT", "when it was due"),
        Column("invoked_ns", "BIGINT", "when it was sent: not before the start was answered"),
        Column(
            "completed_ns",
            "BIGINT",
            "when the answer or the error came; NULL if neither came",
            free=(_NO_END,),
        ),
        Column(
            "outcome",
            "VARCHAR",
            "`ok` accepted, `fail` clearly refused, `unknown` anything else (time-out, reset, 5xx)",
        ),
        Column(
            "status", "INTEGER", "HTTP status; NULL if there was no answer", free=(_NO_STATUS,), least=100, most=599
        ),
        Column("detail", "VARCHAR", "the error in words; NULL if ok", free=_WORDS),
        Column(
            "runtime_status",
            "VARCHAR",
            "of `get`: the status of the instance, as the answer says it (`runtimeStatus`); NULL for the others, and "
            "if the outcome is not ok",
            later=True,
        ),
    ),
)

ATTEMPTS = Table(
    "attempts",
    "one execution of an activity: of its body, as the target wrote it down; if it did not, a delivery by the tap",
    (
        _INSTANCE,
        Column("activity", "VARCHAR", "registered (versioned) activity name"),
        Column("task_id", "INTEGER", "the engine's task id of this execution"),
        Column("attempt_id", "VARCHAR", "unique per execution", free=_ANY_NAME),
        Column("node", "VARCHAR", "the app replica that executed it", free=(_ANY_REPLICA,)),
        Column("started_ns", "BIGINT", "start of the body"),
        Column("ended_ns", "BIGINT", "end of the body; NULL if it was cut off"),
        Column("outcome", "VARCHAR", "`ok`, `error`, or NULL if it was cut off"),
        Column("detail", "VARCHAR", "the error in words; NULL if ok or cut off", free=_WORDS),
    ),
)

DELIVERIES = Table(
    "deliveries",
    "one activity task that a sidecar handed to its app, as the tap saw it; none without a tap",
    (
        _INSTANCE,
        Column("activity", "VARCHAR", "registered (versioned) activity name"),
        Column("task_id", "INTEGER", "the engine's task id"),
        Column("execution_id", "VARCHAR", "the taskExecutionId of the task; NULL if the SDK gives none", free=_OF_SDK),
        Column("attempt_id", "VARCHAR", "unique per delivery: the app, and the number of the delivery", free=_ANY_NAME),
        Column("node", "VARCHAR", "the app replica that got it"),
        Column("delivered_ns", "BIGINT", "when its last byte passed the tap on the way to the app", free=_IN_ATTEMPTS),
        Column(
            "completed_ns", "BIGINT", "when the answer's last byte passed the tap; NULL if none came", free=_IN_ATTEMPTS
        ),
        Column("outcome", "VARCHAR", "`ok`, `error`, or NULL if no answer came", free=_IN_ATTEMPTS),
        Column("detail", "VARCHAR", "the error in words; NULL if ok or no answer came", free=_WORDS),
        Column(
            "cut_ns",
            "BIGINT",
            "when the stream that brought it ended before its answer; NULL if the answer came first",
            free=_IN_ATTEMPTS,
        ),
        Column(
            "sdk",
            "VARCHAR",
            "what the app's worker calls itself (user-agent); NULL if it does not say",
            later=True,
            free=(Free("a name that is shown, and by which nothing is judged"),),
        ),
    ),
)

API_CALLS = Table(
    "api_calls",
    "one key, topic or method that an app touched by a call to Dapr's API by gRPC, as the tap saw it; none without one",
    (
        Column("call_id", "VARCHAR", "unique per call: the app, and the number of the call", free=_ANY_NAME),
        Column("position", "INTEGER", "number of the key in its call, from 0"),
        Column("node", "VARCHAR", "the app replica that called", free=_SEEN),
        Column(
            "connection",
            "VARCHAR",
            "the connection on which it came: the life of the sidecar, and a number",
            later=True,
            free=_SEEN,
        ),
        Column(
            "method", "VARCHAR", "the method of dapr.proto.runtime.v1.Dapr: GetState, PublishEvent, ...", free=_SEEN
        ),
        Column(
            "operation",
            "VARCHAR",
            "`get`, `save` or `delete` of state; `publish`; `invoke` of a service; `bind` of a binding; else NULL",
            free=_SEEN,
        ),
        Column(
            "component",
            "VARCHAR",
            "the state store, pub/sub or binding component, or the app id; NULL for others",
            free=_SEEN,
        ),
        Column("key", "VARCHAR", "the state key, the topic, or the method or operation; NULL for others", free=_SEEN),
        Column(
            "etag",
            "VARCHAR",
            "of a get: the etag of the answer; of a save or delete: the one that was sent; else NULL",
            free=_SEEN,
        ),
        Column(
            "guarded",
            "BOOLEAN",
            "of a save or delete: whether it is refused if somebody else has saved meanwhile (an etag, or a first "
            "write); else NULL",
            later=True,
            free=_SEEN,
        ),
        Column("called_ns", "BIGINT", "when the request's last byte passed the tap", free=_SEEN),
        Column("answered_ns", "BIGINT", "when the answer ended; NULL if none came", free=_SEEN),
        Column("status", "INTEGER", "gRPC status, 0 for OK; NULL if no answer came", free=_SEEN),
    ),
    free=_SEEN,
)

TURNS = Table(
    "turns",
    "one workflow turn that was executed twice; none if the scenario does not ask for it",
    (
        Column("instance_id", "VARCHAR", _INSTANCE.meaning, free=_ALIKE),
        Column("node", "VARCHAR", "the sidecar whose turn it is", free=(_ANY_OWNER,)),
        Column(
            "other",
            "VARCHAR",
            "the sidecar whose app executed it the second time; NULL if an answer is missing",
            free=(_ANY_OWNER,),
        ),
        Column("past", "INTEGER", "how many events the turn knew", free=(_AGAIN,)),
        Column("new", "INTEGER", "how many events the turn took in", free=(_AGAIN,)),
        Column("same", "BOOLEAN", "whether both ordered the same; NULL if one of the two gave no answer in 20 s"),
        Column("difference", "VARCHAR", "the first difference, in words; NULL if both ordered the same", free=_TOLD),
        Column(
            "first", "VARCHAR", "what only the first execution ordered, JSON; NULL if both ordered the same", free=_TOLD
        ),
        Column(
            "second",
            "VARCHAR",
            "what only the second execution ordered, JSON; NULL if both ordered the same",
            free=_TOLD,
        ),
        Column("turned_ns", "BIGINT", "when both answers were there", free=(_LATER,)),
    ),
    free=_A_SHARE,
)

EFFECTS = Table(
    "effects",
    "one change that the outside world kept",
    (
        _INSTANCE,
        Column("effect", "VARCHAR", "name of the effect, as target.yaml declares it"),
        Column("key", "VARCHAR", "the activity's idempotency key; NULL if its ledger has none", free=_OWN),
        Column("at_ns", "BIGINT", "when it was committed, by the ledger's clock; NULL if its ledger has no times"),
        Column(
            "source",
            "VARCHAR",
            "the ledger from which it was read: a service node, a state key, or `sql-` and its number",
        ),
        Column("position", "BIGINT", "order of commit within its source, from 0"),
        Column(
            "attributes",
            "VARCHAR",
            "JSON object: everything else that the ledger says (for the target's own invariants)",
            free=_OWN,
        ),
    ),
)

UNANSWERED = Table(
    "unanswered",
    "one effect of a call that was not answered well, so that nobody knows from the call whether it happened; none if "
    "the target has no ledger that is made of calls",
    (
        _INSTANCE,
        Column("effect", "VARCHAR", "name of the effect, as target.yaml declares it"),
        Column("key", "VARCHAR", "the idempotency key of the call; NULL if its ledger has none", free=_OWN),
        Column("source", "VARCHAR", "the ledger to which the call belongs"),
        Column("called_ns", "BIGINT", "when the call was made", free=_SEEN),
        Column("detail", "VARCHAR", "what came in place of an answer, in words", free=_WORDS),
        Column("kept", "BOOLEAN", "what the ledger that settles it says; NULL if no other ledger can tell", free=_SEEN),
    ),
    free=_SEEN,
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
            "the outcome that the workflow's output names, in the field `outcome` of target.yaml; NULL if none",
        ),
        Column("output", "VARCHAR", "the workflow's output, JSON; NULL if it has none"),
        Column("created_ns", "BIGINT", "time of executionStarted; NULL if that is missing"),
        Column("completed_ns", "BIGINT", "time of executionCompleted; NULL while it runs"),
        Column(
            "generation",
            "BIGINT",
            "metadata.generation: grows with each restart of the id",
            least=1,
            free=(_RESTARTED,),
        ),
        Column("history_length", "BIGINT", "metadata.historyLength"),
        Column("history_rows", "BIGINT", "history rows found in the store"),
        Column("inbox_length", "BIGINT", "metadata.inboxLength"),
        Column("inbox_rows", "BIGINT", "inbox rows found in the store"),
        Column("parent_id", "VARCHAR", "the instance that ordered it as its child; NULL if none did", later=True),
        Column(
            "root_id",
            "VARCHAR",
            "the instance at the head of its family, which has no parent; NULL if it is that itself",
            later=True,
        ),
    ),
)

HISTORY = Table(
    "history",
    "one event of the engine's own history, decoded from the state store",
    (
        _INSTANCE,
        Column("position", "INTEGER", "number in the row's key: history-000003 is 3"),
        Column(
            "event_id", "INTEGER", "durabletask eventId (-1 where the engine gives none)", least=-1, free=(_LAST_ID,)
        ),
        Column("event", "VARCHAR", "durabletask event type: executionStarted, taskScheduled, taskCompleted, ..."),
        Column("at_ns", "BIGINT", "the event's timestamp"),
        Column(
            "name", "VARCHAR", "name of the activity, workflow or event; NULL if the event has none", free=(_NAMED,)
        ),
        Column(
            "task_id",
            "INTEGER",
            "the task or timer to which the event belongs: eventId of a scheduling event, taskScheduledId or "
            "timerId of a completing event; else NULL",
        ),
        Column(
            "call_id",
            "INTEGER",
            "for a task, and for the timer before a retry: the task that was the first try of the same activity "
            "call (by taskExecutionId); NULL if the SDK gives none, and for other events",
            later=True,
            free=(Free("what the SDK does not give, and what no retry policy limits", ("empty", "zero", "more")),),
        ),
        Column(
            "fire_at_ns",
            "BIGINT",
            "for timerCreated and timerFired: when the timer is due, at most the year 2200, which is never; else NULL",
            later=True,
            free=(Free("after a crash a timer may be ordered anew, due at another time", ("less", "more", "swapped")),),
        ),
        Column("payload", "VARCHAR", "input or result, JSON as stored; NULL if the event has none", free=_OWN),
        Column(
            "error",
            "VARCHAR",
            "the failure in words, or why the engine stalled the instance; NULL if the event is neither",
            free=_WORDS,
        ),
        Column(
            "version",
            "VARCHAR",
            "of workflowStarted: the version of the workflow (Dapr's named versions) as which the turn was executed; "
            "NULL if it has none, and for other events",
            later=True,
            free=(Free("of a turn that is saved as two only the first has the version", ("empty",)),),
        ),
        Column(
            "patches",
            "VARCHAR",
            "of workflowStarted: JSON list of the patches that the turn was the first to apply; NULL if there are "
            "none, and for other events",
            later=True,
            free=_OWN,
        ),
    ),
)

READINGS = Table(
    "readings",
    "one instance as Dapr's workflow API reported it, after everything had settled; a sample of more than 3,000",
    (
        _INSTANCE,
        Column(
            "node", "VARCHAR", "the sidecar that was asked; the last one if several were asked", free=(_ANY_SIDECAR,)
        ),
        Column("asked_ns", "BIGINT", "when it was asked"),
        Column("answered_ns", "BIGINT", "when it answered or failed; NULL if there was no time left to ask"),
        Column("status", "VARCHAR", "runtimeStatus; NULL if Dapr knows no such instance, or did not answer"),
        Column("workflow", "VARCHAR", "workflowName; NULL as for status, and while nothing of the workflow has run"),
        Column("output", "VARCHAR", "the workflow's output, JSON; NULL if it has none"),
        Column("created_ns", "BIGINT", "createdAt; NULL as for workflow"),
        Column("updated_ns", "BIGINT", "lastUpdatedAt, the time of the last history event; NULL as for workflow"),
        Column("error", "VARCHAR", "in words, why there is no reading; NULL if there is one"),
    ),
)

JOBS = Table(
    "jobs",
    "one job that the scheduler still holds for a workflow or an activity, after everything had settled",
    (
        _INSTANCE,
        Column("kind", "VARCHAR", "what it would wake: `workflow` or `activity`"),
        Column("name", "VARCHAR", "name of the reminder: run-activity, start-..., new-event-..., timer-..."),
        Column("task_id", "INTEGER", "the task that it would run; NULL if `kind` is `workflow`"),
        Column("listed_ns", "BIGINT", "when the scheduler was asked"),
    ),
)

FAULTS = Table(
    "faults",
    "one fault on one node",
    (
        Column("step", "INTEGER", "number of the step in the plan, from 0; -1 if a node ended by itself", least=-1),
        Column("fault", "VARCHAR", "kind of fault: kill, latency, ...; `exit` if a node ended by itself"),
        Column("node", "VARCHAR", "the node or link that was hit", free=(_TOGETHER,)),
        Column("planned_ns", "BIGINT", "when it was planned; NULL if a node ended by itself"),
        Column(
            "begun_ns",
            "BIGINT",
            "when the harness began to apply it; NULL if it never did",
            later=True,
            free=(Free("older versions did not write it", ("empty",), harmless=True), _TOGETHER),
        ),
        Column("applied_ns", "BIGINT", "when it was in force; NULL if it never was"),
        Column("felt_ns", "BIGINT", "when it was proved; NULL if it was not", free=(_TOGETHER,)),
        Column("healed_ns", "BIGINT", "when it was undone and proved clean; NULL if it was not"),
        Column(
            "proof",
            "VARCHAR",
            "JSON object: what proves it, or why it could not be proved or healed",
            free=(Free("what proves one fault of a kind could prove another of that kind", ("swapped",)),),
        ),
    ),
)

PHASES = Table(
    "phases",
    "one phase of the run",
    (
        Column("phase", "VARCHAR", "up, load, heal, settle, collect"),
        Column(
            "started_ns",
            "BIGINT",
            "start of the phase",
            free=(Free("nothing is recorded before the first phase", ("less",)),),
        ),
        Column(
            "ended_ns",
            "BIGINT",
            "end of the phase; NULL if the run died in it",
            free=(
                Free("nothing is recorded after the last phase, and no verdict depends on its end", ("empty", "more")),
            ),
        ),
        Column("detail", "VARCHAR", "why it was cut short; NULL if it was not"),
    ),
)

SAMPLES = Table(
    "samples",
    "one reading of one node, or of what is around the nodes, during the run",
    (
        Column("at_ns", "BIGINT", "when it was read", free=(_MEASURED,)),
        Column(
            "node",
            "VARCHAR",
            "the node; `NODE.tap`: the tap before it; `machine`, `harness`, `generator` (what makes the load); "
            "`engine` for counts over all instances",
        ),
        Column(
            "metric",
            "VARCHAR",
            "cpu_percent (of one core), rss_bytes; in_flight (instances); of the machine: cores, iowait_percent (of "
            "one core)",
            free=(_MEASURED,),
        ),
        Column("value", "DOUBLE", "the reading", free=(_MEASURED,)),
    ),
    free=(_MEASURED,),
)

JOURNALS = Table(
    "journals",
    "one journal, or record of a tap, from which the tables above were made",
    (
        Column("file", "VARCHAR", "its name in `journal/` or `taps/`", free=(_LISTED,)),
        Column("bytes", "BIGINT", "its size", free=(_LISTED,)),
        Column(
            "torn",
            "BIGINT",
            "incomplete lines or chunks, left by a writer that was killed; the reader skipped them",
            free=(_LISTED,),
        ),
    ),
    free=(_LISTED,),
)

WORKERS = Table(
    "workers",
    "one worker of a load that several share; none if the load has one",
    (
        Column("client", "VARCHAR", "the process, as in `operations`"),
        Column("joined_ns", "BIGINT", "from when on it took part"),
        Column("lost_ns", "BIGINT", "when its process was known to have ended; NULL if it was not lost"),
        Column(
            "why",
            "VARCHAR",
            "how it was lost, in words; NULL if it was not",
            free=(Free("other words", ("foreign",), harmless=True),),
        ),
    ),
)

SHARES = Table(
    "shares",
    "one share of a load that a worker was given, of the starts from a number on, or one start of a lost worker",
    (
        Column("client", "VARCHAR", "the worker"),
        Column("given_ns", "BIGINT", "when it was given: all shares of one round at the same time"),
        Column("number", "BIGINT", "the first start, by its number in the schedule"),
        Column("part", "BIGINT", "it sends those whose number modulo `parts` is this"),
        Column("parts", "BIGINT", "the workers that were present", least=1),
        Column("lost", "VARCHAR", "the worker whose start `number` it takes over, that alone; NULL for a share"),
    ),
)

BALANCES = Table(
    "balances",
    "one number in the state store that effects move; none if the target declares no balances",
    (
        Column("balance", "VARCHAR", "name of the balance, as target.yaml declares it"),
        Column("key", "VARCHAR", "key of its document"),
        Column("began", "DOUBLE", "what it was at the start", least=-(10**15)),
        Column("ended", "DOUBLE", "what it was after everything had settled", least=-(10**15)),
    ),
)

MOVES = Table(
    "moves",
    "by how much an instance moves a balance if it completes, as its input says",
    (
        _INSTANCE,
        Column("balance", "VARCHAR", "name of the balance, as target.yaml declares it"),
        Column("key", "VARCHAR", "key of the document whose number it moves"),
        Column("amount", "DOUBLE", "by how much; less than 0 if it makes the number smaller", least=-(10**15)),
    ),
)

TABLES = (
    OPERATIONS,
    REQUESTS,
    WORKERS,
    SHARES,
    ATTEMPTS,
    DELIVERIES,
    API_CALLS,
    TURNS,
    EFFECTS,
    UNANSWERED,
    BALANCES,
    MOVES,
    INSTANCES,
    HISTORY,
    READINGS,
    JOBS,
    FAULTS,
    PHASES,
    SAMPLES,
    JOURNALS,
)

OF_TAP = (DELIVERIES, API_CALLS)
"""The tables that a run has only if its plan has a tap; `turns` only if that acts, too."""

OF_REQUESTS = (REQUESTS,)
"""The tables that a run has only if clients ask something of instances after their start."""

OF_SHARES = (WORKERS, SHARES)
"""The tables that a run has only if several workers share its load."""

OF_BALANCES = (BALANCES, MOVES)
"""The tables that a run has only if its target declares balances."""

OF_CALLS = (UNANSWERED,)
"""The tables that a run has only if its target has ledgers that are made of calls."""
