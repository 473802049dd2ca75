"""
The names of the parts of a system: nodes (`app-0`, `redis`) and the links between them (`app-0->sidecar-0`).

    node   role or role-number     `redis`, `sidecar-1`; `client` and `sidecars` are only ends of links
           role-NAME-number        `app-shipping-0`, `sidecar-shipping-0`: a replica of the further application NAME
    link   node->node              from the node that connects to the node that listens

Files, journals and tables contain names as text. Only this module takes a name apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

APP = "app"
SIDECAR = "sidecar"
PLACEMENT = "placement"
SCHEDULER = "scheduler"
CLIENT = "client"
ALL_SIDECARS = "sidecars"
"""The end of a link that all sidecars share."""
SERVICES = "services"
"""In a scenario: every service of the target, whatever its name."""
STORE = "store"
"""In a scenario: the node that keeps the state, whatever its name."""


class Store(StrEnum):
    """
    What can keep the state. The node has the same name.
    """

    REDIS = "redis"
    POSTGRES = "postgres"


class BackendName(StrEnum):
    """
    Where the system runs (`harness/backends/`).
    """

    PROCESSES = "processes"
    COMPOSE = "compose"


ENGINE = "engine"
MACHINE = "machine"
HARNESS = "harness"
GENERATOR = "generator"
"""Of what there are samples besides nodes: all instances, the machine, the harness itself, what makes the load."""
TAP = ".tap"
"""What stands before a node is measured under the node's name with this behind it, which no node can have."""
_MEASURED = frozenset({ENGINE, MACHINE, HARNESS, GENERATOR})
RESERVED = _MEASURED | {
    *(APP, SIDECAR, PLACEMENT, SCHEDULER, CLIENT, ALL_SIDECARS, SERVICES, STORE, *map(str, Store), "toxiproxy"),
}
"""The roles of the system itself, and what is measured. A service of a target must not have one of these names."""

_ARROW = "->"
_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")
_APPLICATION = re.compile(r"[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*")
_LONGEST = 30


@dataclass(frozen=True)
class Node:
    """
    One node: its role, and its number from 0. The number is None if there is only one node with this role.
    `application` is the name of the application whose replica it belongs to; None for the target's main application,
    and for a node that serves all replicas.
    """

    role: str
    number: int | None = None
    application: str | None = None

    def __str__(self) -> str:
        """
        `sidecar-0`, `sidecar-shipping-0`, `redis`.
        """
        return self.group if self.number is None else f"{self.group}-{self.number}"

    @property
    def group(self) -> str:
        """
        Its role in its own application: `sidecar`, `sidecar-shipping`, `redis`.
        """
        return self.role if self.application is None else f"{self.role}-{self.application}"

    @property
    def replica(self) -> str | None:
        """
        The replica to which the node belongs, by the name of its app: `app-0` for `sidecar-0`. None for a node that
        serves all replicas.
        """
        if self.role not in (APP, SIDECAR) or self.number is None:
            return None
        return str(replace(self, role=APP))

    @property
    def parts(self) -> frozenset[str]:
        """
        The names of the nodes that it consists of: only its own.
        """
        return frozenset({str(self)})


@dataclass(frozen=True)
class Link:
    """
    One link: the node that connects, and the node that listens.
    """

    source: Node
    dest: Node

    def __str__(self) -> str:
        """
        `app-0->sidecar-0`.
        """
        return f"{self.source}{_ARROW}{self.dest}"

    @property
    def role(self) -> str:
        """
        The roles of its ends: `sidecar->redis`.
        """
        return f"{self.source.role}{_ARROW}{self.dest.role}"

    @property
    def group(self) -> str:
        """
        The roles of its ends, each in its own application: `sidecar-shipping->redis`.
        """
        return f"{self.source.group}{_ARROW}{self.dest.group}"

    @property
    def replica(self) -> str | None:
        """
        The replica to which it belongs. It is that of the first of its ends that has one: `app-0` for `client->app-0`.
        None if neither end has one.
        """
        return self.source.replica if self.source.replica is not None else self.dest.replica

    @property
    def parts(self) -> frozenset[str]:
        """
        The names of the nodes at its ends.
        """
        return self.source.parts | self.dest.parts


def is_reserved(text: str) -> bool:
    """
    Is this a role of the system's own, or does it begin like the name of one of its nodes?
    """
    longer = (PLACEMENT, SCHEDULER, SIDECAR)
    with_number = RESERVED - _MEASURED - {STORE, Store.POSTGRES}
    return text in RESERVED or text.startswith((*(f"{role}-" for role in with_number), *longer))


def is_role(text: str) -> bool:
    """
    Return whether a node can have this role: whether its name can be parsed again.
    """
    try:
        return parse(f"{text}-0") == Node(text, 0)
    except ValueError:
        return False


def is_application(text: str) -> bool:
    """
    Return whether a further application can have this name. No part of it begins with a digit, so that no replica of
    one application has the name of another.
    """
    return len(text) <= _LONGEST and _APPLICATION.fullmatch(text) is not None


def app(number: int, application: str | None = None) -> Node:
    """
    Return the app of one replica.
    """
    return Node(APP, number, application)


def sidecar(number: int, application: str | None = None) -> Node:
    """
    Return the sidecar of one replica.
    """
    return Node(SIDECAR, number, application)


def sidecar_of(replica: Node) -> Node:
    """
    Return the sidecar of a replica, of which the app is given.
    """
    return replace(replica, role=SIDECAR)


def parse(name: str) -> Node | Link:
    """
    Return the node or link with this name. Raises ValueError if the name is neither.
    """
    match [_node(end) for end in name.split(_ARROW)]:
        case [Node() as alone]:
            return alone
        case [Node() as source, Node() as dest]:
            return Link(source, dest)
    raise ValueError(f'"{name}" is no name of a node (role-number) or of a link (node->node)')


def node(name: str) -> Node:
    """
    Return the node with this name. Raises ValueError if it is not the name of a node.
    """
    match parse(name):
        case Node() as found:
            return found
    raise ValueError(f'"{name}" is the name of a link, not of a node')


def link(name: str) -> Link:
    """
    Return the link with this name. Raises ValueError if it is not the name of a link.
    """
    match parse(name):
        case Link() as found:
            return found
    raise ValueError(f'"{name}" is the name of a node, not of a link')


def replica(name: str) -> str | None:
    """
    Return the replica to which a node or link belongs, by the name of its app: `app-0` for `sidecar-0`,
    `sidecar-0->redis` and `client->app-0`. None for a node or link that serves all replicas, and for a text from the
    evidence that is not a name.
    """
    try:
        return parse(name).replica
    except ValueError:
        return None


def role(name: str) -> str:
    """
    Return the role of a name: `sidecar` for `sidecar-0`, `sidecar->redis` for `sidecar-0->redis`. A text that is not a
    name is returned as it is.
    """
    try:
        return parse(name).role
    except ValueError:
        return name


def group(name: str) -> str:
    """
    Return the role of a name in its own application: `sidecar-shipping` for `sidecar-shipping-0`, where its role is
    `sidecar`. A text that is not a name is returned as it is.
    """
    try:
        return parse(name).group
    except ValueError:
        return name


def with_store(pattern: str, store: Store) -> str:
    """
    Return the pattern of a node or link that a scenario names with the node in place of `store`: `sidecar-*->redis` for
    `sidecar-*->store`.
    """
    source, arrow, dest = pattern.rpartition(_ARROW)
    return f"{source}{arrow}{store}" if dest == STORE else pattern


def without_store(pattern: str) -> str:
    """
    Return the pattern of a node or link with `store` in place of the node: `sidecar-*->store` for `sidecar-*->redis`.
    """
    source, arrow, dest = pattern.rpartition(_ARROW)
    return f"{source}{arrow}{STORE}" if dest in set(Store) else pattern


def touched(names: Iterable[str]) -> set[str]:
    """
    Return these nodes and links, and also the nodes at the ends of each link. Raises ValueError if one is not a name.
    """
    return {part for name in names for part in (name, *parse(name).parts)}


def _node(text: str) -> Node | None:
    role, _, number = text.rpartition("-")
    if not number.isdigit():
        role, number = text, ""
    if _ROLE.fullmatch(role) is None or (number and _NUMBER.fullmatch(number) is None):
        return None
    first, _, application = role.partition("-")
    if first in (APP, SIDECAR) and is_application(application):
        return Node(first, int(number) if number else None, application)
    return Node(role, int(number) if number else None)
