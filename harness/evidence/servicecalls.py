"""
HTTP calls of the application to its services, as a ledger. They are recorded before each service by a tap of its own,
and read while the records grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from harness import names
from harness.evidence import called
from harness.evidence.called import Call, Others, Unread
from harness.model import CallsLedger
from harness.tap import http1, record
from harness.tap.answers import Answer
from harness.tap.http1 import Exchange

_REDIRECTED, _FAILED = 300, 500
"""HTTP statuses: below the first one all is well; from the second on, nobody knows what the service has done."""


class ServiceCalls:
    """
    What the taps of one run, whose records are in `folder`, saw of the calls that the `ledgers` declare.
    """

    def __init__(self, folder: Path, ledgers: Sequence[CallsLedger]) -> None:
        self._folder = folder
        self._ledgers = ledgers
        self._made: dict[str, list[Exchange]] = {ledger.calls: [] for ledger in ledgers}
        self._readers: dict[Path, http1.Reader] = {}
        self._unread = Unread()
        self._others = Others()

    def seen(self) -> str:
        """
        Say what the taps saw in place of the calls that fit.
        """
        return f"The services got {self._others.told('no call at all')}."

    def calls(self, ledger: CallsLedger) -> Iterator[Call]:
        """
        Return the calls that fit a ledger. Raises EvidenceError if a record cannot be read.
        """
        self._read()
        for exchange in self._made[ledger.calls]:
            fitting = _parts(ledger, exchange)
            if fitting is not None:
                yield _call(exchange, fitting)

    def _read(self) -> None:
        """
        Read what the records have that was not read yet.
        """
        for node, files in record.every(self._folder).items():
            service = names.role(node)
            if service not in self._made:
                continue
            for file in files:
                if file not in self._readers:
                    self._readers[file] = http1.Reader(self._wanted(service), self._made[service])
                with self._unread.chunks(file) as chunks:
                    self._readers[file].read(chunks)

    def _wanted(self, service: str) -> http1.Wanted:
        ledgers = [ledger for ledger in self._ledgers if ledger.calls == service]

        def wanted(exchange: Exchange) -> bool:
            if any(_parts(ledger, exchange) is not None for ledger in ledgers):
                return True
            self._others.note(f"{exchange.method} {urlsplit(exchange.target).path}")
            return False

        return wanted


def made(ledger: CallsLedger, answer: Answer) -> Iterator[Call]:
    """
    Return the call that fits a ledger, of the one whose answer a tap holds; nothing if it does not.
    """
    exchange = Exchange(
        answer.method,
        answer.target,
        dict(answer.headers),
        answer.at_ns,
        bytearray(answer.body),
        answer.status,
        answer.at_ns,
    )
    if ledger.calls == names.role(answer.node) and (fitting := _parts(ledger, exchange)) is not None:
        yield _call(exchange, fitting)


def _parts(ledger: CallsLedger, exchange: Exchange) -> list[str] | None:
    if exchange.method != ledger.method:
        return None
    return called.parts(ledger.path, urlsplit(exchange.target).path)


def _call(exchange: Exchange, fitting: list[str]) -> Call:
    url = urlsplit(exchange.target)
    row = {
        "method": exchange.method,
        "path": url.path,
        "parts": fitting,
        "query": dict(parse_qsl(url.query, keep_blank_values=True)),
        "headers": exchange.headers,
        "body": called.value(bytes(exchange.body)),
        "status": exchange.status,
    }
    status = exchange.status
    done = None if status is None or status >= _FAILED else status < _REDIRECTED
    detail = "no answer came" if status is None else f"the answer was HTTP {status}"
    return Call(row, exchange.called_ns, exchange.answered_ns, done, detail)
