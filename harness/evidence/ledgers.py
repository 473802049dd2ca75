"""
What the outside world kept: effect rows from every ledger that the target names.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from harness import mapping
from harness.backends import store
from harness.backends.endpoints import Endpoints
from harness.errors import EvidenceError
from harness.evidence import called, effectrows, observed, servicecalls
from harness.evidence.called import Call
from harness.evidence.observed import Observed
from harness.evidence.servicecalls import ServiceCalls
from harness.model import (
    CalledLedger,
    CallsLedger,
    HttpLedger,
    Ledger,
    ObservedLedger,
    RowMapping,
    SqlLedger,
    StateLedger,
    Target,
)
from harness.tap.answers import Answer

Row = dict[str, Any]

_MOST_PAGES = 10_000
_MS = 1_000_000


def refuse_unusable(target: Target) -> None:
    """
    Raise UsageError if a ledger cannot be read whatever the system does: a driver is missing, or a password.
    """
    for ledger in target.ledgers:
        if isinstance(ledger, SqlLedger):
            from harness.evidence import sql  # noqa: PLC0415  sqlalchemy takes 0.4 s, and few targets need it

            sql.refuse_unusable(ledger)


class Ledgers:
    """
    The ledgers of one run. `data` is the folder in which each process of the target has its DATA_DIR, and `taps` the
    one with the records of the taps.
    """

    def __init__(self, target: Target, endpoints: Endpoints, data: Path, taps: Path) -> None:
        self._target = target
        self._endpoints = endpoints
        self._data = data
        self._observed = Observed(taps, [each for each in target.called if isinstance(each, ObservedLedger)])
        self._services = ServiceCalls(taps, [each for each in target.called if isinstance(each, CallsLedger)])
        self._earlier: frozenset[str] = frozenset()

    def begin(self, starts: Collection[str]) -> None:
        """
        Read the ledgers before anything is started. The instances that they have now are of earlier runs, and are left
        out from now on. `starts`: the ids of the instances that this run will start.

        Raises EvidenceError if a ledger cannot be read, or has one of `starts`: whose its rows are could not be told,
        and an activity that looks for its own earlier effect would find that of another run.
        """
        there: set[str] = set()
        for row in self.effects():
            if row["instance_id"] in starts:
                raise EvidenceError(
                    f"the ledger {row['source']} has {row['effect']} of {row['instance_id']} before this run has "
                    "started it: it is of an earlier run. Empty the ledger before each run, or give each run one of "
                    "its own"
                )
            there.add(row["instance_id"])
        self._earlier = frozenset(there)

    def refuse_coarse(self) -> None:
        """
        Read the ledgers after the first instances. Raises EvidenceError if one cannot be read, or if its times are
        whole milliseconds: compared with the bodies that made them, such effects would seem to come before them.
        """
        times: dict[str, list[int]] = {}
        for row in self.effects():
            if row["at_ns"] is not None:
                times.setdefault(row["source"], []).append(row["at_ns"])
        for source, found in times.items():
            if len(found) > 1 and all(at_ns % _MS == 0 for at_ns in found):
                raise EvidenceError(
                    f"the times in the ledger {source} are whole milliseconds, which is too coarse to be compared with "
                    "the activities; keep microseconds, or say `row: {at: null}` in target.yaml"
                )

    def refuse_unseen(self, required: Mapping[str, Collection[str]]) -> None:
        """
        Read the ledgers after the first instances, of which `required` says which effects each must have. Raises
        EvidenceError if a ledger that is made of calls has none at all, and an effect is missing.
        """
        of_calls = [(each, name) for each, name in self._named() if isinstance(each, CalledLedger)]
        empty = {name: each for each, name in of_calls if not (each.settled_by or any(self._calls(each)))}
        there = {(row["instance_id"], row["effect"]) for row in self.effects()} if empty else set()
        for instance, effects in required.items() if empty else ():
            if missing := [effect for effect in effects if (instance, effect) not in there]:
                raise EvidenceError(
                    f"{instance} has ended as one that has the effect {missing[0]}, and not one call fits the ledger "
                    f"{', '.join(empty)}. {' '.join(dict.fromkeys(map(self._seen, empty.values())))}"
                )

    def effects(self) -> Iterator[Row]:
        """
        Return one row per effect of this run, ledger by ledger, and for each ledger in its order of commit. Of calls
        that another ledger settles, that one tells alone.

        Raises EvidenceError if a ledger cannot be read, or contains a row that its mapping does not fit.
        """
        for ledger, name in self._named():
            if not (isinstance(ledger, CalledLedger) and ledger.settled_by):
                yield from self._effects(ledger, name)

    def unanswered(self) -> Iterator[Row]:
        """
        Return one row per effect of this run of which no answer says whether it happened, with what the ledger that
        settles it says. Raises EvidenceError as `effects` does.
        """
        named = {name: ledger for ledger, name in self._named()}
        for ledger, name in self._named():
            if not isinstance(ledger, CalledLedger):
                continue
            rows = self._of_this_run(called.told(name, ledger.row, self._calls(ledger))[1])
            if ledger.settled_by is not None:
                rows = called.settled(rows, list(self._effects(named[ledger.settled_by], ledger.settled_by)))
            yield from rows

    def made(self, answer: Answer) -> list[Row]:
        """
        Return the effects that a call has made whose answer a tap holds, by each ledger, without positions. Raises
        EvidenceError if the call cannot be decoded, or if a mapping does not fit.
        """
        rows = []
        for ledger, name in self._named():
            if isinstance(ledger, CalledLedger):
                rows += called.told(name, ledger.row, _made(ledger, answer))[0]
        return rows

    def _named(self) -> Iterator[tuple[Ledger, str]]:
        for ledger, name in zip(self._target.ledgers, self._target.sources, strict=True):
            yield ledger, name or ""

    def _effects(self, ledger: Ledger, name: str) -> Iterator[Row]:
        is_sorted = ledger.row.at is None or _is_in_order(ledger)
        for found in self._by_source(ledger, name):
            rows = found if is_sorted else sorted(found, key=lambda row: row["at_ns"])
            yield from ({**row, "position": position} for position, row in enumerate(self._of_this_run(rows)))

    def _of_this_run(self, rows: Iterable[Row]) -> Iterator[Row]:
        return (row for row in rows if row["instance_id"] not in self._earlier)

    def _calls(self, ledger: ObservedLedger | CallsLedger) -> Iterator[Call]:
        return self._services.calls(ledger) if isinstance(ledger, CallsLedger) else self._observed.calls(ledger)

    def _seen(self, ledger: ObservedLedger | CallsLedger) -> str:
        return self._services.seen() if isinstance(ledger, CallsLedger) else self._observed.seen()

    def _by_source(self, ledger: Ledger, name: str) -> Iterator[Iterator[Row]]:
        """
        Return the effects of each source of a ledger called `name`, without positions.
        """
        if isinstance(ledger, CalledLedger):
            yield iter(called.told(name, ledger.row, self._calls(ledger))[0])
            return
        for source, rows in self._rows(ledger, name):
            yield effectrows.mapped(source, ledger.row, rows)

    def _rows(self, ledger: HttpLedger | StateLedger | SqlLedger, name: str) -> Iterator[tuple[str, Iterable[object]]]:
        """
        Return (source, rows) for each source of a ledger called `name`; in the state store each document is a source.
        """
        if isinstance(ledger, StateLedger):
            yield from _from_state(ledger, self._target, self._endpoints)
        elif isinstance(ledger, SqlLedger):
            from harness.evidence import sql  # noqa: PLC0415

            yield name, sql.rows(name, ledger, self._data)
        else:
            yield name, _from_http(ledger, self._endpoints.services[f"{ledger.service}-0"].url)


def _made(ledger: ObservedLedger | CallsLedger, answer: Answer) -> Iterator[Call]:
    return servicecalls.made(ledger, answer) if isinstance(ledger, CallsLedger) else observed.made(ledger, answer)


def _is_in_order(ledger: Ledger) -> bool:
    """
    Return whether a ledger promises its rows in order of commit, as docs/target-contract.md asks of one that is written
    for the harness. Others may have any order, and are sorted by their times.
    """
    return isinstance(ledger, StateLedger) or (isinstance(ledger, HttpLedger) and ledger.row == RowMapping())


def _from_http(ledger: HttpLedger, url: str) -> Iterator[object]:
    try:
        if ledger.rows is None:
            yield from _lines(url + ledger.path)
        else:
            yield from _pages(ledger, ledger.rows, httpx.URL(url + ledger.path))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise EvidenceError(f"the ledger at {url}{ledger.path} could not be read: {error}") from error


def _lines(url: str) -> Iterator[object]:
    with httpx.stream("GET", url, timeout=60) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line:
                yield json.loads(line)


def _pages(ledger: HttpLedger, expression: str, url: httpx.URL) -> Iterator[object]:
    """
    Return the rows of an answer, and of the pages that follow it. Every page is asked of the service itself, whatever
    host a link names.
    """
    seen: set[httpx.URL] = set()
    while url not in seen:
        if len(seen) == _MOST_PAGES:
            raise EvidenceError(f"the ledger at {url} has more than {_MOST_PAGES:,} pages")
        seen.add(url)
        answer = httpx.get(url, timeout=60)
        answer.raise_for_status()
        page = answer.json()
        rows = mapping.find(expression, page)
        if not isinstance(rows, list):
            raise EvidenceError(
                f"`rows: {expression}` finds no list in the answer of the ledger at {url}: {answer.text[:200]}"
            )
        yield from rows
        found = mapping.find(ledger.next, page) if ledger.next is not None else None
        if found in (None, "", False):
            return
        if ledger.token is not None:
            url = url.copy_set_param(ledger.token, found)
        elif isinstance(found, str):
            url = url.copy_with(raw_path=url.join(found).raw_path)
        else:
            raise EvidenceError(f"`next: {ledger.next}` finds no link in the answer of the ledger at {url}: {found!r}")
    raise EvidenceError(f"`next: {ledger.next}` leads in a circle: {url} is the next page of a page that follows it")


def _from_state(ledger: StateLedger, target: Target, endpoints: Endpoints) -> Iterator[tuple[str, list[object]]]:
    """
    Return (key, rows) for each document of the ledger. Dapr keeps a document under `<app>||<key>`.
    """
    prefix = f"{target.app_ids[ledger.app]}||"
    try:
        with store.connect(endpoints.store) as asked:
            for found in sorted({key for page in asked.keys(f"{prefix}{ledger.prefix}") for key in page}):
                document = json.loads(asked.value(found) or b"{}")
                key = found.removeprefix(prefix)
                if ledger.field is None:
                    yield key, [{"key": key.removeprefix(ledger.prefix), "value": document}]
                else:
                    yield key, document.get(ledger.field) or []
    except (ValueError, AttributeError) as error:
        raise EvidenceError(f"the ledger {ledger.prefix}* in the state store could not be read: {error}") from error
