"""
Toxiproxy's control API, each call with a limit of time.

The classes `Toxiproxy` and `Proxy` of toxiproxy-python wait for an answer without a limit. A Toxiproxy that hangs (one
that is stopped, or Shopify/toxiproxy#558) would hold the harness for ever. So only the package's API consumer is used
here, which passes a limit on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
import tenacity
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from harness.backends.base import Toxic
from harness.backends.endpoints import Address
from harness.errors import NodeError

LIMIT = 5.0
"""Seconds. Toxiproxy answers in milliseconds, also on a machine that has much else to do."""
_BETWEEN = 0.02


@dataclass(frozen=True)
class Listening:
    """
    One proxy: the port at which it listens, and the address to which it forwards.
    """

    port: int
    upstream: str


class Proxies:
    """
    The proxies of one Toxiproxy. Every method raises NodeError if Toxiproxy refuses, or does not answer within
    `LIMIT` seconds.

    toxiproxy-python keeps the address on a class, so there is one Toxiproxy for the whole process.
    """

    def __init__(self, at: Address) -> None:
        self._at = at
        APIConsumer.host, APIConsumer.port = at.host, at.port

    @tenacity.retry(
        stop=tenacity.stop_after_delay(LIMIT),
        wait=tenacity.wait_fixed(_BETWEEN),
        retry=tenacity.retry_if_exception_type(NodeError),
        reraise=True,
    )
    def await_answer(self) -> None:
        """
        Return once Toxiproxy answers.
        """
        self.every()

    def every(self) -> Mapping[str, Listening]:
        """
        Return all proxies, by name.
        """
        return {
            name: Listening(int(proxy["listen"].rpartition(":")[2]), proxy["upstream"])
            for name, proxy in self._ask(APIConsumer.get, "/proxies").items()
        }

    def create(self, name: str, listen: Address, upstream: str) -> None:
        """
        Create a proxy that listens at `listen` and forwards to `upstream` (host:port).
        """
        self._ask(APIConsumer.post, "/proxies", json={"name": name, "listen": str(listen), "upstream": upstream})

    def redirect(self, name: str, upstream: str) -> None:
        """
        Let a proxy forward to another `upstream` (host:port).
        """
        self._ask(APIConsumer.post, f"/proxies/{quote(name)}", json={"upstream": upstream})

    def switch(self, name: str, *, on: bool) -> None:
        """
        Let a proxy listen, or stop it and close all its connections.
        """
        self._ask(APIConsumer.post, f"/proxies/{quote(name)}", json={"enabled": on})

    def add_toxic(self, name: str, toxic: Toxic) -> None:
        """
        Add a toxic to a proxy.
        """
        wanted = {
            "name": toxic.name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes),
        }
        self._ask(APIConsumer.post, f"/proxies/{quote(name)}/toxics", json=wanted)

    def remove_toxic(self, name: str, toxic: str) -> None:
        """
        Remove a toxic from a proxy. Does nothing if the proxy does not have it.
        """
        try:
            self._call(APIConsumer.delete, f"/proxies/{quote(name)}/toxics/{quote(toxic)}")
        except NotFound:
            return

    def _ask(self, call: Callable[..., requests.Response], route: str, **said: Any) -> Any:
        try:
            return self._call(call, route, **said).json()
        except (NotFound, ProxyExists, InvalidToxic, ValueError) as error:
            raise NodeError(f"toxiproxy at {self._at} refused {route}: {error}") from error

    def _call(self, call: Callable[..., requests.Response], route: str, **said: Any) -> requests.Response:
        try:
            answer = call(route, timeout=LIMIT, **said)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise NodeError(f"toxiproxy at {self._at} did not do {route} within {LIMIT:g} s: {error}") from error
        return answer
