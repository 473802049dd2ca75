"""
The names of what a system is made of: nodes (`app-0`, `redis`) and the links between them (`app-0->sidecar-0`).

    node   role or role-number     `redis`, `sidecar-1`; `client` and `sidecars` are only ends of links
    link   node->node              from the one that connects to the one that listens

Files, journals and tables hold names as text. Whoever needs a part of a name reads it here, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

APP = "app"
SIDECAR = "sidecar"
REDIS = "redis"
PLACEMENT = "placement"
SCHEDULER = "scheduler"
CLIENT = "client"
ALL_SIDECARS = "sidecars"
"""The end of a link that all sidecars share."""

RESERVED = frozenset({APP, SIDECAR, REDIS, PLACEMENT, SCHEDULER, CLIENT, ALL_SIDECARS, "toxiproxy"})
"""Roles that are the system's own: no service of a target may have one of these names."""

_ARROW = "->"
_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")


@dataclass(frozen=True)
class Node:
    """
    One node: its role, and its number from 0; None where there is one of that role only.
    """

    role: str
    number: int | None = None

    def __str__(self) -> str:
        """
        `sidecar-0`, `redis`.
        """
        return self.role if self.number is None else f"{self.role}-{self.number}"

    @property
    def replica(self) -> int | None:
        """
        The replica that the node belongs to: an app or its sidecar; None for a node that serves all replicas.
        """
        return self.number if self.role in (APP, SIDECAR) else None

    @property
    def parts(self) -> frozenset[str]:
        """
        The names of the nodes that it is made of: its own.
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
    def replica(self) -> int | None:
        """
        The replica that it belongs to, by the first of its ends that has one: 0 for `client->app-0`.
        """
        return self.source.replica if self.source.replica is not None else self.dest.replica

    @property
    def parts(self) -> frozenset[str]:
        """
        The names of the nodes at its ends.
        """
        return self.source.parts | self.dest.parts


def is_role(text: str) -> bool:
    """
    Can a node have this role, so that its name is read back as it was written?
    """
    try:
        return parse(f"{text}-0") == Node(text, 0)
    except ValueError:
        return False


def app(number: int) -> Node:
    """
    The app of one replica.
    """
    return Node(APP, number)


def sidecar(number: int) -> Node:
    """
    The sidecar of one replica.
    """
    return Node(SIDECAR, number)


def parse(name: str) -> Node | Link:
    """
    The node or link of that name. Raises ValueError for what is neither.
    """
    match [_node(end) for end in name.split(_ARROW)]:
        case [Node() as alone]:
            return alone
        case [Node() as source, Node() as dest]:
            return Link(source, dest)
    raise ValueError(f'"{name}" is no name of a node (role-number) or of a link (node->node)')


def node(name: str) -> Node:
    """
    The node of that name. Raises ValueError for what is none.
    """
    match parse(name):
        case Node() as found:
            return found
    raise ValueError(f'"{name}" is the name of a link, not of a node')


def link(name: str) -> Link:
    """
    The link of that name. Raises ValueError for what is none.
    """
    match parse(name):
        case Link() as found:
            return found
    raise ValueError(f'"{name}" is the name of a node, not of a link')


def replica(name: str) -> int | None:
    """
    The replica that a node or link belongs to: 0 for `app-0`, `sidecar-0->redis` and `client->app-0`; None for one
    that serves all replicas, and for a text from the evidence that is no name.
    """
    try:
        return parse(name).replica
    except ValueError:
        return None


def role(name: str) -> str:
    """
    `sidecar-0` -> `sidecar`, `sidecar-0->redis` -> `sidecar->redis`; a text that is no name is its own role.
    """
    try:
        return parse(name).role
    except ValueError:
        return name


def touched(names: Iterable[str]) -> set[str]:
    """
    Nodes and links, and of each link the nodes at its ends. Raises ValueError for what is no name.
    """
    return {part for name in names for part in (name, *parse(name).parts)}


def _node(text: str) -> Node | None:
    role, _, number = text.rpartition("-")
    if not number.isdigit():
        role, number = text, ""
    if _ROLE.fullmatch(role) is None or (number and _NUMBER.fullmatch(number) is None):
        return None
    return Node(role, int(number) if number else None)
