"""
What all backends do in the same way once they have their nodes and know the addresses of nodes and links: pass actions
on to a node, probe nodes and links, and control Toxiproxy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import httpx
from typing_extensions import override

from harness import names
from harness.backends import guard, probe
from harness.backends.base import Backend, Death, Kills, Links, Misbehaves, Pauses, Starves, Store, Toxic
from harness.backends.endpoints import Address, Endpoints, StoreAddress
from harness.backends.probe import Probe
from harness.backends.proxies import Proxies
from harness.errors import NodeError
from harness.model import Plan
from harness.names import Node


@dataclass(frozen=True)
class Way:
    """
    One link through Toxiproxy: the address at which Toxiproxy listens, the address to which it forwards, and the probe
    that shows whether the link carries data.
    """

    listen: Address
    upstream: str
    probe: Probe


def await_all(wait: Callable[[str], None], nodes: Collection[str]) -> None:
    """
    Wait for nodes in parallel, by calling `wait` for each. Raises what the first failing call raises.

    After a failure or a Ctrl-C this returns at once. The other calls then end when their nodes are ended, which the
    caller must do.
    """
    pool = ThreadPoolExecutor(max_workers=len(nodes))
    try:
        for done in as_completed([pool.submit(wait, node) for node in nodes]):
            done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Controlled(Protocol):
    """
    One node as a backend holds it: a process or a container.
    """

    def kill(self) -> Death:
        """
        Send SIGKILL and return the exit status of that process. Raises NodeError if the node does not run.
        """

    def stop(self, grace: float) -> Death:
        """
        Send SIGTERM, then SIGKILL if the node still runs after `grace` seconds; return the exit status. Raises
        NodeError if the node does not run.
        """

    def pause(self) -> None:
        """
        Stop the node where it is. Raises NodeError if the node does not run.
        """

    def resume(self) -> None:
        """
        Let the node continue. Does nothing if the node does not run or is not paused.
        """

    def throttle(self, share: float) -> None:
        """
        Limit the node to `share` of one core from now on. Raises NodeError if the node does not run.
        """

    def unthrottle(self) -> None:
        """
        Remove the limit that `throttle` set.
        """

    def consumed(self) -> tuple[float, float]:
        """
        Return (seconds of CPU that the node used since it started, seconds for which `throttle` held it back). Raises
        NodeError if the node does not run.
        """


NodeT = TypeVar("NodeT", bound=Controlled)


class Wired(Backend, Kills, Store, Misbehaves, Pauses, Starves, Links, Generic[NodeT]):
    """
    The part that is the same in every backend. A subclass adds how nodes are started and ended as a whole (Backend,
    Kills) and how the connections of a link are counted (Links).
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._exits = ExitStack()
        self._guard: guard.Guard | None = None
        self._nodes: dict[str, NodeT] = {}
        self._links: Mapping[str, Way] = {}
        self._probes: Mapping[str, tuple[Address, Probe]] = {}
        self._proxies: Proxies | None = None

    def _endpoints(
        self, backend: str, points: Address | None, metrics: Mapping[str, Address] | None = None
    ) -> Endpoints:
        """
        Return the addresses at which clients and collectors reach the system.
        """
        ways = {names.link(name): way.listen for name, way in self._links.items()}
        clients = {str(link.dest): at for link, at in ways.items() if link.source.role == names.CLIENT}
        direct = {node: at for node, (at, _) in self._probes.items()}
        begun = [node for node in self._plan.nodes if node not in self._plan.spares]
        return Endpoints(
            backend=backend,
            apps={node: clients[node] for node in begun if names.group(node) == names.APP},
            sidecars={node: clients.get(node, direct[node]) for node in begun if names.group(node) == names.SIDECAR},
            services={node: direct[node] for node in (str(Node(name, 0)) for name in self._plan.target.services)},
            others={node: direct[node] for node in self._plan.nodes if names.node(node).application is not None},
            store=self.store(),
            scheduler=direct[str(Node(names.SCHEDULER, 0))],
            links={name: way.listen for name, way in self._links.items()},
            points=points,
            metrics=metrics or {},
        )

    @override
    def leave(self) -> None:
        if self._guard is not None:
            self._guard.release()
        self._exits.pop_all()

    @override
    def kill(self, node: str) -> Death:
        return self._nodes[node].kill()

    @override
    def stop(self, node: str, grace: float) -> Death:
        return self._nodes[node].stop(grace)

    @override
    def pause(self, node: str) -> None:
        self._nodes[node].pause()

    @override
    def resume(self, node: str) -> None:
        self._nodes[node].resume()

    @override
    def throttle(self, node: str, share: float) -> None:
        self._nodes[node].throttle(share)

    @override
    def unthrottle(self, node: str) -> None:
        self._nodes[node].unthrottle()

    @override
    def consumed(self, node: str) -> tuple[float, float]:
        return self._nodes[node].consumed()

    @override
    def store(self) -> StoreAddress:
        at = self._probes[self._plan.store][0]
        return StoreAddress(host=at.host, port=at.port, kind=self._plan.store)

    @override
    def misbehave(self, node: str, wanted: Mapping[str, float] | None) -> Mapping[str, int]:
        url = f"{self._probes[node][0].url}{self._plan.target.services[names.role(node)].misbehave}"
        try:
            with probe.client(timeout=5) as client:
                answer = client.get(url) if wanted is None else client.put(url, json=dict(wanted))
            return {str(name): int(count) for name, count in answer.raise_for_status().json().items()}
        except (httpx.HTTPError, ValueError, AttributeError, TypeError) as error:
            raise NodeError(f"{node} cannot be made to misbehave at {url}: {error}") from error

    @override
    def probe_node(self, node: str, timeout: float) -> float:
        at, ask = self._probes[node]
        return ask(at, timeout)

    @override
    def probe(self, link: str, timeout: float) -> float:
        return self._links[link].probe(self._links[link].listen, timeout)

    @override
    def probe_end(self, link: str, timeout: float) -> float:
        return probe.end(self._links[link].listen, timeout)

    @override
    def add_toxic(self, link: str, toxic: Toxic) -> None:
        self._toxiproxy().add_toxic(link, toxic)

    @override
    def remove_toxic(self, link: str, name: str) -> None:
        self._toxiproxy().remove_toxic(link, name)

    @override
    def disable(self, link: str) -> None:
        self._toxiproxy().switch(link, on=False)

    @override
    def enable(self, link: str) -> None:
        self._toxiproxy().switch(link, on=True)

    def _toxiproxy(self) -> Proxies:
        if self._proxies is None:
            raise NodeError("there is no toxiproxy: the system is not up")
        return self._proxies
