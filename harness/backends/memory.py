"""
The system in memory: a backend that starts no process, for tests of a run, of a fault, or of a team's own fault.

Nodes and links are entries that remember what was done to them, and answer probes accordingly: a paused node does not
answer, a link with a latency toxic answers late. One HTTP server on loopback stands for every app and sidecar, and
accepts every start. Nothing here knows what a workflow is, so evidence of it judges nothing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override

from harness import names
from harness.backends.base import Backend, Death, Links, Pauses, Say, Scales, Toxic, Upgrades
from harness.backends.endpoints import Address, Endpoints, StoreAddress
from harness.errors import NodeError
from harness.model import Plan

_ANSWER = 0.001
"""Seconds that an undisturbed node or link takes to answer."""


class Memory(Backend, Upgrades, Scales, Pauses, Links):
    """
    Every node and link of a plan, in memory. `did` lists what was done, in order: the method, and its node or link.

    `accepts` is the status with which starts are answered; `ended` are nodes that ended by themselves.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._dead: set[str] = set(plan.spares)
        self._paused: set[str] = set()
        self._disabled: set[str] = set()
        self._toxics: dict[str, dict[str, Toxic]] = {link: {} for link in plan.links}
        self._lives: dict[str, int] = dict.fromkeys(plan.nodes, 1)
        self._version: dict[str, str] = {}
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()
        self.did: list[tuple[str, str]] = []
        self.accepts = HTTPStatus.ACCEPTED
        self.ended: dict[str, Death] = {}
        self.halts: set[str] = set()

    # --- Backend ---

    @override
    def up(self, say: Say) -> Endpoints:
        say("starting the system in memory")
        self._note("up", "")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(self))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        here = Address(host="127.0.0.1", port=self._server.server_port)
        of_group = {
            group: {
                node: here for node in self._plan.nodes if names.group(node) == group and node not in self._plan.spares
            }
            for group in (names.APP, names.SIDECAR)
        }
        return Endpoints(
            backend="memory",
            apps=of_group[names.APP],
            sidecars=of_group[names.SIDECAR],
            others={
                node: here
                for node in self._plan.nodes
                if names.replica(node) is not None and names.group(node) not in of_group
            },
            services={str(names.Node(name, 0)): here for name in self._plan.target.services},
            store=StoreAddress(host=here.host, port=here.port),
            scheduler=here,
            links=dict.fromkeys(self._plan.links, here),
        )

    @override
    def quiesce(self) -> None:
        self._note("quiesce", "")

    @override
    def down(self) -> None:
        self._note("down", "")
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @override
    def leave(self) -> None:
        self._note("leave", "")

    @override
    def deaths(self) -> Mapping[str, Death]:
        return dict(self.ended)

    @override
    def halted(self) -> Collection[str]:
        return sorted(self.halts)

    @override
    def usage(self) -> Mapping[str, tuple[float, int]]:
        return {node: (1.0, 1_000_000) for node in self._plan.nodes if node not in self._dead}

    # --- Kills ---

    @override
    def kill(self, node: str) -> Death:
        return self._end("kill", node, -signal.SIGKILL)

    @override
    def stop(self, node: str, grace: float) -> Death:
        return self._end("stop", node, 0)

    @override
    def start(self, node: str) -> None:
        self._note("start", node)
        if node in self._dead:
            self._lives[node] += 1
        self._dead.discard(node)

    # --- Upgrades ---

    @override
    def become(self, node: str, version: str) -> None:
        self._note("become", node)
        self._version[node] = version

    @override
    def version(self, node: str) -> tuple[int, str | None]:
        if node in self._dead:
            raise NodeError(f"{node} does not run")
        return self._lives[node], self._version.get(node)

    # --- Scales ---

    @override
    def hosted(self, sidecar: str) -> int:
        if sidecar in self._dead:
            raise NodeError(f"{sidecar} does not run")
        return 1

    # --- Pauses ---

    @override
    def pause(self, node: str) -> None:
        if node in self._dead:
            raise NodeError(f"{node} does not run")
        self._note("pause", node)
        self._paused.add(node)

    @override
    def resume(self, node: str) -> None:
        self._note("resume", node)
        self._paused.discard(node)

    @override
    def probe_node(self, node: str, timeout: float) -> float:
        if node in self._dead:
            raise ConnectionRefusedError(f"{node} does not run")
        if node in self._paused:
            raise TimeoutError(f"{node} did not answer in {timeout:g} s")
        return _ANSWER

    # --- Links ---

    @override
    def add_toxic(self, link: str, toxic: Toxic) -> None:
        self._note("add_toxic", link)
        self._toxics[link][toxic.name] = toxic

    @override
    def remove_toxic(self, link: str, name: str) -> None:
        self._note("remove_toxic", link)
        self._toxics[link].pop(name, None)

    @override
    def disable(self, link: str) -> None:
        self._note("disable", link)
        self._disabled.add(link)

    @override
    def enable(self, link: str) -> None:
        self._note("enable", link)
        self._disabled.discard(link)

    @override
    def users(self, link: str) -> int:
        return 1

    @override
    def probe(self, link: str, timeout: float) -> float:
        took = _ANSWER
        if link in self._disabled:
            raise ConnectionRefusedError(f"{link} is down")
        for toxic in self._toxics[link].values():
            if toxic.type in ("reset_peer", "limit_data"):
                raise ConnectionResetError(f"{link} broke")
            took += _delay(toxic)
        if took > timeout:
            raise TimeoutError(f"{link} did not answer in {timeout:g} s")
        return took

    @override
    def probe_end(self, link: str, timeout: float) -> float:
        ends = (toxic for toxic in self._toxics[link].values() if toxic.type == "slow_close")
        return _ANSWER + sum(_number(toxic, "delay") / 1000 for toxic in ends)

    def _end(self, how: str, node: str, status: int) -> Death:
        if node in self._dead:
            raise NodeError(f"{node} does not run")
        self._note(how, node)
        self._dead.add(node)
        return Death(pid=self._lives[node], started=0.0, status=status)

    def _note(self, what: str, where: str) -> None:
        with self._lock:
            self.did.append((what, where))


def _delay(toxic: Toxic) -> float:
    """
    Seconds by which a toxic makes the answer to a probe late, in the units of Toxiproxy 2.12.
    """
    match toxic.type:
        case "latency":
            return _number(toxic, "latency") / 1000
        case "slicer":
            # A probe carries six bytes, and no pause follows the last slice.
            return (6 / _number(toxic, "average_size") - 1) * _number(toxic, "delay") / 1e6
        case "bandwidth" if _number(toxic, "rate"):
            return 6 / _number(toxic, "rate") / 1000
        case "timeout" | "bandwidth":
            return float("inf")
    return 0.0


def _number(toxic: Toxic, attribute: str) -> float:
    value = toxic.attributes[attribute]
    return float(value) if isinstance(value, int | float) else 0.0


def _answering(memory: Memory) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """
            Answer a start.
            """
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(memory.accepts)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """
            Nothing on standard error for each request.
            """

    return Handler
