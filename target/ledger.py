"""
The ledger: the outside world's record of shipments, in SQLite, outside the part of the system that is attacked.

A shipment and its row in the ledger are committed in one transaction, which is synced to disk. If the row were written
after the effect, a crash between the two would lose the row, and an effect that happened would seem not to have
happened.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from target.contract import effect

SHIP = "ship"
CANCEL = "cancel"

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS shipments (
        key TEXT PRIMARY KEY,
        order_id TEXT NOT NULL,
        provider TEXT NOT NULL,
        cancelled INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS shipments_of_order ON shipments (order_id);
    CREATE TABLE IF NOT EXISTS closed (order_id TEXT PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS tries (order_id TEXT PRIMARY KEY, count INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS effects (
        position INTEGER PRIMARY KEY,
        instance_id TEXT NOT NULL,
        effect TEXT NOT NULL,
        key TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        attributes TEXT NOT NULL
    );
"""


class ClosedError(Exception):
    """
    The order was cancelled, so nothing can be shipped for it any more.
    """


@dataclass(frozen=True)
class Shipment:
    """
    What a provider ships: for which order, by which provider, the quantity, and the price in cents.
    """

    order_id: str
    provider: str
    quantity: int
    price: int


class Ledger:
    """
    The durable store of the providers. To be used from one thread.
    """

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def tried(self, order_id: str) -> int:
        """
        Count one more try to register a shipment for an order, and return the number of this try, from 1.
        """
        row = self._db.execute(
            "INSERT INTO tries VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count", (order_id,)
        ).fetchone()
        return int(row[0])

    def ship(self, key: str, shipment: Shipment) -> str:
        """
        Commit a shipment under an idempotency key, and return its id, which is the key. If the key was used before,
        nothing happens.

        Raises ClosedError if the order was cancelled before.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if self._db.execute("SELECT 1 FROM closed WHERE order_id = ?", (shipment.order_id,)).fetchone():
                raise ClosedError(f"order {shipment.order_id} was cancelled")
            new = self._db.execute(
                "INSERT INTO shipments (key, order_id, provider) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (key, shipment.order_id, shipment.provider),
            )
            if new.rowcount:
                facts = {"provider": shipment.provider, "quantity": shipment.quantity, "price": shipment.price}
                self._append(shipment.order_id, SHIP, key, facts)
        return key

    def cancel(self, order_id: str) -> int:
        """
        Cancel every shipment of an order, and let none be committed later. Return how many were cancelled now.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO closed VALUES (?) ON CONFLICT DO NOTHING", (order_id,))
            cancelled = self._db.execute(
                "UPDATE shipments SET cancelled = 1 WHERE order_id = ? AND NOT cancelled RETURNING key, provider",
                (order_id,),
            ).fetchall()
            for key, provider in cancelled:
                self._append(order_id, CANCEL, key, {"provider": provider})
        return len(cancelled)

    def effects(self) -> Iterator[dict[str, object]]:
        """
        Return every effect in order of commit, in the format of docs/target-contract.md.
        """
        rows = self._db.execute("SELECT instance_id, effect, key, at_ns, attributes FROM effects ORDER BY position")
        for instance_id, name, key, at_ns, attributes in rows:
            yield {
                "instance_id": instance_id,
                "effect": name,
                "key": key,
                "at_ns": at_ns,
                "attributes": json.loads(attributes),
            }

    def close(self) -> None:
        """
        Close the store.
        """
        self._db.close()

    def _append(self, order_id: str, name: str, key: str, facts: dict[str, object]) -> None:
        row = effect(order_id, name, key, facts)
        self._db.execute(
            "INSERT INTO effects (instance_id, effect, key, at_ns, attributes) VALUES (?, ?, ?, ?, ?)",
            (row["instance_id"], row["effect"], row["key"], row["at_ns"], json.dumps(row["attributes"])),
        )
