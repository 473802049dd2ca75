"""
Calls to Dapr's API that the taps saw, as a ledger. The records are read while they grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from harness import names
from harness.errors import EvidenceError
from harness.evidence import apicalls, called, http2
from harness.evidence.apicalls import ApiCall, Calls, Touched
from harness.evidence.called import Call, Others, Unread
from harness.model import ObservedLedger
from harness.tap import record
from harness.tap.answers import Answer

_NAMED = {"publish": "topic", "invoke": "method", "bind": "operation"}
"""What is called otherwise than `key` in the row of a call."""
_REFUSED = {3, 5, 6, 7, 9, 10, 11, 12, 16}
"""
The gRPC statuses after which nothing has happened, as the sidecar refused the call: an etag that is no longer true is
ABORTED (10) (dapr, pkg/api/universal, errors of state stores). After any other, it may have.
"""


class Observed:
    """
    What the taps of one run, whose records are in `folder`, saw of the calls that the `ledgers` declare.
    """

    def __init__(self, folder: Path, ledgers: Sequence[ObservedLedger]) -> None:
        self._folder = folder
        self._ledgers = ledgers
        self._calls: dict[str, Calls] = {}
        self._readers: dict[Path, http2.Reader] = {}
        self._unread = Unread()
        self._others = Others()

    def seen(self) -> str:
        """
        Say what the taps saw in place of the calls that fit.
        """
        others = self._others.told("no call to Dapr's API at all")
        return f"The tap saw {others}. Calls to Dapr's HTTP API do not pass it (docs/tap.md)."

    def calls(self, ledger: ObservedLedger) -> Iterator[Call]:
        """
        Return the calls that fit a ledger, of one app after the other. Raises EvidenceError if a record cannot be read.
        """
        self._read()
        for calls in self._calls.values():
            for made in calls.made:
                fitting = _parts(ledger, made.touched)
                if fitting is not None:
                    yield _call(made, fitting)

    def _read(self) -> None:
        """
        Read what the records have that was not read yet.
        """
        if not self._ledgers:
            return
        for sidecar, files in record.every(self._folder).items():
            if not names.is_reserved(names.role(sidecar)):
                continue  # of a service
            calls = self._calls.setdefault(sidecar, Calls(names.replica(sidecar) or sidecar, self._wanted))
            for life, file in enumerate(files, 1):
                reader = self._readers.setdefault(file, http2.Reader())
                with self._unread.chunks(file) as chunks:
                    for event in reader.read(chunks):
                        calls.take(life, event)

    def _wanted(self, touched: Touched) -> bool:
        if any(_parts(ledger, touched) is not None for ledger in self._ledgers):
            return True
        if touched.operation is not None:
            self._others.note(f"{touched.operation} of {touched.key} ({touched.component})")
        return False


def made(ledger: ObservedLedger, answer: Answer) -> Iterator[Call]:
    """
    Return the calls that fit a ledger, of one that went well and whose answer a tap holds. Raises EvidenceError if its
    request cannot be decoded.
    """
    node = names.replica(answer.node) or answer.node
    try:
        parts = list(apicalls.touched(answer.method, answer.body))
    except DecodeError as error:
        raise EvidenceError(f"a call of {answer.method} cannot be decoded: {error}") from error
    for touched in parts:
        fitting = _parts(ledger, touched)
        if fitting is not None:
            asked = ApiCall("", 0, node, "", answer.method, touched, None, answer.at_ns, answer.at_ns, status=0)
            yield _call(asked, fitting)


def _parts(ledger: ObservedLedger, touched: Touched) -> list[str] | None:
    if touched.operation != ledger.observed or ledger.component not in (None, touched.component):
        return None
    return called.parts(ledger.matching, touched.key or "")


def _call(made: ApiCall, fitting: list[str]) -> Call:
    row = {
        "component": made.touched.component,
        _NAMED.get(made.touched.operation or "", "key"): made.touched.key,
        "parts": fitting,
        "value": called.value(made.touched.value),
        "node": made.node,
    }
    done = True if made.status == 0 else False if made.status in _REFUSED else None
    detail = "no answer came" if made.status is None else f"the answer was gRPC status {made.status}"
    return Call(row, made.called_ns, made.answered_ns, done, detail)
