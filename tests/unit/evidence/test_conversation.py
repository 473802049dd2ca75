"""What taps recorded becomes deliveries, calls and attempts; where a chunk ends means nothing."""

import gzip
import itertools
from pathlib import Path

import duckdb
import pytest
from dapr.proto import api_v1 as dapr
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import EvidenceError
from harness.evidence import collect, conversation, http2, schema, tables
from harness.evidence.conversation import Underway, attempts
from harness.planning import target
from harness.rundir import RunDir
from harness.tap import record
from harness.tap.record import Chunk, What
from tests.builders.wire import WORK, Wire

RECORDED = Path(__file__).with_name("sidecar-0-000001.tap")
"""The first seconds of a run of the reference target: what one replica did of a canary's order and of two more."""
DAPR = "/dapr.proto.runtime.v1.Dapr"


def heard(folder, *lives):
    """The conversation of lives of one sidecar."""
    folder.mkdir(exist_ok=True)
    for wire in lives:
        wire.save(record.create(folder, "sidecar-1"))
    return conversation.read(folder)


def test_a_real_record_is_decoded(tmp_path):
    (tmp_path / RECORDED.name).write_bytes(RECORDED.read_bytes())

    found = conversation.read(tmp_path)

    assert [(row["instance_id"], row["activity"], row["task_id"]) for row in found.deliveries] == [
        ("canary-0", "reserve_stock_v1", 1),
        ("canary-0", "quote_v1", 2),
        ("canary-0", "quote_v1", 4),
        ("canary-1", "quote_v1", 2),
        ("canary-1", "quote_v1", 3),
        ("canary-1", "quote_v1", 4),
        ("canary-1", "register_shipment_v1", 5),
        ("refused-000001", "reserve_stock_v1", 1),
        ("plain-000002", "reserve_stock_v1", 1),
        ("plain-000002", "quote_v1", 2),
        ("plain-000002", "quote_v1", 3),
        ("refused-000001", "register_shipment_v1", 5),
    ]
    assert {row["outcome"] for row in found.deliveries} == {"ok"}
    first = found.deliveries[0]
    assert first["node"] == "app-0"
    assert first["attempt_id"] == "app-0#0"
    assert first["completed_ns"] > first["delivered_ns"]
    assert [(row["method"], row["key"], row["etag"], row["status"]) for row in found.api_calls[:2]] == [
        ("GetState", "stock-sku-24", None, 0),
        ("SaveState", "stock-sku-24", None, 0),
    ]


def test_a_real_record_of_another_language_is_decoded_and_says_which_sdk_spoke():
    found = conversation.read(RECORDED.parent / "go")

    assert [(row["instance_id"], row["activity"], row["task_id"], row.get("outcome")) for row in found.deliveries] == [
        ("canary-0", "quote_v1", 1, "ok"),
        ("canary-0", "register_shipment_v1", 4, "ok"),
        ("canary-1", "quote_v1", 1, "ok"),
        ("canary-1", "quote_v1", 3, "ok"),
        ("plain-000000", "reserve_stock_v1", 0, "ok"),
        ("scarce-000001", "reserve_stock_v1", 0, None),  # where the excerpt ends
    ]
    assert {row["sdk"] for row in found.deliveries} == {"dapr-sdk-go/v1.15.0 grpc-go/1.80.0"}
    assert [(row["method"], row["key"]) for row in found.api_calls] == [
        ("GetState", "stock-sku-09"),
        ("SaveState", "stock-sku-09"),
        ("GetState", "stock-scarce-1"),
    ]


def test_a_real_record_of_java_is_decoded():
    found = conversation.read(RECORDED.parent / "java")

    assert [(row["instance_id"], row["activity"], row["task_id"], row["outcome"]) for row in found.deliveries] == [
        ("canary-1", "reserve_stock_v1", 0, "ok"),
        ("canary-0", "reserve_stock_v1", 0, "ok"),
        ("canary-0", "quote_v1", 1, "ok"),
        ("canary-0", "quote_v1", 2, "ok"),
        ("canary-1", "quote_v1", 2, "ok"),
        ("canary-1", "register_shipment_v1", 4, "ok"),
    ]
    assert {row["sdk"] for row in found.deliveries} == {"dapr-sdk-java/v1.16.0 grpc-java-netty/1.69.0"}
    assert len({row["execution_id"] for row in found.deliveries}) == 6
    assert [(row["method"], row["key"]) for row in found.api_calls] == [
        ("GetState", "stock-sku-12"),
        ("GetState", "stock-sku-04"),
        ("SaveState", "stock-sku-12"),
        ("SaveState", "stock-sku-04"),
    ]


def test_a_real_record_whose_calls_have_no_ids_is_decoded():
    found = conversation.read(RECORDED.parent / "javascript")

    assert {row["execution_id"] for row in found.deliveries} == {None}
    answered = [(row["instance_id"], row["activity"], row["task_id"]) for row in found.deliveries if "outcome" in row]
    assert answered == [
        ("canary-1", "quote_v1", 2),
        ("canary-0", "quote_v1", 2),
        ("canary-0", "quote_v1", 3),
        ("plain-000002", "reserve_stock_v1", 1),
        ("scarce-000001", "reserve_stock_v1", 1),
        ("refused-000003", "reserve_stock_v1", 1),
        ("scarce-000001", "quote_v1", 3),
        ("scarce-000001", "quote_v1", 4),
    ]
    assert {row["sdk"] for row in found.deliveries} == {"dapr-js-sdk/3.18.0 grpc-node-js/1.14.7"}
    assert ("GetBulkState", "get", "stock-scarce-1") in [
        (row["method"], row["operation"], row["key"]) for row in found.api_calls
    ]


def test_what_a_tap_that_acts_says_of_the_application_counts_and_not_what_it_says_of_itself(tmp_path):
    wire = Wire()
    wire.open(1)
    work = wire.call(1, WORK, **{"user-agent": "grpc-python-asyncio/1", record.AGENT: "dapr-sdk-go/v1"})
    wire.deliver(1, work, "a", 1)

    (row,) = heard(tmp_path / "taps", wire).deliveries

    assert row["sdk"] == "dapr-sdk-go/v1"


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_where_a_chunk_ends_means_nothing(data):
    chunks = list(record.read(RECORDED))
    cut = []
    for chunk in chunks:
        places = data.draw(st.lists(st.integers(0, len(chunk.data)), max_size=3)) if chunk.data else []
        edges = [0, *sorted(places), len(chunk.data)]
        pieces = [chunk.data[a:b] for a, b in itertools.pairwise(edges)] if chunk.data else [b""]
        cut += [chunk._replace(data=piece) for piece in pieces]

    assert list(http2.events(cut)) == list(http2.events(chunks))


def test_each_byte_alone_says_the_same():
    chunks = list(record.read(RECORDED))[:60]
    bytes_ = [c._replace(data=bytes([b])) for c in chunks if c.data for b in c.data]

    assert list(http2.events(bytes_)) == list(http2.events(chunk for chunk in chunks if chunk.data))


def test_an_answer_belongs_to_the_delivery_of_its_own_connection(tmp_path):
    """The app was killed in the body; the task is handed to the app that came back, on a new connection."""
    wire = Wire()
    wire.open(1)
    first = wire.call(1, WORK)
    wire.deliver(1, first, "a", 0)
    wire.close(1)
    wire.open(2)
    wire.deliver(2, wire.call(2, WORK), "a", 0)
    wire.complete(2, "a", 0)

    cut, answered = heard(tmp_path, wire).deliveries

    assert (cut["attempt_id"], cut.get("outcome"), "completed_ns" in cut) == ("app-1#0", None, False)
    assert cut["cut_ns"] > cut["delivered_ns"]
    assert (answered["attempt_id"], answered["outcome"], "cut_ns" in answered) == ("app-1#1", "ok", False)
    assert answered["execution_id"] is None


def test_an_answer_belongs_to_the_stream_that_has_not_ended_where_all_share_one_connection(tmp_path):
    """The same behind a tap that acts: its connection to the sidecar outlives the app."""
    wire = Wire()
    wire.open(1)
    before, after = wire.call(1, WORK), wire.call(1, WORK)
    wire.deliver(1, before, "a", 0)
    wire.reset(1, before, 8)
    wire.deliver(1, after, "a", 0)
    wire.complete(1, "a", 0)

    cut, answered = heard(tmp_path, wire).deliveries

    assert ("cut_ns" in cut, cut.get("outcome")) == (True, None)
    assert ("cut_ns" in answered, answered["outcome"]) == (False, "ok")


def test_an_answer_to_the_sidecar_that_came_back_belongs_to_the_delivery_before(tmp_path):
    before, after = Wire(), Wire()
    before.open(1)
    before.deliver(1, before.call(1, WORK), "a", 0)
    after.chunks.append(Chunk(before.now, 9, What.CLOSED, b""))
    after.open(1)
    after.complete(1, "a", 0, error=("RuntimeError", "no"))
    after.complete(1, "a", 0)

    (row,) = heard(tmp_path, before, after).deliveries

    assert (row["outcome"], row["detail"]) == ("error", "RuntimeError: no")
    assert row["cut_ns"] <= row["completed_ns"]


def test_the_same_task_delivered_twice_is_two_attempts_in_order(tmp_path):
    wire = Wire()
    wire.open(1)
    work = wire.call(1, WORK)
    wire.deliver(1, work, "a", 0)
    wire.deliver(1, work, "a", 0)
    wire.complete(1, "a", 0)

    first, second = attempts(heard(tmp_path, wire).deliveries)

    assert (first["outcome"], second["outcome"]) == ("ok", None)
    assert first["started_ns"] < second["started_ns"] < first["ended_ns"]
    assert set(first) <= set(schema.ATTEMPTS.types)


def test_calls_to_daprs_api_say_what_they_touched(tmp_path):
    wire = Wire()
    wire.open(1)
    transaction = dapr.ExecuteStateTransactionRequest(storeName="store")
    for kind, key in (("upsert", "x"), ("delete", "y")):
        transaction.operations.add(operationType=kind).request.key = key
    transaction.operations[0].request.etag.value = "7"
    for method, message in (
        ("ExecuteStateTransaction", transaction),
        ("PublishEvent", dapr.PublishEventRequest(pubsub_name="bus", topic="orders")),
        ("InvokeBinding", dapr.InvokeBindingRequest(name="mail", operation="create")),
        ("GetMetadata", dapr.GetMetadataRequest()),
    ):
        stream = wire.call(1, f"{DAPR}/{method}")
        wire.say(1, stream, message, from_app=True)
        wire.end(1, stream, 0 if method != "PublishEvent" else 13)
    bulk = wire.call(1, f"{DAPR}/GetBulkState")
    wire.say(1, bulk, dapr.GetBulkStateRequest(store_name="store", keys=["x", "y"]), from_app=True)
    items = [dapr.BulkStateItem(key="y", etag="3"), dapr.BulkStateItem(key="x")]
    wire.say(1, bulk, dapr.GetBulkStateResponse(items=items), from_app=False)
    wire.reset(1, bulk, 8)
    lost = wire.call(1, f"{DAPR}/DeleteState")
    wire.say(1, lost, dapr.DeleteStateRequest(store_name="store", key="z"), from_app=True)

    rows = heard(tmp_path, wire).api_calls

    assert [
        (row["call_id"], row["position"], row["operation"], row["component"], row["key"], row["etag"], row["status"])
        for row in rows
    ] == [
        ("app-1#0", 0, "save", "store", "x", "7", 0),
        ("app-1#0", 1, "delete", "store", "y", None, 0),
        ("app-1#1", 0, "publish", "bus", "orders", None, 13),
        ("app-1#2", 0, "bind", "mail", "create", None, 0),
        ("app-1#3", 0, None, None, None, None, 0),
        ("app-1#4", 0, "get", "store", "x", None, 1),
        ("app-1#4", 1, "get", "store", "y", "3", 1),
        ("app-1#5", 0, "delete", "store", "z", None, None),
    ]
    assert rows[-1]["answered_ns"] is None
    assert {row["connection"] for row in rows} == {"1/1"}


def test_a_compressed_message_is_read(tmp_path):
    wire = Wire()
    wire.open(1)
    stream = wire.call(1, f"{DAPR}/PublishEvent", **{"grpc-encoding": "gzip"})
    body = dapr.PublishEventRequest(pubsub_name="bus", topic="orders").SerializeToString()
    wire.say(1, stream, gzip.compress(body), from_app=True, flags=1)

    (row,) = heard(tmp_path, wire).api_calls

    assert row["key"] == "orders"


def test_one_that_speaks_no_http2_is_left_out(tmp_path):
    wire = Wire()
    wire.chunks.append(Chunk(1, 1, What.FROM_APP, b"GET / HTTP/1.1\r\nHost: somebody's\r\n\r\n"))
    wire.chunks.append(Chunk(2, 1, What.FROM_SIDECAR, b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"))
    wire.chunks.append(Chunk(3, 2, What.FROM_APP, b"PRI"))

    assert heard(tmp_path, wire) == conversation.Conversation()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (
            lambda wire: wire.chunks.append(Chunk(1, 1, What.FROM_APP, bytes.fromhex("000001010400000001ff"))),
            "no HTTP/2",
        ),
        (lambda wire: wire.say(1, wire.call(1, f"{DAPR}/SaveState"), b"\xff\xff", from_app=True), "cannot be decoded"),
        (lambda wire: wire.say(1, wire.call(1, f"{DAPR}/SaveState"), b"x", from_app=True, flags=1), "compressed"),
    ],
)
def test_what_cannot_be_decoded_is_told_with_its_file(tmp_path, broken, told):
    wire = Wire()
    wire.open(1)
    broken(wire)

    with pytest.raises(EvidenceError, match=f"sidecar-1-000001.tap cannot be decoded: .*{told}|{told}"):
        heard(tmp_path, wire)


def written(run, table):
    read = duckdb.read_parquet(str(tables.path(run.evidence, table)))
    return [dict(zip(read.columns, row, strict=True)) for row in read.fetchall()]


@pytest.fixture(name="run")
def _run(tmp_path):
    """A run in which the tap saw one execution, torn at its end."""
    run = RunDir(tmp_path)
    run.journals.folder.mkdir()
    run.taps.mkdir()
    wire = Wire()
    wire.open(1)
    wire.deliver(1, wire.call(1, WORK), "a", 0)
    wire.complete(1, "a", 0)
    wire.save(record.create(run.taps, "sidecar-0"))
    with (run.taps / "sidecar-0-000001.tap").open("ab") as file:
        file.write(b"torn")
    run.journals.phases.write_text('{"phase": "up", "event": "start", "at_ns": 1}\n')
    return run


@pytest.fixture(name="paying")
def _paying(pytestconfig):
    return target.load(pytestconfig.rootpath / "tests/targets/payments/target.yaml")


def test_without_an_attempts_file_the_tap_tells_what_ran(run, paying):
    assert collect.from_journals(run, paying) == []

    (delivery,), (attempt,) = written(run, schema.DELIVERIES), written(run, schema.ATTEMPTS)
    assert attempt["attempt_id"] == delivery["attempt_id"] == "app-0#0"
    assert (attempt["started_ns"], attempt["ended_ns"]) == (delivery["delivered_ns"], delivery["completed_ns"])
    assert {row["file"]: row["torn"] for row in written(run, schema.JOURNALS)} == {
        "phases.jsonl": 0,
        "sidecar-0-000001.tap": 1,
    }


def test_a_promised_attempts_file_is_not_replaced_by_the_tap(run, paying):
    assert collect.from_journals(run, paying.model_copy(update={"attempts": True})) == []

    assert written(run, schema.ATTEMPTS) == []
    assert len(written(run, schema.DELIVERIES)) == 1


def test_a_record_that_is_none_leaves_no_table_that_needs_it(run, paying):
    (run.taps / "sidecar-1-000001.tap").write_text("something else")

    missing = collect.from_journals(run, paying)

    assert [problem.partition(":")[0] for problem in missing] == ["deliveries", "journals"]
    assert not tables.path(run.evidence, schema.ATTEMPTS).exists()


def test_what_is_under_way_was_delivered_and_neither_answered_nor_cut_off(tmp_path):
    wire = Wire()
    wire.open(1)
    work = wire.call(1, WORK)
    for task in (1, 2):
        wire.deliver(1, work, "a", task)
    writer = record.create(tmp_path, "sidecar-1")
    wire.save(writer)
    underway = Underway(tmp_path)

    def now():
        return [(row["instance_id"], row["task_id"], row["node"]) for row in underway.now()]

    assert now() == now() == [("a", 1, "app-1"), ("a", 2, "app-1")]
    wire.chunks = []
    wire.complete(1, "a", 1)
    wire.save(writer)
    assert now() == [("a", 2, "app-1")]

    again = Wire(10**9)
    again.open(1)
    work = again.call(1, WORK)
    again.deliver(1, work, "a", 2)
    again.save(writer := record.create(tmp_path, "sidecar-1"))
    assert [row["delivered_ns"] > 10**9 for row in underway.now()] == [True], "the earlier life has ended"
    again.chunks = []
    again.close(1)
    again.save(writer)
    assert now() == []
