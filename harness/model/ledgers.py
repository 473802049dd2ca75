"""
Where the effects of a target can be read: its ledgers, and the numbers that effects move.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from harness import mapping
from harness.model.values import Value


class RowMapping(Value):
    """
    Where a row of a ledger has what must be known of an effect, each in JMESPath. The default is the row that
    docs/target-contract.md describes. A ledger without keys or times says so by null.
    """

    instance_id: str = "instance_id"
    effect: str = Field(default="effect", description="finds the name of the effect; a name in quotes is that name")
    key: str | None = Field(default="key", description="finds the idempotency key; null: the ledger has none")
    at: str | None = Field(
        default="at_ns",
        description="finds the time of the commit, a number or a text in ISO 8601; null: the ledger has none, or none "
        "finer than a millisecond",
    )
    unit: Literal["s", "ms", "us", "ns"] = Field(default="ns", description="the unit of a number that `at` finds")
    attributes: str = Field(default="attributes", description="finds an object for invariants of your own, or nothing")


class HttpLedger(Value):
    """
    A ledger that a service returns: `GET <path>` on `service`. Without `rows` the answer is JSON lines, one row each;
    with it, one JSON document.
    """

    service: str
    path: str
    rows: str | None = Field(default=None, description="JMESPath: finds the list of rows in the answer; `@` is all")
    next: str | None = Field(
        default=None, description="JMESPath: finds the link of the next page in the answer, or its token"
    )
    token: str | None = Field(default=None, description="the query parameter that takes what `next` finds")
    row: RowMapping = RowMapping()


class StateLedger(Value):
    """
    A ledger inside the state store: documents whose key begins with `prefix`. Each has a list of rows in `field`.
    Without `field` each document is one row, `{key: ..., value: ...}`: the rest of its key, and itself. `app` names the
    further application whose documents they are.
    """

    prefix: str
    field: str | None = None
    app: str | None = Field(default=None, description="of `apps`; default: the main application")
    row: RowMapping = RowMapping()


class SqlLedger(Value):
    """
    A ledger in a database of this machine: each row that the query returns is a row of the ledger, by the names of its
    columns.

    `sql` is `postgresql://user@127.0.0.1:5432/database`, `mysql://...` or `sqlite:///file`; `{data}` in it is the
    folder in which each process has its DATA_DIR. The password is never a part of it.
    """

    sql: str
    query: str
    password: str | None = Field(
        default=None, pattern=r"^[A-Za-z_]\w*$", description="the environment variable that has the password"
    )
    row: RowMapping = RowMapping()


class CalledLedger(Value):
    """
    A ledger that nobody keeps: effects are calls of the application that passed the harness and were answered well.

    A call without an answer may have had its effect or not. If `settled_by` names another ledger, that one tells: it
    has the same effects, and they are counted there alone.
    """

    settled_by: str | None = Field(
        default=None, description="another ledger that has these effects, too, by its name as a source (`sql-0`)"
    )
    row: RowMapping

    def may_have(self, effect: str) -> bool:
        """
        Whether such a call can make an effect. Where an expression finds the name of the effect, only a call tells.
        """
        return mapping.literal(self.row.effect) in (None, effect)


class ObservedLedger(CalledLedger):
    """
    Effects that are calls to Dapr's API, as the tap saw them: `observed: save` is a save of keys that fit `matching`.

    Each call is one row, `{component: ..., key: ..., parts: [...], value: ..., node: ..., at_ns: ...}`; in place of
    `key`, a publish has `topic`, an invocation `method`, and a call of a binding `operation`.
    """

    observed: Literal["save", "delete", "publish", "invoke", "bind"]
    matching: str = Field(
        min_length=1,
        description="which keys, topics, methods or operations; each `*` stands for any text, and is one of `parts`",
    )
    component: str | None = Field(default=None, description="of this store, pub/sub, binding or app id alone")


class CallsLedger(CalledLedger):
    """
    Effects that are HTTP calls of the application to a service, as they were recorded before that service.

    Each call is one row, `{method: ..., path: ..., parts: [...], query: {...}, headers: {...}, body: ..., status: ...,
    at_ns: ...}`; the names of headers are in lower case.
    """

    calls: str = Field(description="the service that is called")
    method: str = Field(default="POST", pattern=r"^[A-Z]+$")
    path: str = Field(
        pattern="^/", description="which paths, without a query; each `*` stands for any text, and is one of `parts`"
    )


_KINDS = {"sql": "SqlLedger", "observed": "ObservedLedger", "calls": "CallsLedger", "service": "HttpLedger"}
"""The field by which a ledger of a kind is known."""


def _kind_of_ledger(value: object) -> str:
    if isinstance(value, Mapping):
        return next((kind for field, kind in _KINDS.items() if field in value), "StateLedger")
    return type(value).__name__


Ledger = HttpLedger | StateLedger | SqlLedger | ObservedLedger | CallsLedger
AnyLedger = Annotated[
    Annotated[HttpLedger, Tag("HttpLedger")]
    | Annotated[StateLedger, Tag("StateLedger")]
    | Annotated[SqlLedger, Tag("SqlLedger")]
    | Annotated[ObservedLedger, Tag("ObservedLedger")]
    | Annotated[CallsLedger, Tag("CallsLedger")],
    Discriminator(_kind_of_ledger),
]
"""What is wrong with a ledger is told of its own kind alone."""


def sources(ledgers: tuple[Ledger, ...]) -> tuple[str | None, ...]:
    """
    Return the name of each ledger as a source of effects; None in the state store, where each document is a source.
    """
    by_http = [ledger.service for ledger in ledgers if isinstance(ledger, HttpLedger)]

    def name(number: int, ledger: Ledger) -> str | None:
        if isinstance(ledger, StateLedger):
            return None
        if isinstance(ledger, SqlLedger):
            return f"sql-{number}"
        if isinstance(ledger, ObservedLedger):
            return f"observed-{number}"
        if isinstance(ledger, CallsLedger):
            return f"calls-{number}"
        return f"{ledger.service}-0" + (ledger.path if by_http.count(ledger.service) > 1 else "")

    return tuple(name(number, ledger) for number, ledger in enumerate(ledgers))


class Balance(Value):
    """
    A number in documents of the state store that effects move. Each instance that completes moves the number of one
    key, once.

    `value` finds the number in a document, `key` and `amount` find in an instance's input which key it moves and by how
    much (JMESPath). `app` names the further application whose documents they are.
    """

    keys: tuple[str, ...] = Field(min_length=1)
    value: str
    start: float = Field(description="what the number is where there is no document yet")
    key: str
    amount: str
    moves: Literal["down", "up"] = "down"
    app: str | None = Field(default=None, description="of `apps`; default: the main application")
