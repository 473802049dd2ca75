"""
The `processes` backend: every node a process on this machine, every link through Toxiproxy.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
from toxiproxy import Toxiproxy
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import NotFound
from toxiproxy.proxy import Proxy

from harness.backends import guard, ports, probe
from harness.backends.base import Address, Death, Endpoints, Say, Toxic
from harness.backends.probe import Probe
from harness.backends.process import Child, Spec
from harness.backends.topology import Link, Topology
from harness.errors import NodeError
from harness.model import Plan
from harness.rundir import RunDir


class Processes:
    """
    The whole system as processes of this machine. Powers: Kills, Pauses, Links, Store, Wipes,
    Misbehaves, Starves, Fills.

    `binaries` maps daprd, placement, scheduler, toxiproxy-server and redis-server to their paths.
    """

    def __init__(self, plan: Plan, run: RunDir, binaries: Mapping[str, Path]) -> None:
        self._plan = plan
        self._run = run
        self._binaries = binaries
        self._exits = ExitStack()
        self._children: dict[str, Child] = {}
        self._links: Mapping[str, Link] = {}
        self._probes: Mapping[str, tuple[Address, Probe]] = {}
        self._proxies: dict[str, Proxy] = {}

    # --- Backend ---

    def up(self, say: Say) -> Endpoints:
        """
        Start everything, in the order in which the parts need each other; see Backend.
        """
        try:
            self._exits.callback(_dismiss, guard.start(self._run.path))
            lease = self._exits.enter_context(ports.lease())
            topology = Topology(
                self._plan, self._run, self._binaries, lambda: Address(host=ports.HOST, port=lease.take())
            )
            stores, *others = topology.stages()
            self._launch(stores, say)
            self._make_links(topology)
            for stage in others:
                self._launch(stage, say)
        except BaseException:
            self.down()
            raise
        return topology.endpoints

    def quiesce(self) -> None:
        """
        See Backend.
        """
        for node, child in self._children.items():
            if node.startswith(("app-", "sidecar-")):
                child.end()

    def down(self) -> None:
        """
        See Backend. Data lives in the run directory, so there is nothing to wait for: SIGKILL.
        """
        for child in reversed(self._children.values()):
            child.end()
        self._children.clear()
        self._exits.close()

    def deaths(self) -> Mapping[str, Death]:
        """
        See Backend.
        """
        return {node: death for node, child in self._children.items() if (death := child.death()) is not None}

    def usage(self) -> Mapping[str, tuple[float, int]]:
        """
        See Backend.
        """
        return {node: usage for node, child in self._children.items() if (usage := child.usage()) is not None}

    # --- Kills ---

    def kill(self, node: str) -> Death:
        """
        See Kills.
        """
        return self._children[node].kill()

    def start(self, node: str) -> None:
        """
        See Kills.
        """
        if not self._children[node].runs():
            self._children[node].spawn()
        self._children[node].await_ready()

    def stop(self, node: str, grace: float) -> Death:
        """
        See Kills.
        """
        return self._children[node].terminate(grace)

    # --- Store, Wipes ---

    def store(self) -> Address:
        """
        See Store.
        """
        return self._probes["redis"][0]

    def wipe(self, node: str) -> int:
        """
        See Wipes.
        """
        folder = self._run.data / node
        files = sum(1 for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
        folder.mkdir()
        return files

    # --- Misbehaves ---

    def misbehave(self, node: str, wanted: Mapping[str, float] | None) -> Mapping[str, int]:
        """
        See Misbehaves.
        """
        url = f"{self._probes[node][0].url}{self._plan.target.services[node.rpartition('-')[0]].misbehave}"
        try:
            with probe.client(timeout=5) as client:
                answer = client.get(url) if wanted is None else client.put(url, json=dict(wanted))
            return {str(name): int(count) for name, count in answer.raise_for_status().json().items()}
        except (httpx.HTTPError, ValueError, AttributeError, TypeError) as error:
            raise NodeError(f"{node} cannot be made to misbehave at {url}: {error}") from error

    # --- Pauses ---

    def pause(self, node: str) -> None:
        """
        See Pauses.
        """
        self._children[node].pause()

    def resume(self, node: str) -> None:
        """
        See Pauses.
        """
        self._children[node].resume()

    def probe_node(self, node: str, timeout: float) -> float:
        """
        See Pauses.
        """
        at, ask = self._probes[node]
        return ask(at, timeout)

    # --- Starves, Fills ---

    def throttle(self, node: str, share: float) -> None:
        """
        See Starves.
        """
        self._children[node].throttle(share)

    def unthrottle(self, node: str) -> None:
        """
        See Starves.
        """
        self._children[node].unthrottle()

    def consumed(self, node: str) -> tuple[float, float]:
        """
        See Starves.
        """
        return self._children[node].consumed()

    def fill(self, node: str) -> None:
        """
        See Fills.
        """
        self._children[node].fill()

    def empty(self, node: str) -> None:
        """
        See Fills.
        """
        self._children[node].empty()

    def written_ns(self, node: str) -> int:
        """
        See Fills.
        """
        files = (path for path in (self._run.data / node).rglob("*") if path.is_file())
        return max((path.stat().st_mtime_ns for path in files), default=0)

    def ended(self, node: str) -> Death | None:
        """
        See Fills.
        """
        return self._children[node].ended()

    # --- Links ---

    def add_toxic(self, link: str, toxic: Toxic) -> None:
        """
        See Links.
        """
        self._proxies[link].add_toxic(
            name=toxic.name,
            type=toxic.type,
            stream=toxic.stream,
            toxicity=toxic.toxicity,
            attributes=dict(toxic.attributes),
        )

    def remove_toxic(self, link: str, name: str) -> None:
        """
        See Links.
        """
        try:
            self._proxies[link].destroy_toxic(name)
        except NotFound:
            return

    def disable(self, link: str) -> None:
        """
        See Links.
        """
        self._proxies[link].disable()

    def enable(self, link: str) -> None:
        """
        See Links.
        """
        self._proxies[link].enable()

    def users(self, link: str) -> int:
        """
        See Links. A probe closes its connection before it returns.
        """
        return ports.connections(self._links[link].listen.port)

    def probe(self, link: str, timeout: float) -> float:
        """
        See Links.
        """
        return self._links[link].probe(self._links[link].listen, timeout)

    def probe_end(self, link: str, timeout: float) -> float:
        """
        See Links.
        """
        return probe.end(self._links[link].listen, timeout)

    # --- starting ---

    def _launch(self, stage: tuple[Spec, ...], say: Say) -> None:
        """
        Start nodes at once, then wait until all of them are ready.
        """
        say("starting " + ", ".join(spec.name for spec in stage))
        for spec in stage:
            self._children[spec.name] = Child(spec)
            self._children[spec.name].spawn()
        with ThreadPoolExecutor(max_workers=len(stage)) as pool:
            for ready in [pool.submit(self._children[spec.name].await_ready) for spec in stage]:
                ready.result()

    def _make_links(self, topology: Topology) -> None:
        # toxiproxy-python keeps its server's address on the class.
        APIConsumer.host, APIConsumer.port = topology.toxiproxy_at.host, topology.toxiproxy_at.port
        self._links, self._probes = topology.links, topology.probes
        for name, link in self._links.items():
            self._proxies[name] = Toxiproxy().create(name=name, listen=str(link.listen), upstream=str(link.upstream))


def _dismiss(keeper: subprocess.Popen[bytes]) -> None:
    """
    Let the guard make its sweep, now rather than when the harness ends, and wait for it.
    """
    if keeper.stdin is not None:
        keeper.stdin.close()
    keeper.wait()
