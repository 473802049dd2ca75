"""Calls to Dapr's API as effects: only an answer makes one, and where none came that is told."""

import contextlib
import json

import pytest
from dapr.proto import api_v1 as dapr
from google.protobuf.message import DecodeError

from harness.backends.endpoints import Endpoints, StoreAddress
from harness.errors import EvidenceError
from harness.evidence import apicalls
from harness.evidence.ledgers import Ledgers
from harness.model import ObservedLedger, RowMapping, SqlLedger
from harness.tap import record
from harness.tap.answers import Answer
from harness.tap.holding import Points
from tests.builders import tutorial
from tests.builders.wire import Wire

T = 1_790_000_000_000_000_000
DAPR = "/dapr.proto.runtime.v1.Dapr"
NOWHERE = StoreAddress(host="127.0.0.1", port=9)
BY = RowMapping(instance_id="parts[0]", effect="'note'")
NOTES = ObservedLedger(observed="save", matching="note-*", row=BY)


@pytest.fixture(name="tapped")
def _tapped(tmp_path):
    """A connection of an app through its tap, and what writes its record down."""
    writer = record.create(tmp_path, "sidecar-0")
    wire = Wire(T)
    wire.open(1)
    return Tapped(wire, writer, tmp_path)


class Tapped:
    """An app whose calls pass a tap."""

    def __init__(self, wire, writer, folder):
        self.wire, self.writer, self.folder = wire, writer, folder

    def call(self, method, message, status=0):
        """Make a call; without a status no answer comes."""
        stream = self.wire.call(1, f"{DAPR}/{method}")
        self.wire.say(1, stream, message, from_app=True)
        if status is not None:
            self.wire.end(1, stream, status)

    def save(self, key, status=0, value="{}", store="statestore"):
        item = {"key": key, "value": value.encode()}
        self.call("SaveState", dapr.SaveStateRequest(store_name=store, states=[item]), status)

    def written(self):
        self.wire.save(self.writer)
        self.wire.chunks, self.wire.begin_ns = [], self.wire.now

    def ledgers(self, *of):
        target = tutorial.plan().target.model_copy(update={"ledgers": of, "effects": ()})
        at = Endpoints(apps={}, sidecars={}, services={}, store=NOWHERE, scheduler=NOWHERE, links={})
        return Ledgers(target, at, self.folder, self.folder)


def short(rows):
    return [(row["instance_id"], row["effect"], row["key"]) for row in rows]


def test_a_save_that_was_answered_is_an_effect_at_the_time_of_its_answer(tapped):
    tapped.save("note-a")
    tapped.save("other-b")
    tapped.save("note-c", store="elsewhere")
    tapped.written()
    of_store = NOTES.model_copy(update={"component": "statestore"})

    (row,) = tapped.ledgers(of_store).effects()

    assert row == {
        "instance_id": "a",
        "effect": "note",
        "key": "note-a",
        "at_ns": T + 5_000_000,
        "source": "observed-0",
        "position": 0,
        "attributes": "{}",
    }


def test_the_value_that_was_saved_can_say_what_a_call_is(tapped):
    tapped.save("x", value=json.dumps({"order": {"id": 7}, "kind": "C"}))
    tapped.save("y", value="no JSON")
    tapped.written()
    by = RowMapping(instance_id="value.order.id || value", effect="value.kind || 'none'", attributes="{node: node}")

    rows = list(tapped.ledgers(ObservedLedger(observed="save", matching="*", row=by)).effects())

    assert short(rows) == [("7", "C", "x"), ("no JSON", "none", "y")]
    assert rows[0]["attributes"] == '{"node": "app-0"}'


@pytest.mark.parametrize(
    ("status", "effects", "unanswered"),
    [(0, 1, []), (10, 0, []), (13, 0, ["the answer was gRPC status 13"]), (None, 0, ["no answer came"])],
)
def test_a_refusal_is_no_effect_and_what_nobody_knows_is_told(tapped, status, effects, unanswered):
    tapped.save("note-a", status)
    tapped.written()
    ledgers = tapped.ledgers(NOTES)

    assert len(list(ledgers.effects())) == effects
    rows = list(ledgers.unanswered())
    assert [row["detail"] for row in rows] == unanswered
    assert all((row["instance_id"], row["kept"], row["key"]) == ("a", None, "note-a") for row in rows)


def test_calls_with_one_key_are_one_effect_and_an_answer_to_one_settles_it(tapped):
    for status in (None, 0, 0):
        tapped.save("note-a", status)
    tapped.written()
    keyless = NOTES.model_copy(update={"row": BY.model_copy(update={"key": None})})

    assert short(tapped.ledgers(NOTES).effects()) == [("a", "note", "note-a")]
    assert list(tapped.ledgers(NOTES).unanswered()) == []
    assert len(list(tapped.ledgers(keyless).effects())) == 2
    assert len(list(tapped.ledgers(keyless).unanswered())) == 1


def test_another_ledger_tells_what_a_lost_answer_hid(tapped, tmp_path, monkeypatch):
    tapped.save("note-a", None)
    tapped.save("note-b", None)
    tapped.save("note-c", 0)
    tapped.written()
    kept = [{"instance_id": "a", "effect": "note", "key": "note-a", "at_ns": T + 1}]
    monkeypatch.setattr("harness.evidence.sql.rows", lambda *_: kept)
    book = SqlLedger(sql="sqlite:////x", query="SELECT 1")
    ledgers = tapped.ledgers(book, NOTES.model_copy(update={"settled_by": "sql-0"}))

    assert [(row["instance_id"], row["source"]) for row in ledgers.effects()] == [("a", "sql-0")]
    assert [(row["instance_id"], row["kept"]) for row in ledgers.unanswered()] == [("a", True), ("b", False)]


def test_what_a_tap_writes_later_is_read_later(tapped):
    ledgers = tapped.ledgers(NOTES)
    assert list(ledgers.effects()) == []
    tapped.save("note-a", None)
    tapped.written()
    assert [row["instance_id"] for row in ledgers.unanswered()] == ["a"]
    tapped.wire.end(1, 1, 0)
    tapped.save("note-b")
    tapped.written()

    assert [row["instance_id"] for row in ledgers.effects()] == ["a", "b"]
    assert list(ledgers.unanswered()) == []


@pytest.mark.parametrize(
    ("observed", "method", "message", "name"),
    [
        (
            "publish",
            "PublishEvent",
            dapr.PublishEventRequest(pubsub_name="bus", topic="t", data=b'{"o": "a"}'),
            "topic",
        ),
        (
            "bind",
            "InvokeBinding",
            dapr.InvokeBindingRequest(name="mail", operation="t", data=b'{"o": "a"}'),
            "operation",
        ),
        ("delete", "DeleteState", dapr.DeleteStateRequest(store_name="s", key="t"), "key"),
    ],
)
def test_other_calls_are_effects_too(tapped, observed, method, message, name):
    tapped.call(method, message)
    tapped.written()
    by = RowMapping(instance_id="value.o || key", effect=name, key=None)

    (row,) = tapped.ledgers(ObservedLedger(observed=observed, matching="t", row=by)).effects()

    assert (row["instance_id"], row["effect"]) == ("t" if observed == "delete" else "a", "t")


def test_of_many_events_those_that_were_not_published_are_not_known(tapped):
    asked = dapr.BulkPublishRequest(pubsub_name="bus", topic="t")
    for name in "ab":
        asked.entries.add(entry_id=name, event=json.dumps(name).encode())
    stream = tapped.wire.call(1, f"{DAPR}/BulkPublishEvent")
    tapped.wire.say(1, stream, asked, from_app=True)
    tapped.wire.say(1, stream, dapr.BulkPublishResponse(failedEntries=[{"entry_id": "b"}]), from_app=False)
    tapped.wire.end(1, stream, 0)
    tapped.written()
    by = RowMapping(instance_id="value", effect="'note'", key=None)
    ledgers = tapped.ledgers(ObservedLedger(observed="publish", matching="*", row=by))

    assert [row["instance_id"] for row in ledgers.effects()] == ["a"]
    assert [row["instance_id"] for row in ledgers.unanswered()] == ["b"]


def test_a_ledger_that_no_call_fits_is_told_at_the_canaries_with_what_was_seen_in_its_place(tapped):
    tapped.save("notes/a")
    tapped.written()
    ledgers = tapped.ledgers(NOTES)

    ledgers.refuse_unseen({"canary-0": ()})
    with pytest.raises(EvidenceError, match=r"canary-0 .* has the effect note, .* saw save of notes/a \(statestore\)"):
        ledgers.refuse_unseen({"canary-0": ("note",)})


def test_a_call_without_an_instance_is_told_with_its_row(tapped):
    tapped.save("note-a")
    tapped.written()
    by = RowMapping(instance_id="value.order", effect="'note'")

    with pytest.raises(EvidenceError, match=r"row 0 of ledger observed-0 is no effect: `instance_id: value.order`"):
        list(tapped.ledgers(NOTES.model_copy(update={"row": by})).effects())


def test_a_call_whose_answer_is_held_makes_the_effects_that_its_ledgers_say(tapped):
    item = {"key": "note-a", "value": b"{}"}
    saved = dapr.SaveStateRequest(store_name="statestore", states=[item, {"key": "other"}]).SerializeToString()
    ledgers = tapped.ledgers(NOTES)

    def made(method, body):
        return short(ledgers.made(Answer(node="sidecar-0", at_ns=T, method=method, body=body)))

    assert made("SaveState", saved) == [("a", "note", "note-a")]
    assert made("POST", saved) == []
    with pytest.raises(EvidenceError, match="a call of SaveState cannot be decoded"):
        made("SaveState", b"\xff")


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("save", dapr.SaveStateRequest(states=[{"key": "k"}])),
        ("save", dapr.ExecuteStateTransactionRequest(operations=[{"operationType": "upsert"}])),
        ("delete", dapr.DeleteStateRequest(key="k")),
        ("delete", dapr.DeleteBulkStateRequest(states=[{"key": "k"}])),
        ("delete", dapr.ExecuteStateTransactionRequest(operations=[{"operationType": "delete"}])),
        ("publish", dapr.PublishEventRequest(topic="t")),
        ("publish", dapr.BulkPublishRequest(entries=[{"entry_id": "1"}])),
        ("invoke", dapr.InvokeServiceRequest(id="x")),
        ("bind", dapr.InvokeBindingRequest(name="x")),
    ],
)
def test_a_tap_holds_the_answer_to_every_method_that_does_what_a_ledger_observes(operation, message):
    points = Points("sidecar-0", "", (), (operation,))
    methods = [name for name in apicalls._REQUESTS if points.holds(f"{DAPR}/{name}")]
    found = []
    for method in methods:
        with contextlib.suppress(DecodeError):
            found += [part.operation for part in apicalls.touched(method, message.SerializeToString())]

    assert operation in found
    assert not points.holds(f"{DAPR}/GetState")
