"""
The bank and the mail of a shop, with routes and tables of their own. Nothing here knows the harness.

A charge is a row of a database, SQLite unless DATABASE has the URL of another. Mails are told in pages of JSON.
"""

import json
import os
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, create_engine, insert
from sqlalchemy.exc import IntegrityError

PAGE = 50
LOST = os.environ.get("DEFECT") == "answer_lost"
SILENT = os.environ.get("DEFECT") == "silent"
DATABASE = os.environ.get("DATABASE") or f"sqlite:///{os.environ['DATA_DIR']}/charges.db"
tables = MetaData()
charges = Table(
    "charges",
    tables,
    Column("idempotency", String(80), primary_key=True),
    Column("order_id", String(80)),
    Column("cents", Integer),
    Column("booked", DateTime(timezone=True)),
)
engine = create_engine(DATABASE)
tables.create_all(engine)
mails = {}


def charge(asked):
    """Return whether it was asked for the first time."""
    row = {"idempotency": asked["key"], "order_id": asked["order"], "cents": asked["cents"]}
    try:
        with engine.begin() as connection:
            connection.execute(insert(charges), {**row, "booked": datetime.now(UTC)})
    except IntegrityError:  # it was asked for before
        return False
    return True


def mail(asked):
    mails.setdefault(asked["order"], {"about": {"order": asked["order"]}, "sent": time.time()})


class Bank(BaseHTTPRequestHandler):
    def do_GET(self):
        since = int(parse_qs(urlsplit(self.path).query).get("after", ["0"])[0])
        page = {"mails": list(mails.values())[since : since + PAGE]}
        if since + PAGE < len(mails):
            page["next"] = since + PAGE
        self.answer(page)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if SILENT and asked.get("cents") == 900:
            if int(asked["order"][-1]) % 2 == 0:
                charge(asked)
            return
        is_new = {"/charges": charge, "/mails": mail}[self.path](asked)
        if not (LOST and is_new and asked["cents"] == 900):
            self.answer({})

    def answer(self, body):
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Bank).serve_forever()
