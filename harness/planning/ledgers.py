"""
What can be wrong with the ledgers of a target.yaml.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from harness.model import (
    CalledLedger,
    CallsLedger,
    HttpLedger,
    ObservedLedger,
    RowMapping,
    SqlLedger,
    StateLedger,
    Target,
)
from harness.planning.yamlfile import Document, Location, did_you_mean

_DATABASES = ("postgresql", "mysql", "sqlite")
_FILE = re.compile(r"sqlite:///(/|\{data\}/)[^?#]+")


def check(document: Document, target: Target) -> None:
    """
    Note every problem of the ledgers: what they name, their expressions, where their database is.
    """
    for index, ledger in enumerate(target.ledgers):
        at: Location = ("ledgers", index)
        for field in RowMapping.model_fields.keys() - {"unit"}:
            if (expression := getattr(ledger.row, field)) is not None:
                document.expression((*at, "row", field), expression)
        if isinstance(ledger, CalledLedger):
            _check_called(document, target, at, ledger)
        if isinstance(ledger, CallsLedger):
            _check_service(document, target, (*at, "calls"), ledger.calls)
        elif isinstance(ledger, HttpLedger):
            _check_http(document, target, at, ledger)
        elif isinstance(ledger, StateLedger):
            _check_state(document, at, ledger)
            check_app(document, target, at, ledger.app)
        elif isinstance(ledger, SqlLedger):
            _check_sql(document, at, ledger)


def check_app(document: Document, target: Target, at: Location, app: str | None) -> None:
    """
    Note it if a ledger or a balance is of an application that there is not.
    """
    if app is not None and app not in target.apps:
        document.problem((*at, "app"), f'"{app}" is not one of `apps`; {did_you_mean(app, target.apps)}')


def _check_called(document: Document, target: Target, at: Location, ledger: CalledLedger) -> None:
    """
    Check what must be said of calls, in which nothing is called as in a ledger of the contract.
    """
    needed = {
        "instance_id": "where a call has the instance id is missing: `instance_id`, for example `value.order`, "
        "`body.order` or `parts[0]`",
        "effect": "which effect such a call makes is missing: `effect`, for example \"'charge'\"",
    }
    if not (isinstance(ledger, ObservedLedger) and ledger.observed in ("save", "delete")):
        needed["key"] = (
            "where a call has its idempotency key is missing: `key`; or `key: null`, and each call that is answered "
            "well is one more effect"
        )
    for field, problem in needed.items():
        if field not in ledger.row.model_fields_set:
            document.problem((*at, "row"), problem)
    known = {
        name
        for other, name in zip(target.ledgers, target.sources, strict=True)
        if name is not None and not isinstance(other, CalledLedger)
    }
    if ledger.settled_by is not None and ledger.settled_by not in known:
        document.problem(
            (*at, "settled_by"),
            f'"{ledger.settled_by}" is not a ledger of this target that is kept; '
            + did_you_mean(ledger.settled_by, known),
        )


def _check_service(document: Document, target: Target, at: Location, service: str) -> None:
    if service not in target.services:
        document.problem(at, f'"{service}" is not a service of this target; {did_you_mean(service, target.services)}')


def _check_http(document: Document, target: Target, at: Location, ledger: HttpLedger) -> None:
    _check_service(document, target, (*at, "service"), ledger.service)
    for field, expression in (("rows", ledger.rows), ("next", ledger.next)):
        if expression is not None:
            document.expression((*at, field), expression)
    if ledger.next is not None and ledger.rows is None:
        document.problem((*at, "next"), "where the rows of a page are is missing: `rows`, for example `data`")
    if ledger.token is not None and ledger.next is None:
        document.problem((*at, "token"), "where a page has the token of the next one is missing: `next`")


def _check_state(document: Document, at: Location, ledger: StateLedger) -> None:
    if not ledger.prefix:
        document.problem(
            (*at, "prefix"),
            "an empty prefix takes in every document of the store, also the engine's own; give what the keys of "
            "this ledger begin with",
        )
    if ledger.field is None and ledger.row == RowMapping():
        document.problem(
            at,
            "which list of a document has the rows is missing: `field`; or, if each document is one row, "
            "{key: ..., value: ...}, where it has what: `row: {instance_id: key, effect: value.kind, ...}`",
        )


def _check_sql(document: Document, at: Location, ledger: SqlLedger) -> None:
    """
    Check where a database is. Its URL is a part of the plan, so no password may be in it; and nothing in it may lead to
    another machine.
    """
    where = (*at, "sql")
    try:
        url = urlsplit(ledger.sql)
        host, _ = url.hostname, url.port
    except ValueError:
        document.problem(where, "not a URL of a database, such as postgresql://user@127.0.0.1:5432/shop")
        return
    if url.password is not None:
        document.problem(
            where, "a password does not belong here; name the variable that has it: `password: SHOP_PASSWORD`"
        )
    elif url.scheme not in _DATABASES:
        document.problem(where, f"not one of the databases that can be read: {', '.join(_DATABASES)}")
    elif url.scheme == "sqlite":
        if not _FILE.fullmatch(ledger.sql):
            document.problem(where, "an absolute path is needed, sqlite:////path/file, or sqlite:///{data}/NODE/file")
    elif host is None or not _is_here(host):
        document.problem(where, f"{host or 'no host'} is not this machine: localhost, 127.0.0.1 or ::1 is needed")
    elif url.query or url.fragment or not url.path.strip("/"):
        document.problem(where, "a URL ends with the name of the database, and has no parameters")
    if not ledger.query.strip():
        document.problem((*at, "query"), "a SELECT is needed here")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
