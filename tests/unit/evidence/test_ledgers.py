"""Ledgers of any shape: what a mapping finds in them, and what is said of one that cannot be read."""

import http.server
import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from harness.backends.endpoints import Address, Endpoints, StoreAddress
from harness.errors import EvidenceError, UsageError
from harness.evidence import effectrows, sql
from harness.evidence.ledgers import Ledgers, refuse_unusable
from harness.model import HttpLedger, Program, RowMapping, SqlLedger
from tests.builders import postgres, tutorial

T = 1_790_000_000_000_000_000
NOWHERE = StoreAddress(host="127.0.0.1", port=9)
ROW = {"instance_id": "a", "effect": "take", "key": "k", "at_ns": T}


def mapped(row, **by):
    (found,) = effectrows.mapped("bank-0", RowMapping(**by), [row])
    return found


def ledgers(*of, data=None, services=None, taps=None):
    target = tutorial.plan().target.model_copy(
        update={"ledgers": of, "services": {"bank": Program(command=("x",))}, "effects": ()}
    )
    at = Endpoints(apps={}, sidecars={}, services=services or {}, store=NOWHERE, scheduler=NOWHERE, links={})
    return Ledgers(target, at, data, taps)


def test_the_row_of_the_contract_needs_no_mapping():
    assert mapped({**ROW, "attributes": {"units": 2}}) == {**ROW, "source": "bank-0", "attributes": '{"units": 2}'}


def test_a_mapping_finds_what_a_row_of_the_teams_own_calls_otherwise():
    row = {"order": {"id": 17}, "type": "C", "booked": "2026-09-21T14:13:20.000001+00:00", "cents": 5}
    by = {"instance_id": "order.id", "effect": "(type == 'C' && 'charge') || 'refund'", "key": None, "at": "booked"}

    found = mapped(row, **by, attributes="{cents: cents}")

    assert (found["instance_id"], found["effect"], found["key"]) == ("17", "charge", None)
    assert (found["at_ns"], found["attributes"]) == (T + 1000, '{"cents": 5}')


@pytest.mark.parametrize(
    ("found", "unit"),
    [
        (T + 1000, "ns"),
        (str(T + 1000), "ns"),
        (T // 1000 + 1, "us"),
        (1_790_000_000_000.001, "ms"),
        (1_790_000_000.000001, "s"),
        ("2026-09-21T14:13:20.000001Z", "ns"),
        ("2026-09-21 14:13:20.000001", "ns"),
        ("2026-09-21T16:13:20.000001+02:00", "ns"),
    ],
)
def test_a_time_is_a_number_of_units_or_iso_8601(found, unit):
    assert mapped({**ROW, "at_ns": found}, unit=unit)["at_ns"] == T + 1000


@pytest.mark.parametrize(
    ("row", "by", "told"),
    [
        ({"effect": "take"}, {}, "`instance_id: instance_id` finds no text"),
        (ROW, {"instance_id": "order.id"}, "`instance_id: order.id` finds no text"),
        ({**ROW, "effect": ["take"]}, {}, "`effect: effect` finds no text, but "),
        ({**ROW, "effect": ""}, {}, "`effect: effect` finds no text"),
        ({**ROW, "key": True}, {}, "`key: key` finds no text, but true"),
        ({**ROW, "at_ns": None}, {}, "`at: at_ns` finds no time"),
        ({**ROW, "at_ns": "yesterday"}, {}, "`at: at_ns` finds no time"),
        ({**ROW, "at_ns": True}, {}, "`at: at_ns` finds no time"),
        ({**ROW, "at_ns": 1e400}, {}, "`at: at_ns` finds no time"),
        ({**ROW, "at_ns": "1e999999999"}, {}, "`at: at_ns` finds no time"),
        ({**ROW, "at_ns": 1_790_000_000}, {}, "no time between 2001 and 2200 if its `unit` is ns"),
        ({**ROW, "attributes": [1]}, {}, "`attributes: attributes` finds no object"),
        ("a text", {}, "`instance_id: instance_id` finds no text"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_expression(row, by, told):
    with pytest.raises(EvidenceError) as caught:
        list(effectrows.mapped("bank-0", RowMapping(**by), [ROW | {"order": {"id": "x"}}, row]))

    assert str(caught.value).startswith("row 1 of ledger bank-0 is no effect: ")
    assert told in str(caught.value)


class Bank(http.server.BaseHTTPRequestHandler):
    """Answers with the page of the server that `?after=` names."""

    def do_GET(self):
        after = parse_qs(urlsplit(self.path).query).get("after", ["0"])[0]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.pages[after]).encode())

    def log_message(self, *args):
        pass


@pytest.fixture(name="bank")
def _bank():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bank)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def asked(bank, **about):
    services = {"bank-0": Address(host="127.0.0.1", port=bank.server_port)}
    return list(ledgers(HttpLedger(service="bank", path="/charges", **about), services=services).effects())


def test_the_rows_of_one_answer_are_sorted_by_time_as_a_foreign_route_promises_no_order(bank):
    bank.pages = {"0": [{"order": "b", "at": T + 5}, {"order": "a", "at": T}]}
    by = RowMapping(instance_id="order", effect="'take'", key=None, at="at")

    rows = asked(bank, rows="@", row=by)

    assert [(row["instance_id"], row["position"], row["source"]) for row in rows] == [
        ("a", 0, "bank-0"),
        ("b", 1, "bank-0"),
    ]


@pytest.mark.parametrize(
    ("more", "token"),
    [
        ("2", "after"),
        (2, "after"),
        ("/charges?after=2", None),
        ("?after=2", None),
        ("http://x.test/?after=2", None),
    ],
)
def test_pages_follow_by_a_token_or_by_a_link_and_all_are_asked_of_the_service(bank, more, token):
    bank.pages = {"0": {"data": [ROW], "more": more}, "2": {"data": [{**ROW, "instance_id": "b"}], "more": None}}

    rows = asked(bank, rows="data", next="more", token=token)

    assert [row["instance_id"] for row in rows] == ["a", "b"]


@pytest.mark.parametrize(
    ("pages", "about", "told"),
    [
        ({"0": {"data": []}}, {"rows": "charges"}, "`rows: charges` finds no list in the answer"),
        ({"0": {"data": [], "more": "?after=0"}}, {"rows": "data", "next": "more"}, "leads in a circle"),
        ({"0": {"data": [], "more": ["x"]}}, {"rows": "data", "next": "more"}, "`next: more` finds no link"),
    ],
)
def test_pages_that_are_none_are_told(bank, pages, about, told):
    bank.pages = pages

    with pytest.raises(EvidenceError, match=told):
        asked(bank, **about)


def test_pages_have_a_limit(bank, monkeypatch):
    monkeypatch.setattr("harness.evidence.ledgers._MOST_PAGES", 3)
    bank.pages = {str(n): {"data": [], "more": n + 1} for n in range(9)}

    with pytest.raises(EvidenceError, match="more than 3 pages"):
        asked(bank, rows="data", next="more", token="after")


def test_two_routes_of_one_service_are_two_sources(bank):
    bank.pages = {"0": [ROW]}
    services = {"bank-0": Address(host="127.0.0.1", port=bank.server_port)}
    both = ledgers(*(HttpLedger(service="bank", path=path, rows="@") for path in ("/a", "/b")), services=services)

    assert [(row["source"], row["position"]) for row in both.effects()] == [("bank-0/a", 0), ("bank-0/b", 0)]


# --- a database ---------------------------------------------------------------------------------------------------

CHARGES = RowMapping(instance_id="order_id", effect="'take'", key="id", at="booked")
MADE = "CREATE TABLE charges (id TEXT, order_id TEXT, booked TIMESTAMP)"
QUERY = "SELECT id, order_id, booked FROM charges"


def lite(data, query=QUERY, by=CHARGES):
    return ledgers(SqlLedger(sql="sqlite:///{data}/bank-0/c.db", query=query, row=by), data=data)


@pytest.fixture(name="database")
def _database(tmp_path):
    (tmp_path / "bank-0").mkdir()
    with sqlite3.connect(tmp_path / "bank-0/c.db") as database:
        database.execute(MADE)
    return tmp_path, lambda sql: _changed(tmp_path / "bank-0/c.db", sql)


def _changed(file, sql):
    with sqlite3.connect(file) as database:
        database.execute(sql)
    database.close()


def charge(number, order, second="20.000001"):
    return f"INSERT INTO charges VALUES ('{number}', '{order}', '2026-09-21 14:13:{second}')"


def test_a_query_is_a_ledger(database):
    data, change = database
    change(charge(2, "b", "21.000002"))
    change(charge(1, "a"))

    rows = list(lite(data).effects())

    assert [(row["instance_id"], row["key"], row["at_ns"], row["position"]) for row in rows] == [
        ("a", "1", T + 1000, 0),
        ("b", "2", T + 1_000_002_000, 1),
    ]
    assert {row["source"] for row in rows} == {"sql-0"}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT * FROM payments", "no such table: payments"),
        ("SELECT FROM", "syntax error"),
        ("DELETE FROM charges", "readonly database"),
        ("PRAGMA user_version = 1", "readonly database"),
    ],
)
def test_a_query_that_cannot_be_answered_is_told(database, query, told):
    with pytest.raises(EvidenceError, match=told):
        list(lite(database[0], query).effects())


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(EvidenceError, match="unable to open database file"):
        list(lite(tmp_path).effects())


def test_a_query_has_a_limit_of_time(database, monkeypatch):
    monkeypatch.setattr(sql, "_LIMIT", 0.3)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    began = time.monotonic()

    with pytest.raises(EvidenceError, match="took longer than"):
        list(lite(database[0], endless).effects())

    assert time.monotonic() - began < 20


def test_what_a_ledger_has_before_the_run_is_left_out(database):
    data, change = database
    change(charge(1, "of yesterday"))
    of_run = lite(data)
    of_run.begin(["a", "b"])
    change(charge(2, "a"))

    assert [(row["instance_id"], row["position"]) for row in of_run.effects()] == [("a", 0)]


def test_a_ledger_that_has_an_instance_before_the_run_starts_it_is_refused(database):
    data, change = database
    change(charge(1, "a"))

    with pytest.raises(EvidenceError, match=r"sql-0 has take of a before this run has started it.*Empty the ledger"):
        lite(data).begin(["a", "b"])


@pytest.mark.parametrize(("second", "refused"), [("20.001", True), ("20", True), ("20.001001", False)])
def test_times_of_whole_milliseconds_are_refused_once_there_are_some(database, second, refused):
    data, change = database
    change(charge(1, "a", second))
    lite(data).refuse_coarse()  # a single one may be chance
    change(charge(2, "b", second))

    if refused:
        with pytest.raises(EvidenceError, match="whole milliseconds"):
            lite(data).refuse_coarse()
        lite(data, by=CHARGES.model_copy(update={"at": None})).refuse_coarse()
    else:
        lite(data).refuse_coarse()


def test_what_is_missing_on_this_machine_is_told_before_anything_starts(monkeypatch):
    def target(**about):
        of = SqlLedger(sql="mysql://u@127.0.0.1/db", query=QUERY, **about)
        return tutorial.plan().target.model_copy(update={"ledgers": (of,)})

    monkeypatch.setattr(sql, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs the driver pymysql: pip install .*\[mysql\]"):
        refuse_unusable(target())
    monkeypatch.setattr(sql, "find_spec", lambda name: name)
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    with pytest.raises(UsageError, match="the environment variable SHOP_PASSWORD"):
        refuse_unusable(target(password="SHOP_PASSWORD"))
    refuse_unusable(target())


# --- a real PostgreSQL --------------------------------------------------------------------------------------------

needs_postgres = pytest.mark.skipif(not postgres.HERE, reason="initdb and postgres are not on this machine")
SECRET = "correct horse"
OWNER = "host=127.0.0.1 port={} user=owner dbname=postgres"


@pytest.fixture(name="server", scope="module")
def _server():
    with postgres.server() as (port, process):
        _until_it_answers(port)
        with psycopg.connect(OWNER.format(port), autocommit=True) as owner:
            owner.execute("CREATE TABLE charges (id text, order_id int, booked timestamptz, about jsonb)")
            values = "('1', 7, '2026-09-21 16:13:20.000001+02', '{\"by\": \"card\"}')"
            owner.execute(f"INSERT INTO charges VALUES {values}, {values}")
            owner.execute(f"CREATE ROLE auditor LOGIN PASSWORD '{SECRET}'")
            owner.execute("GRANT ALL ON charges TO auditor")
        yield port, process


def _until_it_answers(port):
    for _ in range(600):
        with suppress(psycopg.OperationalError), psycopg.connect(OWNER.format(port), connect_timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError("postgres never answered")


def of_postgres(port, query="SELECT * FROM charges", host="127.0.0.1", **about):
    by = RowMapping(instance_id="order_id", effect="'take'", key="id", at="booked", attributes="about")
    url = f"postgresql://auditor@{host}:{port}/postgres"
    return ledgers(SqlLedger(sql=url, query=query, password="SHOP_PASSWORD", row=by, **about))


@needs_postgres
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_postgres_is_read_with_its_own_types(server, monkeypatch, host):
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")  # nothing of the environment leads to another machine

    rows = list(of_postgres(server[0], host=host).effects())

    assert [(row["instance_id"], row["effect"], row["key"], row["at_ns"]) for row in rows] == [
        ("7", "take", "1", T + 1000)
    ] * 2
    assert rows[0]["attributes"] == '{"by": "card"}'


@needs_postgres
@pytest.mark.parametrize(
    ("password", "query", "told"),
    [
        ("wrong horse", "SELECT 1", "password authentication failed"),
        (SECRET, "SELECT * FROM payments", 'relation "payments" does not exist'),
        (SECRET, "DELETE FROM charges RETURNING *", "cannot execute DELETE in a read-only transaction"),
        (SECRET, "SET search_path TO public", "is none that returns rows"),
    ],
)
def test_postgres_that_cannot_be_asked_is_told_without_the_password(server, monkeypatch, password, query, told):
    monkeypatch.setenv("SHOP_PASSWORD", password)

    with pytest.raises(EvidenceError, match=told) as caught:
        list(of_postgres(server[0], query).effects())

    shown = f"{caught.getrepr(chain=True, showlocals=False)}"
    assert password not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__cause__ is None
    assert "horse" not in shown.rsplit("EvidenceError: ", maxsplit=1)[-1]


@needs_postgres
def test_postgres_has_limits_of_time(server, monkeypatch):
    port, process = server
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    monkeypatch.setattr(sql, "_LIMIT", 2)
    with pytest.raises(EvidenceError, match="took longer than 2 s"):
        list(of_postgres(port, "SELECT pg_sleep(60)").effects())

    monkeypatch.setattr(sql, "_CONNECTS_WITHIN", 2)
    os.kill(process.pid, signal.SIGSTOP)  # whoever connects is taken in by the kernel, and never answered
    began = time.monotonic()
    try:
        with pytest.raises(EvidenceError, match="timeout"):
            list(of_postgres(port).effects())
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert time.monotonic() - began < 30
