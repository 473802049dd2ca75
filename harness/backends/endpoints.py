"""
Where the running system can be reached.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.model import Value


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


class Endpoints(Value):
    """
    The addresses at which the running system can be reached. They are saved as `endpoints.json` for the load generator.

    `apps`, `sidecars` and `services` map a node to its address. `redis` and `scheduler` are the addresses of the
    programs themselves, not of their listeners at Toxiproxy: evidence is read there directly. `links` maps a link to
    its listener at Toxiproxy.
    """

    backend: str = "processes"
    apps: Mapping[str, Address]
    sidecars: Mapping[str, Address]
    services: Mapping[str, Address]
    redis: Address
    scheduler: Address
    links: Mapping[str, Address]
    points: Address | None = None
    """
    The address at which the harness takes announcements of activity points; None if no step of the plan aims at one.
    """
