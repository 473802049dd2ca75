"""
Where the running system can be reached.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, SecretStr

from harness import names
from harness.model import Value
from harness.names import Store


class Address(Value):
    """
    A TCP address on this machine.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """
        `host:port`.
        """
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """
        `http://host:port`.
        """
        return f"http://{self}"


class Login(Value):
    """
    As whom a state store is read, and which of its databases.
    """

    user: str
    password: SecretStr
    database: str


class StoreAddress(Address):
    """
    Where a state store listens, what it is, and how to log in where it asks for that. A login is only in memory: it is
    written nowhere and printed nowhere.
    """

    kind: Store = Store.REDIS
    login: Login | None = Field(default=None, exclude=True)


class Endpoints(Value):
    """
    The addresses at which the running system can be reached. They are saved as `endpoints.json` for the load generator.

    `apps`, `sidecars` and `services` map a node to its address. Clients reach the main application alone, so `apps` and
    `sidecars` have its replicas, and `others` has the apps and sidecars of the further applications. `store` and
    `scheduler` are the addresses of the programs themselves, not of their listeners at Toxiproxy: evidence is read
    there directly. `links` maps a link to its listener at Toxiproxy, `metrics` a node to what it tells Prometheus of
    itself.
    """

    backend: str = "processes"
    apps: Mapping[str, Address]
    sidecars: Mapping[str, Address]
    services: Mapping[str, Address]
    others: Mapping[str, Address] = {}
    store: StoreAddress
    scheduler: Address
    links: Mapping[str, Address]
    metrics: Mapping[str, Address] = {}
    points: Address | None = None
    """
    The address at which the harness takes announcements of activity points; None if no step of the plan aims at one.
    """

    @property
    def every_sidecar(self) -> Mapping[str, Address]:
        """
        The sidecars of all applications.
        """
        others = {node: at for node, at in self.others.items() if names.role(node) == names.SIDECAR}
        return {**self.sidecars, **others}

    def sidecars_of(self, application: str | None) -> Mapping[str, Address]:
        """
        Return the sidecars of one application; None is the main one.
        """
        return {node: at for node, at in self.every_sidecar.items() if names.node(node).application == application}
