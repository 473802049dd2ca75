"""Calls to a service as effects: requests and their answers as HTTP/1.1 has them, wherever a chunk ends."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.backends.endpoints import Endpoints, StoreAddress
from harness.errors import EvidenceError
from harness.evidence.ledgers import Ledgers
from harness.model import CallsLedger, Program, RowMapping
from harness.tap import http1, record
from harness.tap.answers import Answer
from harness.tap.record import Chunk, What
from tests.builders import tutorial

T = 1_790_000_000_000_000_000
NOWHERE = StoreAddress(host="127.0.0.1", port=9)
APP, BANK = What.FROM_APP, What.FROM_SIDECAR
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
BY = RowMapping(instance_id="body.order", effect="'charge'", key="body.key")
CHARGES = CallsLedger(calls="bank", path="/charges", row=BY)


def asked(body=b"{}", method="POST", path="/charges", **headers):
    fields = {"Host": "bank", "Content-Length": len(body)} | headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def exchanges(*parts):
    """(method, body, status) of what these parts say; each is (who, bytes), one millisecond after the one before."""
    made = []
    chunks = [Chunk(T + number * 1_000_000, 1, who, data) for number, (who, data) in enumerate(parts)]
    http1.Reader(lambda _: True, made).read(chunks)
    return [(each.method, bytes(each.body), each.status) for each in made]


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([(APP, asked()), (BANK, EMPTY), (APP, asked()), (BANK, CHUNKED)], [200, 201]),
        ([(APP, asked()), (BANK, EMPTY), (APP, asked())], [200, None]),
        ([(APP, asked() + asked()), (BANK, EMPTY + CHUNKED)], [200, 201]),
        ([(APP, asked()), (BANK, b"HTTP/1.0 200 OK\r\n\r\nuntil the end"), (BANK, b" of it")], [200]),
        ([(APP, asked()), (BANK, b"HTTP/1.1 100 Continue\r\n\r\n"), (BANK, EMPTY)], [200]),
        ([(APP, asked(method="HEAD", body=b"")), (BANK, EMPTY.replace(b" 0", b" 9")), (APP, asked())], [200, None]),
        ([(APP, asked(Connection="close")), (BANK, EMPTY)], [200]),
        ([(APP, asked(b"xx")[:-1]), (BANK, EMPTY), (APP, b"x"), (APP, asked()), (BANK, CHUNKED)], [200, 201]),
        ([(APP, asked()[:30])], []),
    ],
)
def test_each_request_has_the_answer_that_belongs_to_it(parts, found):
    assert [status for *_, status in exchanges(*parts)] == found


def test_what_speaks_another_protocol_after_its_answer_is_left_alone():
    upgrade = asked(b"", method="GET", Connection="upgrade", Upgrade="websocket")
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

    assert exchanges((APP, upgrade), (BANK, switched), (APP, b"\x81\x00"), (BANK, b"\x81\x00")) == [("GET", b"", 101)]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_where_a_chunk_ends_means_nothing(data):
    said = [(APP, asked(b'{"a": 1}')), (BANK, CHUNKED), (APP, asked(b"")), (BANK, EMPTY)]
    cut = []
    for who, content in said:
        edges = sorted({0, len(content), *data.draw(st.lists(st.integers(0, len(content)), max_size=4))})
        cut += [(who, content[a:b]) for a, b in itertools.pairwise(edges)]

    assert exchanges(*cut) == exchanges(*said)


class Bank:
    """A service, whose tap is in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.writer = record.create(folder, "bank-0")
        self.now = T
        self.connections = 0

    def call(self, request, answer=None, *, closed=True):
        self.connections += 1
        said = [(What.OPENED, b""), (APP, request), (BANK, answer or b""), *([(What.CLOSED, b"")] if closed else [])]
        for what, data in said:
            self.now += 1_000_000
            self.writer.write(self.now, self.connections, what, data)

    def charge(self, order, key, answer=EMPTY):
        self.call(asked(json.dumps({"order": order, "key": key}).encode()), answer)

    def ledgers(self, *of):
        target = tutorial.plan().target.model_copy(
            update={"ledgers": of, "effects": (), "services": {"bank": Program(command=("x",))}}
        )
        at = Endpoints(apps={}, sidecars={}, services={}, store=NOWHERE, scheduler=NOWHERE, links={})
        return Ledgers(target, at, self.folder, self.folder)


@pytest.fixture(name="bank")
def _bank(tmp_path):
    return Bank(tmp_path)


def test_a_call_that_was_answered_well_is_an_effect(bank):
    bank.charge("a", "k1")
    bank.call(asked(b"{}", path="/mails"), EMPTY)
    bank.call(asked(b"", method="GET"), EMPTY)

    (row,) = bank.ledgers(CHARGES).effects()

    assert (row["instance_id"], row["effect"], row["key"], row["source"]) == ("a", "charge", "k1", "calls-0")
    assert row["at_ns"] == T + 3_000_000, "when its answer came"


@pytest.mark.parametrize(
    ("answer", "effects", "unanswered"),
    [
        (EMPTY, 1, []),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", 0, []),
        (b"HTTP/1.1 303 See Other\r\nContent-Length: 0\r\n\r\n", 0, []),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", 0, ["the answer was HTTP 502"]),
        (b"HTTP/1.1 20", 0, ["no answer came"]),
        (None, 0, ["no answer came"]),
    ],
)
def test_only_an_answer_says_what_a_service_did(bank, answer, effects, unanswered):
    bank.charge("a", "k1", answer)
    ledgers = bank.ledgers(CHARGES)

    assert len(list(ledgers.effects())) == effects
    assert [row["detail"] for row in ledgers.unanswered()] == unanswered


def test_a_charge_that_is_tried_again_with_its_key_is_one_and_with_another_key_two(bank):
    bank.charge("a", "k1", None)
    bank.charge("a", "k1")
    bank.charge("b", "k1")
    bank.charge("b", "k2")
    ledgers = bank.ledgers(CHARGES)

    assert [(row["instance_id"], row["key"]) for row in ledgers.effects()] == [("a", "k1"), ("b", "k1"), ("b", "k2")]
    assert list(ledgers.unanswered()) == []


def test_the_path_the_query_and_headers_can_say_whose_a_call_is(bank):
    bank.call(asked(b"", method="PUT", path="/orders/7/charge?by=card", **{"Idempotency-Key": "k"}), EMPTY)
    by = RowMapping(instance_id="parts[0]", effect="query.by", key='headers."idempotency-key"')
    ledger = CallsLedger(calls="bank", method="PUT", path="/orders/*/charge", row=by)

    (row,) = bank.ledgers(ledger).effects()

    assert (row["instance_id"], row["effect"], row["key"]) == ("7", "card", "k")


def test_what_came_in_place_of_the_declared_calls_is_told(bank):
    bank.call(asked(b"{}", path="/charge"), EMPTY)

    with pytest.raises(EvidenceError, match=r"not one call fits the ledger calls-0. The services got POST /charge\."):
        bank.ledgers(CHARGES).refuse_unseen({"canary-0": ("charge",)})


def test_what_is_no_http_is_told_with_its_file(bank):
    bank.call(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

    with pytest.raises(EvidenceError, match=r"bank-0-000001.tap cannot be decoded: connection 1: it is no HTTP/1.1"):
        list(bank.ledgers(CHARGES).effects())


def test_a_call_whose_answer_is_held_makes_an_effect_if_it_was_answered_well(bank):
    body = json.dumps({"order": "a", "key": "k1"}).encode()
    held = Answer(node="bank-0", at_ns=T, method="POST", target="/charges", body=body, status=200)

    def made(**changes):
        return [(row["instance_id"], row["key"]) for row in bank.ledgers(CHARGES).made(held.model_copy(update=changes))]

    assert made() == [("a", "k1")]
    assert made(status=500) == made(target="/mails") == made(node="mail-0") == made(method="PUT") == []
    with pytest.raises(EvidenceError, match="finds no text"):
        made(body=b"{}")
